// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Manifest, MeasurementStatus} from "../src/interfaces/IMeasurementRegistry.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {Request, RequestParams, RequestStatus} from "../src/interfaces/IResultOracle.sol";
import {RouteStatus} from "../src/interfaces/IVerifierRouter.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Result} from "../src/types/Result.sol";
import {VerifierRouter} from "../src/verify/VerifierRouter.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {StubQuoteVerifier} from "../src/zk/StubQuoteVerifier.sol";
import {MoodyConsumer, Mood} from "./Consumers.t.sol";
import {Base} from "./Base.t.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice Calls the governed contracts as anyone, and notes every step to the left.
contract GovernanceHandler is Base {
    bytes32 public constant APP = keccak256("app");
    uint256 public constant IDS = 4;

    MeasurementRegistry private immutable REGISTRY;
    VerifierRouter private immutable ROUTER;
    IQuoteVerifier[2] private _verifiers;

    mapping(uint256 id => MeasurementStatus) private _measurementSeen;
    mapping(uint256 id => RouteStatus) private _routeSeen;

    uint256 public stepsToTheLeft;
    uint256 public usurpations;
    uint256 public changes;

    constructor(
        MeasurementRegistry registry,
        VerifierRouter router,
        IQuoteVerifier genuine,
        IQuoteVerifier stub
    ) {
        REGISTRY = registry;
        ROUTER = router;
        _verifiers = [genuine, stub];
    }

    function admit(uint256 caller, uint256 id) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try REGISTRY.admit(APP, bytes32(id + 1), Manifest("commit", "digest", "uri")) {
            if (_caller(caller) != GOVERNOR) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function ruleOut(uint256 caller, uint256 id, bool inAdvance) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        (bool ok,) = address(REGISTRY)
            .call(
                inAdvance
                    ? abi.encodeCall(MeasurementRegistry.ban, (APP, bytes32(id + 1)))
                    : abi.encodeCall(MeasurementRegistry.revoke, (APP, bytes32(id + 1)))
            );
        if (ok) {
            if (_caller(caller) == STRANGER) ++usurpations;
            ++changes;
        }
        _observe(id);
    }

    function addRoute(uint256 caller, uint256 id, uint256 verifier) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try ROUTER.addRoute(_route(id), _verifiers[verifier % 2]) {
            if (_caller(caller) != GOVERNOR) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function freeze(uint256 caller, uint256 id) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try ROUTER.freeze(_route(id)) {
            if (_caller(caller) == STRANGER) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function kindOf(uint256 id) external view returns (ProofKind) {
        return ROUTER.kindOf(_route(id));
    }

    function _observe(uint256 id) private {
        MeasurementStatus measurement = REGISTRY.statusOf(APP, bytes32(id + 1));
        RouteStatus route = ROUTER.statusOf(_route(id));
        if (measurement < _measurementSeen[id] || route < _routeSeen[id]) ++stepsToTheLeft;
        _measurementSeen[id] = measurement;
        _routeSeen[id] = route;
    }

    function _route(uint256 id) private pure returns (bytes4) {
        return bytes4(uint32(id + 1));
    }

    function _caller(uint256 seed) private pure returns (address) {
        return [GOVERNOR, GUARDIAN, STRANGER][seed % 3];
    }
}

/// @notice Asks, answers, lets expire and withdraws in any order, with consumers in any mood.
contract EscrowHandler is OracleFixture {
    bytes32[] public requests;
    uint256 public paidIn;
    uint256 public paidOut;

    constructor() {
        super.setUp();
    }

    /// @dev The constructor set up everything.
    function setUp() public pure override {}

    function theOracle() external view returns (ResultOracle) {
        return oracle;
    }

    function ask(uint96 fee, uint8 mood, bool callback, bool refundStranger) external {
        fee = fee % 1 ether;
        RequestParams memory params = _params();
        if (!callback) params.callbackGasLimit = 0;
        if (refundStranger) params.refundTo = STRANGER;
        consumer.setMood(Mood(mood % (uint8(type(Mood).max) + 1)));
        vm.deal(address(this), fee);
        requests.push(consumer.ask{value: fee}(params));
        paidIn += fee;
    }

    function answer(uint256 which, uint256 nonce) external {
        if (requests.length == 0) return;
        Result memory result = _result(requests[which % requests.length]);
        result.nonce = nonce;
        bytes memory signature = _signed(result);
        consumer.setReplay(result, signature);
        try oracle.fulfill(result, OUTPUT, signature) {} catch {}
    }

    function retry(uint256 which) external {
        if (requests.length == 0) return;
        consumer.setMood(Mood.Calm);
        try consumer.retry(requests[which % requests.length], OUTPUT) {} catch {}
    }

    function expire(uint256 which) external {
        if (requests.length == 0) return;
        try oracle.expire(requests[which % requests.length]) {} catch {}
    }

    function wait(uint16 time) external {
        vm.warp(block.timestamp + time % 30 minutes);
    }

    function withdraw(uint256 who) external {
        address account = [OPERATOR, STRANGER][who % 2];
        uint256 credit = oracle.creditOf(account);
        vm.prank(account);
        try oracle.withdraw(payable(address(0xfee))) {
            paidOut += credit;
        } catch {}
    }

    /// @dev What the oracle owes, summed over everyone there is.
    function owed() external view returns (uint256 sum) {
        sum = oracle.creditOf(OPERATOR) + oracle.creditOf(STRANGER)
            + oracle.creditOf(address(consumer));
        for (uint256 i = 0; i < requests.length; ++i) {
            Request memory made = oracle.getRequest(requests[i]);
            if (made.status == RequestStatus.Pending) sum += made.fee;
        }
    }
}

contract GovernanceInvariants is OracleFixture {
    GovernanceHandler private handler;

    function setUp() public override {
        super.setUp();
        handler = new GovernanceHandler(
            measurements,
            router,
            committee,
            new StubQuoteVerifier(new RiscZeroStubVerifier(), "image", MAX_AGE)
        );
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesStates() public {
        handler.admit(0, 0);
        handler.ruleOut(1, 0, false);
        handler.ruleOut(1, 1, true);
        handler.addRoute(0, 0, 0);
        handler.freeze(1, 0);
        vm.assertEq(handler.changes(), 5);
        handler.addRoute(0, 1, 1);
        handler.admit(1, 2);
        handler.freeze(2, 2);
        vm.assertEq(handler.changes(), 5);
    }

    function invariant_StatesMoveOneWay() public view {
        vm.assertEq(handler.stepsToTheLeft(), 0);
    }

    function invariant_NobodyUsurps() public view {
        vm.assertEq(handler.usurpations(), 0);
    }

    function invariant_StubsStayOut() public view {
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            vm.assertTrue(handler.kindOf(id) != ProofKind.Stub);
        }
    }
}

contract EscrowInvariants is Base {
    EscrowHandler private handler;

    function setUp() public {
        handler = new EscrowHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesMoney() public {
        ResultOracle oracle = handler.theOracle();
        handler.ask(10, 0, true, false);
        handler.answer(0, 1);
        handler.ask(20, 1, true, true);
        for (uint256 i = 0; i < 3; ++i) {
            handler.wait(29 minutes);
        }
        handler.expire(1);
        vm.assertEq(oracle.creditOf(address(0x0930)), 10);
        vm.assertEq(oracle.creditOf(STRANGER), 20);
        handler.withdraw(1);
        vm.assertEq(handler.paidOut(), 20);
        vm.assertEq(handler.owed(), 10);
    }

    function invariant_TheOracleHoldsWhatItOwes() public view {
        vm.assertEq(address(handler.theOracle()).balance, handler.owed());
    }

    function invariant_EveryFeeEndsOnce() public view {
        vm.assertEq(handler.paidIn(), handler.paidOut() + handler.owed());
    }
}
