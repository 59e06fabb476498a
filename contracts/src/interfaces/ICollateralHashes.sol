// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title ICollateralHashes
/// @notice Which collateral is in force, by its hashes alone: what a proof about collateral is held
/// against.
interface ICollateralHashes {
    /// @notice The hashes of the collateral in force for one platform family, in a journal's order.
    /// @param teeType 1, SGX, or 2, TDX.
    /// @param fmspc the platform family.
    /// @param authority 1, the PCK Platform CA, or 2, the PCK Processor CA.
    /// @dev Reverts where a part is missing or its signer was revoked.
    function collateralHashes(uint256 teeType, bytes6 fmspc, uint256 authority)
        external
        view
        returns (bytes32[6] memory);
}
