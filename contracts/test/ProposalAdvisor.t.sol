// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProposalAdvisor} from "../src/examples/ProposalAdvisor.sol";
import {CallbackStatus, RequestParams} from "../src/interfaces/IRequestBook.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

contract ProposalAdvisorTest is OracleFixture {
    ProposalAdvisor private advisor;

    function setUp() public override {
        super.setUp();
        advisor = new ProposalAdvisor(oracle, APP, MODEL);
    }

    function test_Ask_SendsTheQuestionWithTheFee() public {
        vm.assertEq(advisor.ask{value: FEE}(string(INPUT)), _id(_expected(0)));
    }

    /// @dev Long answers cost a storage slot per 32 bytes; a kilobyte must fit.
    function testFuzz_Answer_IsKept(uint256 length) public {
        bytes memory output = new bytes(_bound(length, 0, 1024));
        advisor.ask{value: FEE}(string(INPUT));
        Request memory made = _expected(0);
        Result memory result = _result(made);
        (result.outputHash, result.decision) = (sha256(output), sha256(output));
        oracle.fulfill(made, result, output, _signed(result));
        vm.assertTrue(oracle.getResult(_id(made)).callback == CallbackStatus.Succeeded);
        vm.assertEq(advisor.lastAnswer(), output);
        vm.assertEq(advisor.answerTo(_id(made)), output);
    }

    function test_Silence_GivesTheFeeBack() public {
        advisor.ask{value: FEE}(string(INPUT));
        Request memory made = _expected(0);
        vm.warp(block.timestamp + 1 hours + 1);
        oracle.refund(made);
        vm.assertEq(oracle.creditOf(ETHER, address(this)), FEE);
    }

    /// @dev The advisor's request number `sequence`, made now.
    function _expected(uint64 sequence) private view returns (Request memory made) {
        RequestParams memory params = _params();
        params.callbackGasLimit = 1_000_000;
        params.payment.refundTo = address(this);
        made = _request(params, address(advisor));
        made.sequence = sequence;
    }
}
