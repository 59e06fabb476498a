// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Worker} from "../src/interfaces/IWorkerRegistry.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {Dates, OutageFixture} from "./OutageFixture.t.sol";

/// @notice Brings documents, registers, governs and waits in any order, and looks for workers that
/// live on without a signed date that lets them.
contract OutageHandler is OutageFixture {
    uint256 private constant WORKERS = 3;

    uint256 public stretched;
    uint256 public beyondTheCap;
    uint256 public againstNewer;
    uint256 public withoutADate;
    uint256 public disagreements;
    uint256 public wrongForecasts;

    constructor() {
        super.setUp();
        for (uint256 i = 0; i < WORKERS; ++i) {
            register(i, 0, 0);
        }
    }

    /// @dev The constructor set up everything.
    function setUp() public pure override {}

    /// @dev By collateral in force, or some that is a little older, or ends a little earlier.
    function register(uint256 who, uint32 older, uint32 earlier) public {
        _nextBlock();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _sound(_key(who), binding);
        verdict.platformId = keccak256(abi.encode(who % WORKERS));
        if (older % 3 == 1) verdict.validFrom -= older % 5 days;
        if (earlier % 3 == 1) verdict.validUntil -= earlier % 2 days;
        bytes memory journal = abi.encode(verdict);
        try workers.register(COMMITTEE, journal, _proof(journal), binding) {} catch {}
        _look();
    }

    /// @dev The vendor signs a newer document, and somebody brings it.
    function bring(uint256 document, uint32 life) public {
        (uint64 start, uint64 end) =
            (uint64(block.timestamp) - 1, uint64(block.timestamp) + 1 days + life % 29 days);
        dates.put(document % dates.DOCUMENTS(), start, end);
        _renewWindow();
        _look();
    }

    /// @dev Whatever governor, guardian, operator or worker say.
    function say(uint256 who, uint256 what, bytes32 word) external {
        address speaker = [GOVERNOR, GUARDIAN, OPERATOR, _key(what)][who % 4];
        bool[WORKERS] memory before = _alive();
        vm.startPrank(speaker);
        if (what % 6 == 0) try policy.bar(APP, word) {} catch {}
        if (what % 6 == 1) try policy.lift(APP, word) {} catch {}
        if (what % 6 == 2) try policy.publish(APP, 2, _policy(), true) returns (uint64) {} catch {}
        if (what % 6 == 3) try workers.refresh(_key(uint256(word))) returns (uint64) {} catch {}
        if (what % 6 == 4) try workers.corroborated(_key(uint256(word))) {} catch {}
        if (what % 6 == 5) try measurements.admit(APP, word, _manifest()) {} catch {}
        vm.stopPrank();
        bool[WORKERS] memory afterwards = _alive();
        for (uint256 i = 0; i < WORKERS; ++i) {
            bool over = workers.workerOf(_key(i)).validUntil < block.timestamp;
            if (over && afterwards[i] && !before[i]) ++withoutADate;
        }
        _look();
    }

    function wait(uint32 time) public {
        uint64 at = uint64(block.timestamp) + time % 4 days;
        bool[WORKERS] memory foretold;
        for (uint256 i = 0; i < WORKERS; ++i) {
            (foretold[i],,) = workers.activeAt(_key(i), APP, at);
        }
        vm.warp(at);
        bool[WORKERS] memory found = _alive();
        for (uint256 i = 0; i < WORKERS; ++i) {
            if (foretold[i] != found[i]) ++wrongForecasts;
        }
        _look();
    }

    /// @dev What verifiers go by from now on: the newest issue and the earliest end.
    function _renewWindow() private {
        (issued, ends) = (0, type(uint64).max);
        for (uint256 i = 0; i < dates.DOCUMENTS(); ++i) {
            (uint64 start, uint64 end) = dates.windowOf(i);
            if (start > issued) issued = start;
            if (end < ends) ends = end;
        }
    }

    function _look() private {
        for (uint256 i = 0; i < WORKERS; ++i) {
            (bool ok, bytes4 reason, uint64 until) = workers.checkActive(_key(i), APP);
            try workers.requireActive(_key(i), APP) {
                if (!ok) ++disagreements;
            } catch (bytes memory failure) {
                if (ok || bytes4(failure) != reason) ++disagreements;
            }
            if (!ok) continue;
            Worker memory shown = workers.workerOf(_key(i));
            if (until > shown.validUntil + STRETCH) ++beyondTheCap;
            if (shown.validUntil >= block.timestamp) continue;
            ++stretched;
            if (block.timestamp > shown.validUntil + STRETCH) ++beyondTheCap;
            _lookForDates(shown);
        }
    }

    function _lookForDates(Worker memory shown) private {
        bool ended;
        for (uint256 i = 0; i < dates.DOCUMENTS(); ++i) {
            (uint64 start, uint64 end) = dates.windowOf(i);
            if (start > shown.collateralFrom) ++againstNewer;
            if (end == shown.validUntil) ended = true;
        }
        if (!ended) ++withoutADate;
    }

    function _alive() private view returns (bool[WORKERS] memory active) {
        for (uint256 i = 0; i < WORKERS; ++i) {
            (active[i],,) = workers.checkActive(_key(i), APP);
        }
    }

    function _key(uint256 who) private pure returns (address) {
        return address(uint160(0xbeef + who % WORKERS));
    }
}

/// forge-config: default.invariant.runs = 32
contract OutageInvariants is OutageFixture {
    OutageHandler private handler;

    function setUp() public override {
        handler = new OutageHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that never sees an outage, too.
    function test_TheHandlerSeesOutages() public {
        handler.wait(3 days);
        handler.wait(3 days);
        vm.assertEq(handler.stretched(), 3);
        handler.say(0, 3, 0);
        vm.assertEq(handler.stretched(), 6);
        handler.bring(0, 5 days);
        vm.assertEq(handler.stretched(), 6);
    }

    function invariant_NeverBeyondTheCap() public view {
        vm.assertEq(handler.beyondTheCap(), 0);
    }

    function invariant_NeverWhereNewerCollateralExists() public view {
        vm.assertEq(handler.againstNewer(), 0);
    }

    function invariant_NeverByAnybodysWord() public view {
        vm.assertEq(handler.withoutADate(), 0);
    }

    function invariant_BothTwinsSayTheSameAndWhatWasForetoldComes() public view {
        vm.assertEq(handler.disagreements(), 0);
        vm.assertEq(handler.wrongForecasts(), 0);
    }
}
