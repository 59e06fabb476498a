// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Exchange, IGatewayAdapter} from "../src/interfaces/IGatewayAdapter.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {GatewayAdapter} from "../src/oracle/GatewayAdapter.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice Answers of first-generation gateways, by what they sign.
contract GatewayAdapterTest is Deployment {
    /// @dev sha256 of "abc" and of the empty string (FIPS 180-4, examples).
    bytes32 private constant REQUEST =
        0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad;
    bytes32 private constant RESPONSE =
        0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;
    /// @dev Written out, so that a mistake in the text's form is not made twice.
    string private constant SIGNED =
        "\x19Ethereum Signed Message:\n129ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    GatewayAdapter private adapter;

    function setUp() public override {
        super.setUp();
        _activate();
        adapter = new GatewayAdapter(workers);
    }

    function testFuzz_Record_TakesAnExchangeWhoeverSends(address sender) public {
        vm.expectEmit(true, true, true, true, address(adapter));
        emit IGatewayAdapter.ExchangeRecorded(APP, REQUEST, RESPONSE, worker, ProofKind.Committee);
        vm.prank(sender);
        adapter.record(APP, REQUEST, RESPONSE, worker, _signature(WORKER_KEY));
        Exchange memory kept = adapter.exchangeOf(APP, REQUEST, RESPONSE);
        vm.assertEq(kept.gateway, worker);
        vm.assertEq(kept.recordedAt, block.timestamp);
        vm.expectPartialRevert(IGatewayAdapter.AlreadyRecorded.selector);
        adapter.record(APP, REQUEST, RESPONSE, worker, _signature(WORKER_KEY));
    }

    function test_Record_RevertWhen_TheSignatureIsNotTheGateways() public {
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        adapter.record(APP, REQUEST, RESPONSE, worker, _signature(0xbad));
        // Request and response are not interchangeable.
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        adapter.record(APP, RESPONSE, REQUEST, worker, _signature(WORKER_KEY));
        vm.expectRevert(IResultOracle.InvalidSignature.selector);
        adapter.record(APP, REQUEST, RESPONSE, worker, "");
    }

    function test_Record_RevertGiven_TheGatewayIsNoActiveWorkerOfTheApp() public {
        address stranger = vm.addr(0xbad);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, stranger));
        adapter.record(APP, REQUEST, RESPONSE, stranger, _signature(0xbad));
        vm.expectPartialRevert(IWorkerRegistry.WrongWorkerApp.selector);
        adapter.record("another app", REQUEST, RESPONSE, worker, _signature(WORKER_KEY));
    }

    function test_SupportsInterface_NamesItsInterface() public view {
        vm.assertTrue(adapter.supportsInterface(type(IGatewayAdapter).interfaceId));
        vm.assertFalse(adapter.supportsInterface(0xffffffff));
    }

    function test_ExchangeOf_RevertGiven_NothingWasRecorded() public {
        vm.expectPartialRevert(IGatewayAdapter.NotRecorded.selector);
        adapter.exchangeOf(APP, REQUEST, RESPONSE);
    }

    function test_Constructor_RevertWhen_TheRegistryIsMissing() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new GatewayAdapter(IWorkerRegistry(address(0)));
    }

    function _signature(uint256 key) private pure returns (bytes memory) {
        return _sign(key, keccak256(bytes(SIGNED)));
    }
}
