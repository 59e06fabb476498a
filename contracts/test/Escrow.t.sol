// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {IEscrow, QuotaTerms, TokenTerms} from "../src/interfaces/IEscrow.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice A token that takes a part of every transfer, or calls the oracle back, on demand.
contract OddToken is ERC20 {
    uint256 public tax;
    address public reentered;

    constructor(address holder) ERC20("Odd", "ODD") {
        _mint(holder, 1e30);
    }

    function setTax(uint256 value) external {
        tax = value;
    }

    function setReentered(address target) external {
        reentered = target;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from == address(0)) return;
        if (tax != 0) super._update(to, address(0xdead), tax);
        if (reentered != address(0)) {
            IEscrow(reentered).withdraw(address(this), payable(address(this)));
        }
    }
}

/// @notice What requests put up, in what, how often, and where it goes.
contract EscrowTest is OracleFixture {
    uint96 private constant LEAST = 1000;

    OddToken private token;

    function _tokens() internal override returns (TokenTerms[] memory tokens) {
        token = new OddToken(address(this));
        tokens = new TokenTerms[](2);
        tokens[0] = TokenTerms(ETHER, 1 gwei);
        tokens[1] = TokenTerms(address(token), LEAST);
    }

    function _quotas() internal pure override returns (QuotaTerms memory) {
        return QuotaTerms(3, 3600, 5, 7200);
    }

    /* TOKENS */

    function test_Request_TakesATokenAndPaysInIt() public {
        Request memory made = _askInToken(LEAST);
        vm.assertEq(token.balanceOf(address(oracle)), LEAST);
        Result memory result = _result(made);
        oracle.fulfill(made, result, OUTPUT, _signed(result));
        vm.assertEq(oracle.creditOf(address(token), OPERATOR), LEAST);
        vm.prank(OPERATOR);
        oracle.withdraw(address(token), payable(STRANGER));
        vm.assertEq(token.balanceOf(STRANGER), LEAST);
        vm.assertEq(token.balanceOf(address(oracle)), 0);
    }

    function test_Request_RevertWhen_TheTokenTakesAFeeOfItsOwn() public {
        token.setTax(1);
        RequestParams memory params = _inToken(LEAST);
        token.approve(address(oracle), LEAST);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TokenTakesFees.selector, LEAST - 1, LEAST));
        oracle.request(params);
    }

    function test_Request_RevertWhen_TheTokenReenters() public {
        token.setReentered(address(oracle));
        RequestParams memory params = _inToken(LEAST);
        token.approve(address(oracle), LEAST);
        vm.expectPartialRevert(bytes4(keccak256("ReentrancyGuardReentrantCall()")));
        oracle.request(params);
    }

    function test_Request_RevertWhen_TheTokenIsNotAccepted() public {
        RequestParams memory params = _inToken(LEAST);
        params.payment.token = STRANGER;
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TokenNotAccepted.selector, STRANGER));
        oracle.request(params);
        (bool accepted,) = oracle.minFeeOf(STRANGER);
        vm.assertFalse(accepted);
    }

    function test_Request_RevertWhen_TheFeeIsTooSmall() public {
        RequestParams memory params = _inToken(LEAST - 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.FeeTooSmall.selector, LEAST - 1, LEAST));
        oracle.request(params);
    }

    function testFuzz_Request_RevertWhen_TheValueIsAnother(uint96 value) public {
        vm.deal(address(this), value);
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        if (value == FEE) ++params.payment.maxFee;
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.WrongValue.selector, value, params.payment.maxFee)
        );
        oracle.request{value: value}(params);
        params = _inToken(LEAST);
        if (value == 0) return;
        vm.expectRevert(abi.encodeWithSelector(IEscrow.WrongValue.selector, value, 0));
        oracle.request{value: value}(params);
    }

    /* USE */

    /// @dev An answer costs what it used, at most what was put up; the rest goes back.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_Fulfill_PaysByUse(uint96 base, uint96 unit, uint64 units) public {
        RequestParams memory params = _params();
        (params.payment.baseFee, params.payment.unitFee) = (base, unit);
        params.payment.refundTo = STRANGER;
        Request memory made = _ask(params);
        Result memory result = _result(made);
        result.units = units;
        oracle.fulfill(made, result, OUTPUT, _signed(result));
        uint256 cost = uint256(base) + uint256(unit) * units;
        if ((base == 0 && unit == 0) || cost > FEE) cost = FEE;
        vm.assertEq(oracle.creditOf(ETHER, OPERATOR), cost);
        vm.assertEq(oracle.creditOf(ETHER, STRANGER), FEE - cost);
    }

    /* QUOTAS */

    function test_Request_RevertWhen_TheAccountAsksTooOften() public {
        for (uint256 i = 0; i < 3; ++i) {
            _ask();
        }
        bytes32 subject = bytes32(uint256(uint160(address(consumer))));
        _expectRefused(subject, block.timestamp + 1);
        // One a second comes back.
        vm.warp(block.timestamp + 1);
        _ask();
        _expectRefused(subject, block.timestamp + 1);
    }

    /// @dev However many accounts ask, the app is asked only so often.
    function test_Request_RevertWhen_TheAppIsAskedTooOften() public {
        for (uint160 i = 1; i <= 5; ++i) {
            _askAs(address(i));
        }
        vm.deal(STRANGER, FEE);
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.QuotaExceeded.selector, APP, block.timestamp + 1)
        );
        vm.prank(STRANGER);
        oracle.request{value: FEE}(params);
        // Another app has its own.
        params.appId = "another app";
        vm.prank(STRANGER);
        oracle.request{value: FEE}(params);
    }

    /// @dev An account that spends all it may leaves the others what is theirs.
    /// forge-config: default.fuzz.runs = 32
    function testFuzz_Quota_IsTheAccountsOwn(uint8 tries) public {
        for (uint256 i = 0; i < tries; ++i) {
            try consumer.ask{value: FEE}(_params()) {} catch {}
        }
        vm.assertTrue(oracle.sequenceOf(address(consumer)) <= 3);
        _askAs(STRANGER);
        vm.assertEq(oracle.sequenceOf(STRANGER), 1);
    }

    function test_Constructor_RevertWhen_AQuotaLetsNothingThrough() public {
        TokenTerms[] memory none = new TokenTerms[](0);
        for (uint256 i = 0; i < 4; ++i) {
            QuotaTerms memory terms = _quotas();
            if (i == 0) terms.accountBurst = 0;
            if (i == 1) terms.accountPerHour = 0;
            if (i == 2) terms.appBurst = 0;
            if (i == 3) terms.appPerHour = 0;
            vm.expectRevert(IEscrow.QuotaMissing.selector);
            new ResultOracle(workers, models, terms, none);
        }
    }

    /* PARTS */

    function _inToken(uint96 amount) private view returns (RequestParams memory params) {
        params = _params();
        params.callbackGasLimit = 0;
        (params.payment.token, params.payment.maxFee) = (address(token), amount);
    }

    function _askInToken(uint96 amount) private returns (Request memory made) {
        RequestParams memory params = _inToken(amount);
        made = _request(params, address(this));
        token.approve(address(oracle), amount);
        vm.assertEq(oracle.request(params), _id(made));
    }

    function _askAs(address account) private {
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        vm.deal(account, FEE);
        vm.prank(account);
        oracle.request{value: FEE}(params);
    }

    function _expectRefused(bytes32 subject, uint256 retryAt) private {
        RequestParams memory params = _params();
        vm.expectRevert(abi.encodeWithSelector(IEscrow.QuotaExceeded.selector, subject, retryAt));
        consumer.ask{value: FEE}(params);
    }
}
