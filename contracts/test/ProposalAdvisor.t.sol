// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProposalAdvisor} from "../src/examples/ProposalAdvisor.sol";
import {CallbackStatus, Request} from "../src/interfaces/IResultOracle.sol";
import {Result} from "../src/types/Result.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

contract ProposalAdvisorTest is OracleFixture {
    ProposalAdvisor private advisor;

    function setUp() public override {
        super.setUp();
        advisor = new ProposalAdvisor(oracle, APP, MODEL);
    }

    function test_Ask_SendsTheQuestionWithTheFee() public {
        Request memory made = oracle.getRequest(_question());
        vm.assertEq(made.requester, address(advisor));
        vm.assertEq(made.refundTo, address(this));
        vm.assertEq(made.fee, FEE);
        vm.assertEq(made.inputCommitment, sha256(INPUT));
    }

    /// @dev Long answers cost a storage slot per 32 bytes; a kilobyte must fit.
    function testFuzz_Answer_IsKept(uint256 length) public {
        bytes memory output = new bytes(_bound(length, 0, 1024));
        bytes32 requestId = _question();
        Result memory result = _result(requestId);
        result.outputHash = sha256(output);
        oracle.fulfill(result, output, _signed(result));
        vm.assertTrue(oracle.getResult(requestId).callback == CallbackStatus.Succeeded);
        vm.assertEq(advisor.lastAnswer(), output);
        vm.assertEq(advisor.answerTo(requestId), output);
    }

    function test_Silence_GivesTheFeeBack() public {
        bytes32 requestId = _question();
        vm.warp(block.timestamp + 1 hours + 1);
        oracle.expire(requestId);
        vm.assertEq(oracle.creditOf(address(this)), FEE);
    }

    function _question() private returns (bytes32) {
        return advisor.ask{value: FEE}(string(INPUT));
    }
}
