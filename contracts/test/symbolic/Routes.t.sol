// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChangeLog} from "../../src/registry/ChangeLog.sol";
import {IQuoteVerifier} from "../../src/interfaces/IQuoteVerifier.sol";
import {SelectorStatus} from "../../src/interfaces/IReceiptRouter.sol";
import {RouteStatus} from "../../src/interfaces/IVerifierRouter.sol";
import {ProofKind} from "../../src/types/ProofKind.sol";
import {VerifierRouter} from "../../src/verify/VerifierRouter.sol";
import {IRiscZeroVerifier} from "../../src/zk/IRiscZeroVerifier.sol";
import {RiscZeroEmergencyStop} from "../../src/zk/RiscZeroEmergencyStop.sol";
import {RiscZeroRouter} from "../../src/zk/RiscZeroRouter.sol";
import {Proof} from "./Proof.sol";

/// @dev Whatever a router asks of a verifier, this one says it.
contract Chameleon {
    ProofKind public immutable kind;
    bytes4 public immutable SELECTOR;

    constructor(ProofKind kind_, bytes4 selector) {
        (kind, SELECTOR) = (kind_, selector);
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id != 0xffffffff;
    }

    function verifyIntegrity(bytes calldata) external view {}
}

/// @notice Routes to verifiers: never thawed, never pointed elsewhere, widened by the governor alone.
contract RouteProof is Proof {
    VerifierRouter private _router;
    Chameleon private _verifier;

    function setUp() public {
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = keccak256("root");
        _router = new VerifierRouter(GOVERNOR, GUARDIAN, new ChangeLog(1), true, roots);
        _verifier = new Chameleon(ProofKind.OnChain, 0x01020304);
        svm.enableSymbolicStorage(address(_router));
    }

    function check_Route_MovesOneWay(address caller, bytes4 route) public {
        RouteStatus before = _router.statusOf(route);
        _anyCall(address(_router), caller);
        assert(_router.statusOf(route) >= before);
    }

    function check_Route_IsNeverPointedElsewhere(address caller, bytes4 route) public {
        RouteStatus before = _router.statusOf(route);
        IQuoteVerifier verifier = _router.verifierOf(route);
        ProofKind kind = _router.kindOf(route);
        _anyCall(address(_router), caller);
        if (before == RouteStatus.Unknown) return;
        assert(_router.verifierOf(route) == verifier);
        assert(_router.kindOf(route) == kind);
    }

    function check_Route_MovesForThoseWhoMay(address caller, bytes4 route) public {
        RouteStatus before = _router.statusOf(route);
        _anyCall(address(_router), caller);
        RouteStatus found = _router.statusOf(route);
        if (found == before) return;
        if (found == RouteStatus.Active) assert(caller == GOVERNOR);
        assert(caller == GOVERNOR || caller == GUARDIAN);
    }

    function check_TrustedRoots_AreForEver(address caller, bytes32 root) public {
        bool before = _router.isTrustedRoot(root);
        _anyCall(address(_router), caller);
        assert(_router.isTrustedRoot(root) == before);
    }
}

/// @notice Receipt verifiers: removed for ever, stopped for ever.
contract ReceiptProof is Proof {
    RiscZeroRouter private _router;
    RiscZeroEmergencyStop private _stop;

    function setUp() public {
        _router = new RiscZeroRouter(GOVERNOR, GUARDIAN, new ChangeLog(1));
        Chameleon verifier = new Chameleon(ProofKind.OnChain, 0x01020304);
        _stop = new RiscZeroEmergencyStop(
            IRiscZeroVerifier(address(verifier)), _router, GOVERNOR, GUARDIAN
        );
        svm.enableSymbolicStorage(address(_router));
        svm.enableSymbolicStorage(address(_stop));
    }

    function check_Selector_MovesOneWay(address caller, bytes4 selector) public {
        SelectorStatus before = _router.statusOf(selector);
        _anyCall(address(_router), caller);
        assert(_router.statusOf(selector) >= before);
    }

    function check_Selector_IsNeverPointedElsewhere(address caller, bytes4 selector) public {
        if (_router.statusOf(selector) != SelectorStatus.Active) return;
        IRiscZeroVerifier verifier = _router.getVerifier(selector);
        _anyCall(address(_router), caller);
        if (_router.statusOf(selector) != SelectorStatus.Active) return;
        assert(_router.getVerifier(selector) == verifier);
    }

    function check_Selector_MovesForThoseWhoMay(address caller, bytes4 selector) public {
        SelectorStatus before = _router.statusOf(selector);
        _anyCall(address(_router), caller);
        SelectorStatus found = _router.statusOf(selector);
        if (found == before) return;
        if (found == SelectorStatus.Active) assert(caller == GOVERNOR);
        assert(caller == GOVERNOR || caller == GUARDIAN);
    }

    function check_Stop_IsForEver(address caller) public {
        bool before = _stop.stopped();
        _anyCall(address(_stop), caller);
        if (before) assert(_stop.stopped());
    }
}
