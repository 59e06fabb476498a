// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAttestationGate} from "../src/interfaces/IAttestationGate.sol";
import {ICorroborations} from "../src/interfaces/ICorroborations.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../src/interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {
    IWorkerRegistry,
    Registration,
    Worker,
    WorkerStatus
} from "../src/interfaces/IWorkerRegistry.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {TcbPolicy} from "../src/registry/TcbPolicy.sol";
import {WorkerRegistry} from "../src/registry/WorkerRegistry.sol";
import {VerifierRouter} from "../src/verify/VerifierRouter.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {Deployment} from "./Deployment.t.sol";

contract WorkerRegistryTest is Deployment {
    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_AParameterIsOutOfRange() public {
        _expectOutOfRange(0, 0, 1);
        _expectOutOfRange(256, 0, 1);
        _expectOutOfRange(1, 5, 5);
        _renewGovernance(4);
        new WorkerRegistry(measurements, router, policy, corroborations, _calendar(), 255, 0, 1);
    }

    function test_Constructor_RevertWhen_AnAddressIsZero() public {
        _renewGovernance(4);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new WorkerRegistry(
            IMeasurementRegistry(address(0)), router, policy, corroborations, _calendar(), 1, 0, 1
        );
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new WorkerRegistry(
            measurements, IVerifierRouter(address(0)), policy, corroborations, _calendar(), 1, 0, 1
        );
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new WorkerRegistry(
            measurements, router, ITcbPolicy(address(0)), corroborations, _calendar(), 1, 0, 1
        );
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new WorkerRegistry(
            measurements, router, policy, ICorroborations(address(0)), _calendar(), 1, 0, 1
        );
    }

    function test_Constructor_RevertWhen_TheLogIsNotShared() public {
        MeasurementRegistry foreign = measurements;
        _renewGovernance(4);
        _expectNotShared(foreign, router);
        VerifierRouter latest = router;
        _renewGovernance(4);
        _expectNotShared(measurements, latest);
    }

    function test_Constructor_RevertWhen_StrangersCouldReport() public {
        _renewGovernance(5);
        _expectNotShared(measurements, router);
        _renewGovernance(3);
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.NoSeatLeft.selector, 3));
        new WorkerRegistry(measurements, router, policy, corroborations, _calendar(), 1, 0, 1);
    }

    /* REGISTER */

    function testFuzz_Register_RegistersTheKeyInTheQuoteWhoeverSends(address sender) public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        Worker memory expected = Worker({
            appId: APP,
            measurementId: verdict.measurementId,
            platformId: bytes20(verdict.platformId),
            operator: OPERATOR,
            validUntil: verdict.verifiedAt + REGISTRATION_AGE,
            activeFrom: uint64(block.timestamp) + ACTIVATION_DELAY,
            challengeBlock: uint64(block.number - 1),
            collateralFrom: verdict.validFrom,
            evaluationNumber: 17,
            cohort: 1,
            route: COMMITTEE,
            fmspc: verdict.fmspc,
            kind: ProofKind.Committee,
            status: WorkerStatus.Registered,
            teeType: MeasurementLib.TDX,
            tcbStatus: 1,
            place: 0
        });
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRegistered(
            worker,
            APP,
            verdict.measurementId,
            Registration({
                quoteHash: verdict.quoteHash,
                encryptionKey: binding.encryptionKey,
                platformId: verdict.platformId,
                cohort: 1,
                activeFrom: expected.activeFrom,
                validUntil: expected.validUntil,
                challengeBlock: expected.challengeBlock,
                collateralFrom: expected.collateralFrom
            })
        );
        vm.prank(sender);
        vm.assertEq(workers.register(COMMITTEE, journal, proof, binding), worker);
        vm.assertEq(abi.encode(workers.workerOf(worker)), abi.encode(expected));
        vm.assertEq(workers.workerOn(APP, verdict.platformId, 0), worker);
    }

    function testFuzz_Register_LivesNoLongerThanTheVerdict(uint32 left) public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.validUntil = uint64(block.timestamp) + left;
        _register(verdict, binding);
        uint64 longest = verdict.verifiedAt + REGISTRATION_AGE;
        uint64 expected = verdict.validUntil < longest ? verdict.validUntil : longest;
        vm.assertEq(workers.workerOf(worker).validUntil, expected);
    }

    function test_Register_RevertWhen_TheEvidenceIsNotGenuine() public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.rootKeyHash = keccak256("a simulator's root");
        _expectRefusal(IVerifierRouter.RootKeyNotTrusted.selector, verdict, binding);
    }

    function test_Register_RevertWhen_TheBindingIsNotForHere() public {
        for (uint256 field = 0; field < 5; ++field) {
            WorkerBinding memory binding = _binding();
            bytes4 reason;
            if (field == 0) {
                (binding.version, reason) = (2, IWorkerRegistry.BindingVersionUnsupported.selector);
            } else if (field == 1) {
                (binding.chainId, reason) = (1, IWorkerRegistry.WrongChain.selector);
            } else if (field == 2) {
                (binding.registry, reason) = (STRANGER, IWorkerRegistry.WrongRegistry.selector);
            } else if (field == 3) {
                (binding.appId, reason) = (0, IWorkerRegistry.AppMissing.selector);
            } else {
                (binding.operator, reason) = (address(0), IWorkerRegistry.OperatorMissing.selector);
            }
            _expectRefusal(reason, _boundVerdict(worker, binding), binding);
        }
    }

    function test_Register_RevertWhen_TheQuoteBindsAnotherBinding() public {
        Verdict memory verdict = _boundVerdict(worker, _binding());
        WorkerBinding memory binding = _binding();
        binding.operator = STRANGER;
        _expectRefusal(IWorkerRegistry.BindingMismatch.selector, verdict, binding);
        binding = _binding();
        binding.encryptionKey = 0;
        _expectRefusal(IWorkerRegistry.BindingMismatch.selector, verdict, binding);
    }

    function testFuzz_Register_RevertWhen_AnyByteOfTheReportDataDiffers(
        uint256 place,
        bytes1 change
    ) public {
        place = _bound(place, 20, 63);
        vm.assume(change != 0);
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.reportData[place] ^= change;
        bytes4 reason = place < 52
            ? IWorkerRegistry.BindingMismatch.selector
            : IWorkerRegistry.ReportDataTailNonzero.selector;
        _expectRefusal(reason, verdict, binding);
    }

    function test_Register_RevertWhen_TheReportDataNamesNoWorker() public {
        WorkerBinding memory binding = _binding();
        _expectRefusal(
            IWorkerRegistry.WorkerAddressMissing.selector,
            _boundVerdict(address(0), binding),
            binding
        );
    }

    function test_Register_RevertWhen_TheChallengeBlockIsOutOfRange() public {
        WorkerBinding memory binding = _binding();
        uint64[3] memory blocks = [
            uint64(block.number), uint64(block.number + 1), uint64(block.number - CHALLENGE_AGE - 1)
        ];
        for (uint256 i = 0; i < 3; ++i) {
            binding.challengeBlock = blocks[i];
            _expectRefusal(
                IWorkerRegistry.ChallengeBlockOutOfRange.selector,
                _boundVerdict(worker, binding),
                binding
            );
        }
        uint64 oldest = uint64(block.number) - CHALLENGE_AGE;
        vm.setBlockhash(oldest, keccak256("an old block"));
        binding.challengeBlock = oldest;
        binding.challenge = workers.challengeAt(oldest);
        _register(_boundVerdict(worker, binding), binding);
    }

    function testFuzz_Register_RevertWhen_TheChallengeIsNotItsBlocks(bytes32 challenge) public {
        WorkerBinding memory binding = _binding();
        vm.assume(challenge != binding.challenge);
        binding.challenge = challenge;
        _expectRefusal(
            IWorkerRegistry.ChallengeMismatch.selector, _boundVerdict(worker, binding), binding
        );
    }

    function test_Register_RevertWhen_AttributesAreForbidden() public {
        for (uint8 flag = 1; flag != 0; flag <<= 1) {
            _expectForbidden(MeasurementLib.TDX, 448, 0, bytes1(flag));
        }
        // DEBUG, PROVISION_KEY and EINITTOKEN_KEY.
        _expectForbidden(MeasurementLib.SGX, 304, 32, 0x02);
        _expectForbidden(MeasurementLib.SGX, 304, 32, 0x10);
        _expectForbidden(MeasurementLib.SGX, 304, 32, 0x20);
    }

    function test_Register_AcceptsOrdinarySgxAttributes() public {
        WorkerBinding memory binding = _binding();
        // INIT, MODE64BIT and KSS.
        Verdict memory verdict = _measured(MeasurementLib.SGX, 304, 32, 0x85);
        _admit(APP, verdict.measurementId);
        _register(verdict, binding);
        vm.assertEq(workers.workerOf(worker).teeType, MeasurementLib.SGX);
    }

    function testFuzz_Register_AcceptsExactlyTheStatusesItWasBuiltFor(uint8 status) public {
        status = uint8(_bound(status, 1, 8));
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.tcbStatus = status;
        if (status <= 2) _register(verdict, binding);
        else _expectRefusal(ITcbPolicy.TcbStatusNotAccepted.selector, verdict, binding);
    }

    function test_Register_RevertWhen_TheMeasurementIsNotAdmittedForTheApp() public {
        WorkerBinding memory binding = _binding();
        binding.appId = keccak256("another app");
        _expectRefusal(
            IMeasurementRegistry.MeasurementNotAdmitted.selector,
            _boundVerdict(worker, binding),
            binding
        );
    }

    function test_Register_RevertWhen_TheQuoteIsNoNewer() public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        _register(verdict, binding);
        verdict.verifiedAt += 1;
        _expectRefusal(IWorkerRegistry.QuoteNotNewer.selector, verdict, binding);
        binding.encryptionKey = 0;
        _expectRefusal(
            IWorkerRegistry.QuoteNotNewer.selector, _boundVerdict(worker, binding), binding
        );
    }

    function test_Register_RevertWhen_AnOlderQuoteFollowsANewerOne() public {
        WorkerBinding memory older = _binding();
        _nextBlock();
        WorkerBinding memory newer = _binding();
        _register(_boundVerdict(worker, newer), newer);
        _expectRefusal(IWorkerRegistry.QuoteNotNewer.selector, _boundVerdict(worker, older), older);
    }

    function test_Register_RevertWhen_ThePlatformIsInUse() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(STRANGER, binding);
        _expectRefusal(IWorkerRegistry.PlatformAlreadyInUse.selector, verdict, binding);
        verdict.platformId = keccak256("another platform");
        _register(verdict, binding);
        vm.assertEq(workers.workerOn(APP, verdict.platformId, 0), STRANGER);
    }

    function test_Register_TakesThePlatformOfADeadWorker() public {
        _activate();
        vm.prank(OPERATOR);
        workers.retire(worker);
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(STRANGER, binding), binding);
        vm.assertEq(workers.workerOn(APP, _verdict().platformId, 0), STRANGER);
    }

    function test_Register_TakesThePlatformOfAnExpiredWorker() public {
        _activate();
        vm.warp(workers.workerOf(worker).validUntil + 1);
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(STRANGER, binding), binding);
    }

    function test_Register_AllowsAnotherAppOnThePlatform() public {
        _activate();
        WorkerBinding memory binding = _binding();
        binding.appId = keccak256("another app");
        _admit(binding.appId, _verdict().measurementId);
        _register(_boundVerdict(STRANGER, binding), binding);
    }

    /* RENEW */

    function test_Renew_ExtendsAndKeepsTheActivation() public {
        _activate();
        uint64 activeFrom = workers.workerOf(worker).activeFrom;
        vm.warp(block.timestamp + 1 days);
        WorkerBinding memory binding = _binding();
        binding.encryptionKey = keccak256("a new X25519 key");
        Verdict memory verdict = _boundVerdict(worker, binding);
        Registration memory expected = Registration({
            quoteHash: verdict.quoteHash,
            encryptionKey: binding.encryptionKey,
            platformId: verdict.platformId,
            cohort: 1,
            activeFrom: activeFrom,
            validUntil: verdict.verifiedAt + REGISTRATION_AGE,
            challengeBlock: binding.challengeBlock,
            collateralFrom: verdict.validFrom
        });
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRenewed(worker, APP, verdict.measurementId, expected);
        _register(verdict, binding);
        Worker memory record = workers.workerOf(worker);
        vm.assertEq(record.activeFrom, activeFrom);
        vm.assertEq(record.validUntil, verdict.verifiedAt + REGISTRATION_AGE);
        vm.assertEq(record.challengeBlock, binding.challengeBlock);
        workers.requireActive(worker, APP);
    }

    function test_Renew_GivenTheWorkerExpired_TheDelayStartsAgain() public {
        _activate();
        vm.warp(workers.workerOf(worker).validUntil + 1);
        WorkerBinding memory binding = _binding();
        binding.encryptionKey = 0;
        _register(_boundVerdict(worker, binding), binding);
        _expectInactive(IWorkerRegistry.WorkerNotYetActive.selector, APP);
    }

    function test_Renew_GivenTheCodeChanged_TheDelayStartsAgain() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _measured(MeasurementLib.TDX, 448, 100, 0x01);
        _admit(APP, verdict.measurementId);
        _register(verdict, binding);
        _expectInactive(IWorkerRegistry.WorkerNotYetActive.selector, APP);
    }

    function test_Renew_RevertWhen_AppOrPlatformDiffer() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.quoteHash = keccak256("a fresh quote");
        verdict.platformId = keccak256("another platform");
        _expectRefusal(IWorkerRegistry.PlatformMismatch.selector, verdict, binding);
        binding.appId = keccak256("another app");
        _admit(binding.appId, verdict.measurementId);
        _expectRefusal(
            IWorkerRegistry.WrongWorkerApp.selector, _boundVerdict(worker, binding), binding
        );
    }

    function test_Renew_RevertGiven_TheWorkerIsGone() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.quoteHash = keccak256("a fresh quote");
        vm.prank(worker);
        workers.retire(worker);
        _expectRefusal(IWorkerRegistry.WorkerIsRetired.selector, verdict, binding);
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        _expectRefusal(IWorkerRegistry.WorkerIsRevoked.selector, verdict, binding);
    }

    /* END OF SERVICE */

    function testFuzz_Revoke_RevertWhen_NeitherGovernorNorGuardian(address caller) public {
        vm.assume(caller != GOVERNOR && caller != GUARDIAN);
        _activate();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotAllowed.selector, caller, worker));
        vm.prank(caller);
        workers.revoke(worker);
    }

    function test_Revoke_IsForEver() public {
        vm.startPrank(GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, worker));
        workers.revoke(worker);
        vm.stopPrank();
        _activate();
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRevoked(worker, APP, GOVERNOR);
        vm.startPrank(GOVERNOR);
        workers.revoke(worker);
        _expectInactive(IWorkerRegistry.WorkerIsRevoked.selector, APP);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerIsRevoked.selector, worker));
        workers.revoke(worker);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerIsRevoked.selector, worker));
        vm.prank(worker);
        workers.retire(worker);
    }

    function testFuzz_Retire_RevertWhen_NeitherWorkerNorOperator(address caller) public {
        vm.assume(caller != worker && caller != OPERATOR);
        _activate();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotAllowed.selector, caller, worker));
        vm.prank(caller);
        workers.retire(worker);
    }

    function test_Retire_IsForEver() public {
        _activate();
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRetired(worker, APP, OPERATOR);
        vm.startPrank(OPERATOR);
        workers.retire(worker);
        _expectInactive(IWorkerRegistry.WorkerIsRetired.selector, APP);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerIsRetired.selector, worker));
        workers.retire(worker);
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(workers.supportsInterface(type(IWorkerRegistry).interfaceId));
        vm.assertTrue(workers.supportsInterface(type(IAttestationGate).interfaceId));
        vm.assertFalse(workers.supportsInterface(0xffffffff));
    }

    /* PARTS */

    /// @dev A bound verdict on a measurement that is zero but for one byte.
    function _measured(uint8 teeType, uint256 length, uint256 place, bytes1 value)
        private
        view
        returns (Verdict memory verdict)
    {
        verdict = _boundVerdict(worker, _binding());
        verdict.quoteHash = keccak256(abi.encode(teeType, place, value));
        verdict.teeType = teeType;
        verdict.measurement = new bytes(length);
        verdict.measurement[place] = value;
        verdict.measurementId = keccak256(abi.encodePacked(teeType, verdict.measurement));
    }

    function _expectForbidden(uint8 teeType, uint256 length, uint256 place, bytes1 value) private {
        Verdict memory verdict = _measured(teeType, length, place, value);
        _admit(APP, verdict.measurementId);
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectRevert(
            abi.encodeWithSelector(
                MeasurementLib.AttributesForbidden.selector, teeType, uint8(value)
            )
        );
        workers.register(COMMITTEE, journal, proof, _binding());
    }

    function _expectRefusal(bytes4 reason, Verdict memory verdict, WorkerBinding memory binding)
        private
    {
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectPartialRevert(reason);
        workers.register(COMMITTEE, journal, proof, binding);
    }

    function _expectOutOfRange(uint64 challenge, uint64 delay, uint64 age) private {
        _renewGovernance(4);
        vm.expectRevert(IWorkerRegistry.ParameterOutOfRange.selector);
        new WorkerRegistry(
            measurements, router, policy, corroborations, _calendar(), challenge, delay, age
        );
    }

    function _expectNotShared(MeasurementRegistry images, VerifierRouter ways) private {
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRegistry.LogNotShared.selector, address(policy.LOG()))
        );
        new WorkerRegistry(images, ways, policy, corroborations, _calendar(), 1, 0, 1);
    }

    /// @dev Governed contracts that sit in a new log with `seats` seats.
    function _renewGovernance(uint8 seats) private {
        log = new ChangeLog(seats);
        measurements = new MeasurementRegistry(GOVERNOR, GUARDIAN, log);
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = ROOT;
        router = new VerifierRouter(GOVERNOR, GUARDIAN, log, false, roots);
        policy = new TcbPolicy(GOVERNOR, GUARDIAN, log, STATUSES);
    }
}
