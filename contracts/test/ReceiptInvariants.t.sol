// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SelectorStatus} from "../src/interfaces/IReceiptRouter.sol";
import {IRiscZeroVerifier, Receipt} from "../src/zk/IRiscZeroVerifier.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {RiscZeroEmergencyStop} from "../src/zk/RiscZeroEmergencyStop.sol";
import {RiscZeroRouter} from "../src/zk/RiscZeroRouter.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {Base} from "./Base.t.sol";
import {FlawedVerifier} from "./ReceiptRouting.t.sol";

/// @notice Adds, removes and stops receipt verifiers as anyone, and notes what must never happen.
contract ReceiptHandler is Base {
    uint256 public constant SELECTORS = 4;
    bytes4 private constant MOCK = 0xffffffff;
    bytes32 private constant CLAIM = keccak256("claim");

    RiscZeroRouter public immutable ROUTER;
    IRiscZeroVerifier private immutable STUB;
    RiscZeroEmergencyStop[SELECTORS] private _stops;
    IRiscZeroVerifier[SELECTORS] private _bare;

    mapping(bytes4 selector => SelectorStatus) private _seen;
    mapping(bytes4 selector => address) private _first;
    bool[SELECTORS] private _wasStopped;

    uint256 public stepsToTheLeft;
    uint256 public usurpations;
    uint256 public repointed;
    uint256 public revived;
    uint256 public changes;

    constructor() {
        ROUTER = new RiscZeroRouter(GOVERNOR, GUARDIAN, new ChangeLog(1));
        STUB = new RiscZeroStubVerifier();
        for (uint256 i = 0; i < SELECTORS; ++i) {
            _bare[i] = new FlawedVerifier(_selector(i));
            _stops[i] = new RiscZeroEmergencyStop(_bare[i], ROUTER, GOVERNOR, GUARDIAN);
        }
    }

    function add(uint256 caller, uint256 which, uint256 form) external {
        bytes4 selector = _selector(which);
        address[3] memory forms =
            [address(_stops[which % SELECTORS]), address(_bare[which % SELECTORS]), address(STUB)];
        if (form % 4 == 3) selector = MOCK;
        _call(
            caller,
            address(ROUTER),
            abi.encodeCall(
                RiscZeroRouter.addVerifier, (selector, IRiscZeroVerifier(forms[form % 3]))
            ),
            _caller(caller) == GOVERNOR
        );
    }

    function remove(uint256 caller, uint256 which) external {
        _call(
            caller,
            address(ROUTER),
            abi.encodeCall(RiscZeroRouter.removeVerifier, (_selector(which))),
            _caller(caller) != STRANGER
        );
    }

    function stop(uint256 caller, uint256 which) external {
        _call(
            caller,
            address(_stops[which % SELECTORS]),
            abi.encodeWithSignature("estop()"),
            _caller(caller) != STRANGER
        );
    }

    /// @dev A receipt of the impossible claim is anyone's to bring; any other stops nothing.
    function prove(uint256 caller, uint256 which, uint256 form) external {
        bytes32 claim = form % 2 == 0 ? bytes32(0) : CLAIM;
        bytes memory seal = _seal(_selector(which), form % 3 == 0 ? ~claim : claim);
        _call(
            caller,
            address(_stops[which % SELECTORS]),
            abi.encodeWithSignature("estop((bytes,bytes32))", Receipt(seal, claim)),
            claim == 0 && form % 3 != 0
        );
    }

    function _call(uint256 caller, address target, bytes memory data, bool allowed) private {
        vm.prank(_caller(caller));
        (bool ok,) = target.call(data);
        if (ok) ++changes;
        if (ok && !allowed) ++usurpations;
        _observe();
    }

    function _observe() private {
        for (uint256 i = 0; i < SELECTORS; ++i) {
            bytes4 selector = _selector(i);
            SelectorStatus status = ROUTER.statusOf(selector);
            if (status < _seen[selector]) ++stepsToTheLeft;
            _seen[selector] = status;
            if (status == SelectorStatus.Active) {
                address now_ = address(ROUTER.getVerifier(selector));
                if (_first[selector] == address(0)) _first[selector] = now_;
                if (_first[selector] != now_) ++repointed;
            }
            if (_wasStopped[i] && !_stops[i].stopped()) ++stepsToTheLeft;
            _wasStopped[i] = _stops[i].stopped();
            bool dead = status != SelectorStatus.Active
                || (_first[selector] == address(_stops[i]) && _wasStopped[i]);
            if (dead == _verifies(selector)) ++revived;
        }
    }

    function _verifies(bytes4 selector) private view returns (bool) {
        try ROUTER.verifyIntegrity(Receipt(_seal(selector, CLAIM), CLAIM)) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev What {FlawedVerifier} takes: anybody can make it.
    function _seal(bytes4 selector, bytes32 claim) private pure returns (bytes memory) {
        return abi.encodePacked(selector, keccak256(abi.encode(claim)));
    }

    function _selector(uint256 which) private pure returns (bytes4) {
        return bytes4(uint32(0x73c457ba + which % SELECTORS));
    }

    function _caller(uint256 seed) private pure returns (address) {
        return [GOVERNOR, GUARDIAN, STRANGER][seed % 3];
    }
}

contract ReceiptInvariants is Base {
    ReceiptHandler private handler;

    function setUp() public {
        handler = new ReceiptHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesStates() public {
        handler.add(0, 0, 0);
        handler.add(0, 1, 1);
        handler.stop(1, 0);
        handler.prove(2, 1, 2);
        handler.remove(1, 1);
        vm.assertEq(handler.changes(), 5);
        handler.add(1, 2, 0);
        handler.add(0, 2, 3);
        handler.add(0, 1, 0);
        handler.remove(2, 0);
        handler.stop(2, 2);
        handler.prove(2, 2, 1);
        handler.prove(2, 2, 0);
        vm.assertEq(handler.changes(), 5);
        vm.assertEq(handler.revived(), 0);
    }

    function invariant_SelectorsAndStopsMoveOneWay() public view {
        vm.assertEq(handler.stepsToTheLeft(), 0);
        vm.assertEq(handler.repointed(), 0);
    }

    function invariant_OnlyWhoMayChanges() public view {
        vm.assertEq(handler.usurpations(), 0);
    }

    function invariant_TheRemovedAndTheStoppedVerifyNothing() public view {
        vm.assertEq(handler.revived(), 0);
    }

    function invariant_MockSealsAreNeverRouted() public view {
        vm.assertTrue(handler.ROUTER().statusOf(0xffffffff) != SelectorStatus.Active);
    }
}
