// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {Corroboration, ICorroborations} from "../interfaces/ICorroborations.sol";
import {Bearer} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {CohortFacts, IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {ClaimLib} from "../types/ClaimLib.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {WorkerBinding} from "../types/WorkerBinding.sol";
import {BindingLib} from "./BindingLib.sol";
import {CohortLib} from "./CohortLib.sol";

/// @title Corroborations
/// @notice Evidence of further kinds for workers of a registry.
/// @dev Nothing here is anyone's to govern: what counts is the registry's own, which the quote names.
contract Corroborations is ICorroborations, ERC165 {
    using CohortLib for CohortFacts;

    /// @dev The newest evidence of one kind, and where its facts are kept as code.
    struct Entry {
        Corroboration shown;
        address facts;
    }

    /* CONSTANTS */

    uint256 private constant KINDS = 4;

    /* STORAGE */

    mapping(address registry => mapping(address worker => mapping(ProofKind => Entry))) private
        _entries;

    /* EVIDENCE */

    /// @inheritdoc ICorroborations
    function corroborate(
        bytes4 route,
        bytes calldata evidence,
        bytes calldata proof,
        WorkerBinding calldata binding
    ) external returns (address worker) {
        IWorkerRegistry registry = IWorkerRegistry(binding.registry);
        require(address(registry).code.length != 0, NotARegistry(address(registry)));
        // 1. The evidence is genuine, its root trusted, its route open, its TEE closed.
        (Verdict memory verdict, ProofKind kind) = registry.ROUTER().verify(route, evidence, proof);
        MeasurementLib.requireClosed(verdict.teeType, verdict.measurement);
        // 2. It binds a key to this chain, the registry and an app, and it is fresh.
        worker = BindingLib.requireBound(abi.encode(verdict), binding, address(registry));
        bytes32 expected = registry.challengeAt(binding.challengeBlock);
        require(
            binding.challenge == expected,
            IWorkerRegistry.ChallengeMismatch(binding.challenge, expected)
        );
        // 3. It is newer than what is kept of its kind.
        Entry storage entry = _entries[address(registry)][worker][kind];
        uint64 latest = entry.shown.challengeBlock;
        require(
            binding.challengeBlock > latest,
            IWorkerRegistry.QuoteNotNewer(binding.challengeBlock, latest)
        );
        CohortFacts memory facts = _factsOf(verdict, route, kind, binding);
        Corroboration memory shown = _shown(verdict, binding, registry.MAX_REGISTRATION_AGE());
        entry.shown = shown;
        entry.facts = SSTORE2.write(facts.encode());
        emit WorkerCorroborated(address(registry), worker, kind, shown, facts);
        // 4. The registry found its answers by what was kept before.
        registry.corroborated(worker);
    }

    /* VIEWS */

    /// @inheritdoc ICorroborations
    function kindsUntil(address registry, address worker, bytes32 claim, uint64 at)
        external
        view
        returns (uint64[4] memory ends)
    {
        for (uint256 i = 0; i < KINDS; ++i) {
            Entry storage entry = _entries[registry][worker][ProofKind(i + 1)];
            if (claim != 0 && entry.shown.claim == claim) {
                ends[i] = _endOf(IWorkerRegistry(registry), worker, entry, at);
            }
        }
    }

    /// @inheritdoc ICorroborations
    function corroborationOf(address registry, address worker, ProofKind kind)
        external
        view
        returns (Corroboration memory shown, CohortFacts memory facts)
    {
        Entry storage entry = _entries[registry][worker][kind];
        if (entry.facts == address(0)) return (shown, facts);
        return (entry.shown, CohortLib.decode(SSTORE2.read(entry.facts)));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return
            interfaceId == type(ICorroborations).interfaceId || super.supportsInterface(interfaceId);
    }

    /* PRIVATE */

    // Of each of four kinds at most one piece is asked for.
    // slither-disable-start calls-loop

    /// @dev Until when the evidence stands, judged as a registration by it would be; zero where it does not.
    function _endOf(IWorkerRegistry registry, address worker, Entry storage entry, uint64 at)
        private
        view
        returns (uint64 end)
    {
        Corroboration memory shown = entry.shown;
        CohortFacts memory facts = CohortLib.decode(SSTORE2.read(entry.facts));
        end = shown.validUntil;
        ICollateralCalendar calendar = registry.CALENDAR();
        if (end < at && address(calendar) != address(0)) {
            end = calendar.stretched(facts.teeType, facts.fmspc, shown.collateralFrom, end);
        }
        if (end < at || registry.ROUTER().statusOf(facts.route) != RouteStatus.Active) return 0;
        uint64 ever = type(uint64).max;
        Bearer memory bearer = Bearer({
            worker: worker,
            platformId: shown.platformId,
            collateralFrom: shown.collateralFrom,
            // By itself it need not be one of several; and who shares the platform is the registry's matter.
            kindsUntil: [ever, ever, ever, ever],
            place: 0
        });
        (bytes memory failure, uint64 tolerated) =
            registry.POLICY().standingOf(facts.appId, facts.tcbFacts(), bearer, at);
        if (failure.length != 0) return 0;
        return tolerated < end ? tolerated : end;
    }

    // slither-disable-end calls-loop

    function _shown(Verdict memory verdict, WorkerBinding calldata binding, uint64 longest)
        private
        pure
        returns (Corroboration memory)
    {
        uint64 end = verdict.verifiedAt + longest;
        bytes20 platform = bytes20(verdict.platformId);
        return Corroboration({
            claim: ClaimLib.of_(
                binding.appId,
                binding.operator,
                binding.encryptionKey,
                verdict.measurementId,
                platform
            ),
            quoteHash: verdict.quoteHash,
            platformId: platform,
            validUntil: end < verdict.validUntil ? end : verdict.validUntil,
            collateralFrom: verdict.validFrom,
            challengeBlock: binding.challengeBlock
        });
    }

    function _factsOf(
        Verdict memory verdict,
        bytes4 route,
        ProofKind kind,
        WorkerBinding calldata binding
    ) private pure returns (CohortFacts memory) {
        return CohortFacts({
            appId: binding.appId,
            measurementId: verdict.measurementId,
            operator: binding.operator,
            route: route,
            kind: kind,
            teeType: verdict.teeType,
            tcbStatus: verdict.tcbStatus,
            fmspc: verdict.fmspc,
            attributes: MeasurementLib.attributesOf(verdict.teeType, verdict.measurement),
            evaluationNumber: verdict.tcbEvaluationDataNumber,
            advisories: verdict.advisories
        });
    }
}
