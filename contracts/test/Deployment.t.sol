// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CommitteeVerifier} from "../src/committee/CommitteeVerifier.sol";
import {QuotaTerms, TokenTerms} from "../src/interfaces/IEscrow.sol";
import {ICollateralCalendar} from "../src/interfaces/ICollateralCalendar.sol";
import {Manifest} from "../src/interfaces/IMeasurementRegistry.sol";
import {Model} from "../src/interfaces/IModelRegistry.sol";
import {QuoteNotary} from "../src/notary/QuoteNotary.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {Corroborations} from "../src/registry/Corroborations.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {ModelRegistry} from "../src/registry/ModelRegistry.sol";
import {TcbPolicy} from "../src/registry/TcbPolicy.sol";
import {WorkerRegistry} from "../src/registry/WorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Verdict, VerdictLib} from "../src/types/Verdict.sol";
import {WorkerBinding, WorkerBindingLib} from "../src/types/WorkerBinding.sol";
import {VerifierRouter} from "../src/verify/VerifierRouter.sol";
import {Base} from "./Base.t.sol";

/// @notice The whole system with a committee of three, two of whom must sign; and the makers of
/// evidence for it.
abstract contract Deployment is Base {
    bytes4 internal constant COMMITTEE = "Comm";
    bytes32 internal constant APP = keccak256("app");
    bytes32 internal constant WEIGHTS = keccak256("weights");
    bytes32 internal constant TOKENIZER = keccak256("tokenizer");
    bytes32 internal constant CONFIG = keccak256("config");
    bytes32 internal constant ROOT = keccak256("root key");
    address internal constant OPERATOR = address(0x0930);
    uint256 internal constant WORKER_KEY = 0xa11ce;
    uint64 internal constant MAX_AGE = 1 hours;
    uint64 internal constant CHALLENGE_AGE = 200;
    uint64 internal constant ACTIVATION_DELAY = 10 minutes;
    uint64 internal constant REGISTRATION_AGE = 7 days;
    /// @dev UpToDate and SWHardeningNeeded.
    uint16 internal constant STATUSES = 0x0006;

    ChangeLog internal log;
    MeasurementRegistry internal measurements;
    ModelRegistry internal models;
    VerifierRouter internal router;
    CommitteeVerifier internal committee;
    TcbPolicy internal policy;
    Corroborations internal corroborations;
    WorkerRegistry internal workers;
    QuoteNotary internal notary;
    ResultOracle internal oracle;

    /// @dev Committee keys, ascending by address.
    uint256[] internal committeeKeys;
    address internal worker;

    function setUp() public virtual {
        vm.warp(1_750_000_000);
        vm.roll(1_000_000);
        log = new ChangeLog(5);
        measurements = new MeasurementRegistry(GOVERNOR, GUARDIAN, log);
        models = new ModelRegistry(GOVERNOR, GUARDIAN, log);
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = ROOT;
        router = new VerifierRouter(GOVERNOR, GUARDIAN, log, false, roots);
        policy = new TcbPolicy(GOVERNOR, GUARDIAN, log, STATUSES);
        _formCommittee(3);
        committee = new CommitteeVerifier(_members(), 2, MAX_AGE);
        corroborations = new Corroborations();
        workers = new WorkerRegistry(
            measurements,
            router,
            policy,
            corroborations,
            _calendar(),
            CHALLENGE_AGE,
            ACTIVATION_DELAY,
            REGISTRATION_AGE
        );
        notary = new QuoteNotary(measurements, router);
        oracle = new ResultOracle(workers, models, _quotas(), _tokens());
        worker = vm.addr(WORKER_KEY);
        vm.startPrank(GOVERNOR);
        router.addRoute(COMMITTEE, committee);
        measurements.admit(APP, _verdict().measurementId, _manifest());
        models.admit(_model());
        vm.stopPrank();
        _nextBlock();
    }

    /* TERMS */

    /// @dev No registration reaches beyond its end.
    function _calendar() internal virtual returns (ICollateralCalendar) {
        return ICollateralCalendar(address(0));
    }

    function _quotas() internal pure virtual returns (QuotaTerms memory) {
        return QuotaTerms(1_000_000, 3_600_000, 1_000_000, 3_600_000);
    }

    /// @dev Ether, however little.
    function _tokens() internal virtual returns (TokenTerms[] memory) {
        return new TokenTerms[](1);
    }

    /* EVIDENCE */

    /// @dev A verdict on an up-to-date TD, judged ten seconds ago, that binds nothing yet.
    function _verdict() internal view returns (Verdict memory verdict) {
        verdict.version = 1;
        verdict.teeType = MeasurementLib.TDX;
        verdict.tcbStatus = VerdictLib.TCB_UP_TO_DATE;
        verdict.verifiedAt = uint64(block.timestamp) - 10;
        verdict.validFrom = uint64(block.timestamp) - 1 days;
        verdict.validUntil = uint64(block.timestamp) + 30 days;
        verdict.tcbDate = 1_710_288_000;
        verdict.tcbEvaluationDataNumber = 17;
        verdict.fmspc = 0x50806f000000;
        verdict.quoteHash = keccak256("quote");
        verdict.platformId = keccak256("platform");
        verdict.attestationKeyId = keccak256("attestation key");
        verdict.rootKeyHash = ROOT;
        verdict.advisories = new bytes32[](1);
        verdict.advisories[0] = "INTEL-SA-00837";
        verdict.advisoriesHash = keccak256(abi.encodePacked(verdict.advisories));
        verdict.measurement = new bytes(MeasurementLib.TDX_LENGTH);
        verdict.measurement[3] = 0x10; // SEPT_VE_DISABLE
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        verdict.reportData = new bytes(64);
    }

    /// @dev A verdict whose report data binds `account` by `binding`.
    function _boundVerdict(address account, WorkerBinding memory binding)
        internal
        view
        returns (Verdict memory verdict)
    {
        verdict = _verdict();
        verdict.reportData = abi.encodePacked(account, WorkerBindingLib.hash(binding), bytes12(0));
        verdict.quoteHash = keccak256(verdict.reportData);
    }

    function _binding() internal view returns (WorkerBinding memory) {
        uint64 challengeBlock = uint64(block.number - 1);
        return WorkerBinding({
            version: 1,
            chainId: block.chainid,
            registry: address(workers),
            appId: APP,
            operator: OPERATOR,
            encryptionKey: keccak256("X25519"),
            challengeBlock: challengeBlock,
            challenge: keccak256(
                abi.encode(block.chainid, address(workers), blockhash(challengeBlock))
            )
        });
    }

    function _manifest() internal pure returns (Manifest memory) {
        return Manifest({
            sourceCommit: bytes32(bytes20(hex"00112233445566778899aabbccddeeff00112233")),
            buildDigest: keccak256("image"),
            sourceUri: "https://example.org/worker"
        });
    }

    function _model() internal pure returns (Model memory) {
        return Model({
            weightsRoot: WEIGHTS,
            tokenizerHash: TOKENIZER,
            configHash: CONFIG,
            name: "advisor",
            licenceUri: "https://example.org/licence"
        });
    }

    /* COMMITTEE */

    function _formCommittee(uint256 count) internal {
        delete committeeKeys;
        for (uint256 i = 0; i < count; ++i) {
            committeeKeys.push(0xc0de + i);
        }
        for (uint256 i = 1; i < count; ++i) {
            for (uint256 j = i; j > 0; --j) {
                (uint256 a, uint256 b) = (committeeKeys[j - 1], committeeKeys[j]);
                if (vm.addr(a) < vm.addr(b)) break;
                (committeeKeys[j - 1], committeeKeys[j]) = (b, a);
            }
        }
    }

    function _members() internal view returns (address[] memory members) {
        members = new address[](committeeKeys.length);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = vm.addr(committeeKeys[i]);
        }
    }

    /// @dev The first `count` members sign `journal`.
    function _signatures(bytes memory journal, uint256 count)
        internal
        view
        returns (bytes[] memory signatures)
    {
        bytes32 digest = committee.attestationDigest(sha256(journal));
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = _sign(committeeKeys[i], digest);
        }
    }

    function _proof(bytes memory journal) internal view returns (bytes memory) {
        return abi.encode(_signatures(journal, 2));
    }

    /* STEPS */

    function _register(Verdict memory verdict, WorkerBinding memory binding)
        internal
        returns (address)
    {
        bytes memory journal = abi.encode(verdict);
        return workers.register(COMMITTEE, journal, _proof(journal), binding);
    }

    /// @dev A block later, so that a quote made now is newer than any before.
    function _nextBlock() internal {
        vm.roll(block.number + 1);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode("block", block.number - 1)));
    }

    /// @dev Registers the worker and lets its activation delay pass.
    function _activate() internal {
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(worker, binding), binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        _nextBlock();
    }

    /* EXPECTATIONS */

    /// @dev Both twins refuse the worker, for this reason.
    function _expectInactive(bytes4 reason, bytes32 appId) internal {
        (bool ok, bytes4 actual, uint64 until) = workers.checkActive(worker, appId);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(actual), bytes32(reason));
        vm.assertEq(until, 0);
        vm.expectPartialRevert(reason);
        workers.requireActive(worker, appId);
    }

    /// @dev Admits a model of these weights, else like the first.
    function _admitModel(bytes32 weightsRoot) internal returns (bytes32 modelId) {
        Model memory model = _model();
        model.weightsRoot = weightsRoot;
        vm.prank(GOVERNOR);
        return models.admit(model);
    }

    function _admit(bytes32 appId, bytes32 measurementId) internal {
        vm.prank(GOVERNOR);
        measurements.admit(appId, measurementId, _manifest());
    }
}
