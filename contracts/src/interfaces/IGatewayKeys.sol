// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {IAttestationGate} from "./IAttestationGate.sol";
import {IQuoteNotary} from "./IQuoteNotary.sol";

/// @notice What a key or a keyset rests on.
struct Bond {
    bytes32 quoteHash;
    /// @dev Of the keyset that lists the key; zero for keys that a quote binds by themselves.
    bytes32 keysetDigest;
    ProofKind kind;
    /// @dev Last second of the keyset, Unix time; the end of all time where there is none.
    uint64 notAfter;
}

/// @title IGatewayKeys
/// @notice Keys of services that know nothing of this registry: gateways of confidential models. A
/// genuine quote on record at the notary binds them, in the service's own format.
/// @dev Ask the service for its report with {challenge} as nonce, have the quote notarized, enrol.
/// @dev INTEGRATOR RESPONSIBILITIES. An enrolled key was held, when its quote was made, by an image
/// that is admitted for the app. Nothing says who runs the service, and nothing is paid to it. The
/// key counts while the notarization does: within the verdict's validity, as long as the measurement
/// stands admitted and the route active; of an ACI service no longer than its keyset. Only verdicts
/// of the statuses in `ACCEPTED_STATUSES` are enrolled. The bars and policies of {ITcbPolicy} (platform,
/// FMSPC, advisory) do not reach here, and nobody ends a single key, should one leak: until its verdict
/// runs out, only revoking its measurement or freezing its route does, for all keys that rest on them.
interface IGatewayKeys is IAttestationGate {
    /// @notice `key` counts for `appId`, by the quote.
    event KeyEnrolled(
        bytes32 indexed appId,
        address indexed key,
        bytes32 indexed quoteHash,
        bytes32 keysetDigest,
        ProofKind proofKind
    );

    /// @notice The keyset counts for `appId`, by the quote.
    event KeysetEnrolled(
        bytes32 indexed appId,
        bytes32 indexed keysetDigest,
        bytes32 indexed quoteHash,
        ProofKind proofKind,
        uint64 notAfter
    );

    /// @notice The journal is not the one on record for its quote, or the record counts no more.
    /// @custom:remedy Have the quote notarized, and send the journal of that notarization.
    error NotOnRecord(bytes32 appId, bytes32 quoteHash, ProofKind kind);

    /// @notice The platform's TCB status is none of those accepted here.
    /// @custom:remedy Ask the service to patch its platform.
    error StatusNotAccepted(uint8 status, uint256 accepted);

    /// @notice The quote's report data binds something else.
    /// @custom:remedy Ask the service for its report with the challenge of `challengeBlock` as nonce.
    error ReportDataMismatch(bytes32 actual, bytes32 expected);

    /// @notice The key or keyset counts already, by a quote that a stronger kind of proof vouched for.
    /// @custom:remedy Enrol by a proof as strong, or once the other record ran out.
    error BondStronger(bytes32 quoteHash, ProofKind kind);

    /// @notice The journal is longer than that of any verdict.
    /// @custom:remedy Send the journal as it was notarized.
    error JournalTooLarge(uint256 actual, uint256 maximum);

    /// @notice The challenge's block is too old, or not mined yet.
    /// @custom:remedy Ask for a new report; the last 256 blocks count.
    error ChallengeUnknown(uint64 challengeBlock, uint256 blockNumber);

    /// @notice The key was not enrolled for this app.
    /// @custom:remedy Call `enrol` or `enrolKeyset` with a report of the service.
    error KeyUnknown(address key, bytes32 appId);

    /// @notice The keyset was not enrolled for this app.
    /// @custom:remedy Call `enrolKeyset` with a report of the service.
    error KeysetUnknown(bytes32 keysetDigest, bytes32 appId);

    /// @notice What the key rests on counts no more.
    /// @custom:remedy Enrol it again with a new report.
    error BondLapsed(bytes32 quoteHash, uint64 notAfter);

    /// @notice Enrols the key that a first-generation gateway's quote binds: its address, padded on the
    /// right, and the nonce. Open to any sender; what it rested on before is replaced, unless that counts and
    /// was proven by a stronger kind.
    /// @param journal the verdict as it was notarized for `appId` by `kind`.
    /// @param challengeBlock whose {challenge} was the nonce.
    function enrol(bytes32 appId, ProofKind kind, bytes calldata journal, uint64 challengeBlock)
        external
        returns (address key);

    /// @notice Enrols the keyset that an ACI service's quote binds, and its receipt key of the algorithm
    /// `secp256k1-eip191` where it has one. Open to any sender.
    /// @param keyset the keyset in canonical form (RFC 8785), at most 16,384 bytes.
    function enrolKeyset(
        bytes32 appId,
        ProofKind kind,
        bytes calldata journal,
        uint64 challengeBlock,
        bytes calldata keyset
    ) external returns (bytes32 keysetDigest);

    /// @notice Reverts with the reason unless the keyset counts for `appId` now.
    function requireKeyset(bytes32 appId, bytes32 keysetDigest)
        external
        view
        returns (ProofKind kind);

    /// @notice What `key` rests on; all zero where it was not enrolled.
    function bondOf(bytes32 appId, address key) external view returns (Bond memory);

    /// @notice The nonce to ask a service with: keccak256(abi.encode(chain id, this contract, hash of
    /// `challengeBlock`)).
    function challenge(uint64 challengeBlock) external view returns (bytes32);

    /// @notice Where quotes are on record.
    function NOTARY() external view returns (IQuoteNotary);

    /// @notice TCB statuses that are enrolled, as a set of bits.
    function ACCEPTED_STATUSES() external view returns (uint256);
}
