// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CommitteeVerifier} from "../src/committee/CommitteeVerifier.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {Policy} from "../src/interfaces/ITcbPolicy.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {Mood} from "./Consumers.t.sol";
import {VerifierOfKind} from "./KindsFixture.t.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice What the entry points cost: snapshots/Gas.json, which forge compares at every run.
/// @dev After a change that is meant: `FORGE_SNAPSHOT_CHECK=false toolchain/forge test --root
/// contracts --match-contract GasTest`.
contract GasTest is RoundFixture {
    /// @dev The most a transaction may use (EIP-7825).
    uint256 private constant TRANSACTION_CAP = 1 << 24;

    function test_Admit() public {
        vm.prank(GOVERNOR);
        measurements.admit(APP, "measurement", _manifest());
        _snapshot("admit");
    }

    function test_Register() public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(STRANGER, binding);
        verdict.platformId = keccak256("another platform");
        _register(verdict, binding);
        _snapshot("register, 2 committee signatures");
    }

    function test_Renew() public {
        WorkerBinding memory binding = _binding();
        binding.encryptionKey = keccak256("a new key");
        _register(_boundVerdict(worker, binding), binding);
        _snapshot("renew, 2 committee signatures");
    }

    function test_RequireActive() public {
        workers.requireActive(worker, APP);
        _snapshot("requireActive");
    }

    function test_RequireActive_FoundAnew() public {
        vm.prank(GUARDIAN);
        policy.bar(APP, "something else");
        workers.requireActive(worker, APP);
        _snapshot("requireActive, found anew");
    }

    function test_RegisterByThree() public {
        committee = new CommitteeVerifier(_members(), 3, MAX_AGE);
        Verdict memory verdict = _verdict();
        _measure(verdict);
        vm.startPrank(GOVERNOR);
        router.addRoute("Thre", committee);
        measurements.admit(APP, verdict.measurementId, _manifest());
        vm.stopPrank();
        _registerByThree(STRANGER, "a platform");
        _snapshot("register, 3 committee signatures, first of its cohort");
        _nextBlock();
        _registerByThree(address(0xbeef), "another platform");
        _snapshot("register, 3 committee signatures");
    }

    function _registerByThree(address key, bytes memory platform) private {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(key, binding);
        verdict.platformId = keccak256(platform);
        for (uint256 i = 0; i < 6; ++i) {
            verdict.collateralHashes[i] = keccak256(abi.encode(i));
        }
        // Intel names no advisory for a platform that is up to date.
        verdict.advisories = new bytes32[](0);
        verdict.advisoriesHash = keccak256("");
        _measure(verdict);
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = abi.encode(_signatures(journal, 3));
        workers.register("Thre", journal, proof, binding);
    }

    /// @dev MRTD and RTMRs are nobody's zeros: 240 bytes of a TD's measurement, which calldata costs.
    function _measure(Verdict memory verdict) private pure {
        for (uint256 i = 0; i < 48; ++i) {
            verdict.measurement[16 + i] = bytes1(uint8(1 + i));
        }
        for (uint256 i = 0; i < 192; ++i) {
            verdict.measurement[208 + i] = bytes1(uint8(1 + i));
        }
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
    }

    function test_Corroborate() public {
        VerifierOfKind zk = new VerifierOfKind(committee, ProofKind.Zk);
        vm.prank(GOVERNOR);
        router.addRoute("ZkR0", zk);
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(STRANGER, binding));
        corroborations.corroborate("ZkR0", journal, _proof(journal), binding);
        _snapshot("corroborate, 2 committee signatures");
    }

    function test_Revoke() public {
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _snapshot("revoke");
    }

    function test_PublishPolicy() public {
        Policy memory made;
        (made.acceptedStatuses, made.acceptedKinds) = (0x0006, 0x0e);
        made.denied = new bytes32[](1);
        made.denied[0] = bytes32(_verdict().fmspc);
        vm.prank(GOVERNOR);
        policy.publish(APP, 2, made, false);
        _snapshot("publish a policy");
    }

    function test_Notarize() public {
        bytes memory journal = abi.encode(_verdict());
        bytes memory proof = _proof(journal);
        notary.notarize(APP, COMMITTEE, journal, proof);
        _snapshot("notarize, 2 committee signatures");
    }

    function test_Request() public {
        oracle.request{value: FEE}(_withoutCallback());
        _snapshot("request");
    }

    function test_Fulfill() public {
        Request memory made = _ask(_withoutCallback());
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        oracle.fulfill(made, result, OUTPUT, signature);
        _snapshot("fulfill");
    }

    function test_FulfillWithCallback() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        oracle.fulfill(made, result, OUTPUT, signature);
        _snapshot("fulfill with callback");
    }

    function test_Refund() public {
        Request memory made = _ask(_withoutCallback());
        vm.warp(block.timestamp + 1 hours + 1);
        oracle.refund(made);
        _snapshot("refund");
    }

    /// @dev The largest journal a verdict can have, signed by the largest committee.
    function test_Register_FitsATransactionAtItsWorst() public {
        _formCommittee(32);
        committee = new CommitteeVerifier(_members(), 32, MAX_AGE);
        vm.prank(GOVERNOR);
        router.addRoute("Big1", committee);
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(STRANGER, binding);
        verdict.platformId = keccak256("another platform");
        verdict.advisories = new bytes32[](256);
        for (uint256 i = 0; i < 256; ++i) {
            verdict.advisories[i] = bytes32(type(uint256).max);
        }
        verdict.advisoriesHash = keccak256(abi.encodePacked(verdict.advisories));
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = abi.encode(_signatures(journal, 32));
        workers.register("Big1", journal, proof, binding);
        vm.assertLt(_snapshot("register at its worst"), TRANSACTION_CAP / 4);
    }

    /// @dev The longest input and output, and a consumer that burns the highest gas limit.
    function test_Fulfill_FitsATransactionAtItsWorst() public {
        RequestParams memory params = _params();
        params.input = new bytes(8192);
        params.callbackGasLimit = 2_000_000;
        consumer.setMood(Mood.BurnsGas);
        Request memory made = _ask(params);
        Result memory result = _result(made);
        bytes memory output = new bytes(8192);
        result.inputCommitment = sha256(params.input);
        (result.outputHash, result.decision) = (sha256(output), sha256(output));
        bytes memory signature = _signed(result);
        oracle.fulfill(made, result, output, signature);
        vm.assertLt(_snapshot("fulfill at its worst"), TRANSACTION_CAP / 4);
    }

    function test_FulfillByQuorum() public {
        RequestParams memory params = _quorum(3, 5);
        Submission memory held = _choose(_hold(_ask(params), 0, _agreeing(5)), 7);
        _submit(held, OUTPUT);
        _snapshot("fulfill by 3 of 5, with callback");
    }

    function test_Dispute() public {
        bytes32[] memory decisions = new bytes32[](3);
        (decisions[1], decisions[2]) = ("another", "a third");
        _dispute(_hold(_ask(_quorum(2, 3)), 0, decisions));
        _snapshot("dispute a round of 3");
    }

    function _withoutCallback() private view returns (RequestParams memory params) {
        params = _params();
        params.callbackGasLimit = 0;
    }

    function _snapshot(string memory name) private returns (uint256) {
        return vm.snapshotGasLastCall("Gas", name);
    }
}
