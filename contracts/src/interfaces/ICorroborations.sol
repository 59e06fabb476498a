// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {WorkerBinding} from "../types/WorkerBinding.sol";
import {CohortFacts} from "./IWorkerRegistry.sol";

/// @notice What evidence of one kind says of a worker beside its facts. Times are Unix seconds.
struct Corroboration {
    /// @dev What it is evidence of: `ClaimLib`.
    bytes32 claim;
    bytes32 quoteHash;
    /// @dev Its first 20 bytes.
    bytes20 platformId;
    /// @dev Last second of it; a policy may end its use earlier.
    uint64 validUntil;
    /// @dev When the newest document behind the verdict was issued.
    uint64 collateralFrom;
    /// @dev Block whose hash the quote was challenged with.
    uint64 challengeBlock;
}

/// @title ICorroborations
/// @notice Evidence of further kinds for workers of a registry: what a policy counts that wants a key
/// proven in more than one way.
/// @dev A piece of evidence speaks for a claim: this key, of this app and operator, with this encryption
/// key, runs this image on this platform. It counts for a registration of the very same claim, whichever
/// was first, as long as it lasts and its own route, kind and facts are accepted: that is read at use.
/// @dev INTEGRATOR RESPONSIBILITIES. Ask the registry, not this contract: it only keeps.
interface ICorroborations {
    /// @notice `worker` of `registry` was proven in one more way; `corroboration` and `facts` replace what
    /// was kept of that kind.
    event WorkerCorroborated(
        address indexed registry,
        address indexed worker,
        ProofKind indexed kind,
        Corroboration corroboration,
        CohortFacts facts
    );

    /// @notice The quote was made for an address that is no registry on this chain.
    /// @custom:remedy Make a quote that binds a deployed registry.
    error NotARegistry(address registry);

    /// @notice Keeps evidence of one more kind for the key that its report data names, of the registry
    /// that it names. Open to any sender.
    /// @dev The evidence is checked as {IWorkerRegistry-register} does, but for the app's policy and the
    /// state of the measurement, which are read at use.
    /// @return worker the key's address.
    function corroborate(
        bytes4 route,
        bytes calldata evidence,
        bytes calldata proof,
        WorkerBinding calldata binding
    ) external returns (address worker);

    /// @notice Until when evidence of each kind stands at `at` for `claim` of `worker`, as far as is known
    /// now: kind `n` at `n - 1`, zero where it does not.
    function kindsUntil(address registry, address worker, bytes32 claim, uint64 at)
        external
        view
        returns (uint64[4] memory);

    /// @notice The newest evidence of `kind` for `worker` of `registry`; empty where there is none.
    function corroborationOf(address registry, address worker, ProofKind kind)
        external
        view
        returns (Corroboration memory, CohortFacts memory);
}
