// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DerElement} from "../../src/dcap/DerElement.sol";
import {IdentityMatch} from "../../src/dcap/IdentityMatch.sol";
import {LevelSearch} from "../../src/dcap/LevelSearch.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {StandingMatch} from "../../src/dcap/StandingMatch.sol";
import {TextLib} from "../../src/dcap/TextLib.sol";
import {MeasurementStatus} from "../../src/interfaces/IMeasurementRegistry.sol";
import {ModelStatus} from "../../src/interfaces/IModelRegistry.sol";
import {SelectorStatus} from "../../src/interfaces/IReceiptRouter.sol";
import {RouteStatus} from "../../src/interfaces/IVerifierRouter.sol";
import {ChangeLog} from "../../src/registry/ChangeLog.sol";
import {MeasurementRegistry} from "../../src/registry/MeasurementRegistry.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {TcbPolicy} from "../../src/registry/TcbPolicy.sol";
import {ProofKind} from "../../src/types/ProofKind.sol";
import {VerifierRouter} from "../../src/verify/VerifierRouter.sol";
import {IRiscZeroVerifier} from "../../src/zk/IRiscZeroVerifier.sol";
import {RiscZeroEmergencyStop} from "../../src/zk/RiscZeroEmergencyStop.sol";
import {RiscZeroRouter} from "../../src/zk/RiscZeroRouter.sol";
import {Proof} from "./Proof.sol";
import {Chameleon} from "./Routes.t.sol";

/// @notice What the proofs forbid to others does happen: every claim here is false, and Halmos must say
/// so, else the proofs would hold of nothing.
contract ReachProof is Proof {
    MeasurementRegistry private _registry;
    VerifierRouter private _router;
    RiscZeroRouter private _receipts;
    RiscZeroEmergencyStop private _stop;
    TcbPolicy private _policy;
    ModelRegistry private _models;

    function setUp() public {
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = keccak256("root");
        ChangeLog log = new ChangeLog(5);
        _registry = new MeasurementRegistry(GOVERNOR, GUARDIAN, log);
        _router = new VerifierRouter(GOVERNOR, GUARDIAN, log, true, roots);
        _policy = new TcbPolicy(GOVERNOR, GUARDIAN, log, 2);
        _receipts = new RiscZeroRouter(GOVERNOR, GUARDIAN, log);
        _models = new ModelRegistry(GOVERNOR, GUARDIAN, log);
        Chameleon verifier = new Chameleon(ProofKind.OnChain, 0x01020304);
        _stop = new RiscZeroEmergencyStop(
            IRiscZeroVerifier(address(verifier)), _receipts, GOVERNOR, GUARDIAN
        );
        svm.enableSymbolicStorage(address(_registry));
        svm.enableSymbolicStorage(address(_models));
        svm.enableSymbolicStorage(address(_router));
        svm.enableSymbolicStorage(address(_policy));
        svm.enableSymbolicStorage(address(_receipts));
        svm.enableSymbolicStorage(address(_stop));
    }

    /* STATES */

    function check_Governor_NeverAdmits(bytes32 appId, bytes32 id) public {
        vm.assume(_registry.statusOf(appId, id) == MeasurementStatus.Unknown);
        _anyCall(address(_registry), GOVERNOR);
        assert(_registry.statusOf(appId, id) != MeasurementStatus.Admitted);
    }

    function check_Guardian_NeverRevokes(bytes32 appId, bytes32 id) public {
        vm.assume(_registry.statusOf(appId, id) == MeasurementStatus.Admitted);
        _anyCall(address(_registry), GUARDIAN);
        assert(_registry.statusOf(appId, id) != MeasurementStatus.Revoked);
    }

    function check_Guardian_NeverRevokesAModel(bytes32 id) public {
        vm.assume(_models.statusOf(id) == ModelStatus.Admitted);
        _anyCall(address(_models), GUARDIAN);
        assert(_models.statusOf(id) != ModelStatus.Revoked);
    }

    function check_Governor_NeverAddsARoute(bytes4 route) public {
        vm.assume(_router.statusOf(route) == RouteStatus.Unknown);
        _anyCall(address(_router), GOVERNOR);
        assert(_router.statusOf(route) != RouteStatus.Active);
    }

    function check_Guardian_NeverFreezes(bytes4 route) public {
        vm.assume(_router.statusOf(route) == RouteStatus.Active);
        _anyCall(address(_router), GUARDIAN);
        assert(_router.statusOf(route) != RouteStatus.Frozen);
    }

    function check_Governor_NeverAddsASelector(bytes4 selector) public {
        vm.assume(_receipts.statusOf(selector) == SelectorStatus.Unknown);
        _anyCall(address(_receipts), GOVERNOR);
        assert(_receipts.statusOf(selector) != SelectorStatus.Active);
    }

    function check_Guardian_NeverRemovesASelector(bytes4 selector) public {
        vm.assume(_receipts.statusOf(selector) == SelectorStatus.Active);
        _anyCall(address(_receipts), GUARDIAN);
        assert(_receipts.statusOf(selector) != SelectorStatus.Removed);
    }

    function check_Guardian_NeverStops() public {
        vm.assume(!_stop.stopped());
        _anyCall(address(_stop), GUARDIAN);
        assert(!_stop.stopped());
    }

    function check_Guardian_NeverBars(bytes32 appId, bytes32 subject) public {
        vm.assume(!_policy.isBarred(appId, subject));
        _anyCall(address(_policy), GUARDIAN);
        assert(!_policy.isBarred(appId, subject));
    }

    /* LIBRARIES */

    function check_Element_IsNeverLong(bytes32 head) public pure {
        uint256 p = Mem.at(abi.encode(head));
        (, uint256 limit) = DerElement.read(p, p + (1 << 24), 0x30);
        assert(limit < p + (1 << 16));
    }

    function check_Standing_NeverHolds(bytes32[4] memory set, bytes32[4] memory record)
        public
        pure
    {
        (bool fine,) = StandingMatch.holds(
            Mem.at(abi.encode(set)), Mem.at(abi.encode(record)), 1, 1_700_000_000
        );
        assert(!fine);
    }

    function check_Enclave_NeverFits(bytes32[4] memory qe, bytes32[3] memory report) public pure {
        assert(!IdentityMatch.enclave(Mem.at(abi.encode(qe)), Mem.at(abi.encode(report))));
    }

    function check_Module_NeverFits(bytes32[3] memory identity, bytes32[5] memory body)
        public
        pure
    {
        assert(!IdentityMatch.module(Mem.at(abi.encode(identity)), Mem.at(abi.encode(body))));
    }

    function check_Level_IsNeverReached(uint256 have, uint256 pceSvn, bytes32 level) public pure {
        uint256 p = Mem.at(abi.encode(level, level));
        assert(LevelSearch.platform(p, p + 34, 34, have, type(uint256).max, pceSvn) == 0);
    }

    function check_Hex_IsNeverSound(uint256 digits) public pure {
        (, bool valid) = TextLib.hexPiece(digits);
        assert(!valid);
    }
}
