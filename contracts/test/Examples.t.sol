// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EightBall} from "../src/examples/EightBall.sol";
import {WorkersOnly} from "../src/examples/WorkersOnly.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {Request} from "../src/types/Request.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice The smallest dApps do what they say.
contract ExamplesTest is OracleFixture {
    function test_EightBall_KeepsTheAnswer() public {
        EightBall ball = new EightBall(oracle);
        RequestParams memory params = _params();
        params.callbackGasLimit = 200_000;
        params.payment.refundTo = address(this);
        Request memory made = _request(params, address(ball));
        ball.ask{value: FEE}(APP, MODEL, INPUT);
        _fulfill(made);
        vm.assertEq(ball.answer(), OUTPUT);
    }

    function testFuzz_WorkersOnly_LetsNobodyElseWrite(address caller) public {
        WorkersOnly board = new WorkersOnly(workers, APP);
        vm.assume(caller != worker);
        vm.expectPartialRevert(IWorkerRegistry.WorkerUnknown.selector);
        vm.prank(caller);
        board.write("a note");
        vm.expectEmit(true, true, true, true, address(board));
        emit WorkersOnly.Written(worker, "a note");
        vm.prank(worker);
        board.write("a note");
    }
}
