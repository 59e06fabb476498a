// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";

/// @title IAttestationGate
/// @notice Asks, at the moment of use, whether a key is held by attested code of an app.
/// @dev The one interface a contract needs to accept a signature of a TEE worker.
interface IAttestationGate {
    /// @notice Reverts with the reason unless `worker` is active for `appId` now.
    /// @return operator who runs the worker and is paid for its work.
    /// @return kind who checked the evidence the worker was registered with.
    function requireActive(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind);

    /// @notice The same question as {requireActive}, as an answer.
    /// @return ok whether {requireActive} would pass.
    /// @return reason the selector of the error it would revert with; zero when `ok`.
    /// @return until the last second it would pass if nothing is revoked; zero unless `ok`. Before a
    /// registration ends it is never later than that end, though the vendor's outage may stretch it.
    function checkActive(address worker, bytes32 appId)
        external
        view
        returns (bool ok, bytes4 reason, uint64 until);
}
