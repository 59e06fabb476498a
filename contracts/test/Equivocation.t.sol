// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {Result} from "../src/types/Result.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice Two answers to one question end a worker, whoever shows them.
contract EquivocationTest is OracleFixture {
    function testFuzz_ReportEquivocation_RevokesWhoeverReports(address reporter) public {
        (Result memory one, Result memory other) = _pair();
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRevoked(worker, APP, reporter);
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(workers),
            bytes32(bytes20(worker)),
            reporter,
            IWorkerRegistry.reportEquivocation.selector,
            true,
            log.epoch()
        );
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerEquivocated(
            worker, one.requestId, one.outputHash, other.outputHash, reporter
        );
        bytes memory signature = _signed(one);
        bytes memory otherSignature = _signed(other);
        vm.prank(reporter);
        workers.reportEquivocation(address(oracle), one, signature, other, otherSignature);
        _expectInactive(IWorkerRegistry.WorkerIsRevoked.selector, APP);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerIsRevoked.selector, worker));
        workers.reportEquivocation(address(oracle), one, signature, other, otherSignature);
    }

    /// @dev Anyone may ask a worker anything: what differs in the question is no contradiction.
    function test_ReportEquivocation_RevertWhen_TheQuestionsDiffer() public {
        for (uint256 field = 0; field < 8; ++field) {
            (Result memory one, Result memory other) = _pair();
            if (field == 0) other.requestId = "another";
            if (field == 1) other.appId = "another";
            if (field == 2) other.modelId = "another";
            if (field == 3) other.weightsRoot = "another";
            if (field == 4) other.inputCommitment = "another";
            if (field == 5) other.keyEpoch = 1;
            if (field == 6) other.worker = STRANGER;
            if (field == 7) other.outputHash = one.outputHash;
            _expectRefusal(one, other, IWorkerRegistry.NoEquivocation.selector);
        }
    }

    function test_ReportEquivocation_RevertWhen_TheWorkerDidNotSignBoth() public {
        (Result memory one, Result memory other) = _pair();
        bytes memory signature = _signed(one);
        bytes memory genuine = _signed(other);
        bytes memory forged = _sign(0xbad, oracle.resultDigest(other));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotSignedBy.selector, worker));
        workers.reportEquivocation(address(oracle), one, signature, other, forged);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotSignedBy.selector, worker));
        workers.reportEquivocation(STRANGER, one, signature, other, genuine);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotSignedBy.selector, worker));
        workers.reportEquivocation(address(oracle), one, "", other, forged);
    }

    function test_ReportEquivocation_RevertGiven_TheWorkerIsUnknown() public {
        (Result memory one, Result memory other) = _pair();
        (one.worker, other.worker) = (vm.addr(0xbad), vm.addr(0xbad));
        bytes memory signature = _sign(0xbad, oracle.resultDigest(one));
        bytes memory otherSignature = _sign(0xbad, oracle.resultDigest(other));
        vm.expectPartialRevert(IWorkerRegistry.WorkerUnknown.selector);
        workers.reportEquivocation(address(oracle), one, signature, other, otherSignature);
    }

    /// @dev Whoever brings too little gas never hears that there was no contradiction.
    function test_ReportEquivocation_RevertGiven_TheGasRunsOutOverTheStatements() public {
        (Result memory one, Result memory other) = _pair();
        bytes memory data = abi.encodeCall(
            IWorkerRegistry.reportEquivocation,
            (address(oracle), one, _signed(one), other, _signed(other))
        );
        bytes32 unjudged =
            keccak256(abi.encodePacked(IWorkerRegistry.EquivocationNotJudged.selector));
        uint256 refused = 0;
        bool judged = false;
        for (uint256 given = 40_000; !judged; given += 1000) {
            bytes memory answer;
            (judged, answer) = address(workers).call{gas: given}(data);
            if (judged) break;
            vm.assertTrue(answer.length == 0 || keccak256(answer) == unjudged);
            ++refused;
        }
        vm.assertGt(refused, 0);
        _expectInactive(IWorkerRegistry.WorkerIsRevoked.selector, APP);
    }

    function _pair() private view returns (Result memory one, Result memory other) {
        one = _resultOf("request");
        other = _resultOf("request");
        (other.outputHash, other.nonce) = ("another", 2);
    }

    function _expectRefusal(Result memory one, Result memory other, bytes4 reason) private {
        bytes memory signature = _signed(one);
        bytes memory otherSignature = _signed(other);
        vm.expectRevert(reason);
        workers.reportEquivocation(address(oracle), one, signature, other, otherSignature);
    }
}
