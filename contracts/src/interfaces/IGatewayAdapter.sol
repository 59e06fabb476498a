// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {IAttestationGate} from "./IAttestationGate.sol";

/// @notice An exchange with a chat gateway, as it was recorded.
struct Exchange {
    address gateway;
    ProofKind kind;
    uint64 recordedAt;
}

/// @title IGatewayAdapter
/// @notice Takes what first-generation gateways of confidential models sign about an answer:
/// `sha256hex(request):sha256hex(response)`, as an EIP-191 personal message.
/// @dev The gateway's key must be active for the app where {WORKERS} keeps them: at {IGatewayKeys} in a
/// deployment made by `quotary deploy`, which knows no workers of the registry.
/// @dev INTEGRATOR RESPONSIBILITIES. A recorded exchange binds the bytes of a request body and of a
/// response body to a key that attested code held when it was recorded. It does NOT bind:
/// the model or its weights (the request's `model` is a wish); a request id, a chain or a contract (it
/// counts on every chain); a time (it may be years old, so `recordedAt` is all there is); nor, strictly,
/// the request: gateways of this kind sign a request hash that a client sends in the header
/// `X-Request-Hash` without computing it. Where any of this matters, ask for a {Result} instead.
interface IGatewayAdapter {
    /// @notice `gateway` signed that the body of `requestHash` was answered by that of `responseHash`.
    event ExchangeRecorded(
        bytes32 indexed appId,
        bytes32 indexed requestHash,
        bytes32 indexed responseHash,
        address gateway,
        ProofKind proofKind
    );

    /// @notice The exchange was recorded before, by a key as well proven.
    /// @custom:remedy Nothing is left to do; only a key of a stronger kind of proof replaces a record.
    error AlreadyRecorded(bytes32 appId, bytes32 requestHash, bytes32 responseHash);

    /// @notice No such exchange was recorded.
    /// @custom:remedy Call `record` with the gateway's signature.
    error NotRecorded(bytes32 appId, bytes32 requestHash, bytes32 responseHash);

    /// @notice Records an exchange by the gateway's signature: 65 bytes `r ‖ s ‖ v`, low s, v 27 or 28. What
    /// a key of a weaker kind of proof had recorded of it is replaced. Open to any sender.
    /// @param requestHash sha256 of the request's body, byte for byte.
    /// @param responseHash sha256 of the response's body; of a stream, all its bytes in order.
    function record(
        bytes32 appId,
        bytes32 requestHash,
        bytes32 responseHash,
        address gateway,
        bytes calldata signature
    ) external;

    /// @notice The record of an exchange. Reverts with {NotRecorded} where there is none.
    function exchangeOf(bytes32 appId, bytes32 requestHash, bytes32 responseHash)
        external
        view
        returns (Exchange memory);

    /// @notice The text a gateway signs, without the prefix of EIP-191.
    function textOf(bytes32 requestHash, bytes32 responseHash) external pure returns (string memory);

    /// @notice Whether gateways are active is asked here.
    function WORKERS() external view returns (IAttestationGate);
}
