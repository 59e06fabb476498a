// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICollateralHashes} from "./ICollateralHashes.sol";
import {IReceiptVerifier} from "./IReceiptVerifier.sol";

/// @title IZkQuoteVerifier
/// @notice A receipt proves a verdict, and the chain itself knows the collateral it rests on.
/// @dev The prover chose collateral and time. Its time is held against the block's, its collateral
/// against what the chain has in force: a proof never outlives its collateral.
interface IZkQuoteVerifier is IReceiptVerifier {
    /// @notice The verdict rests on collateral that is not what the chain has in force.
    /// @param index its place among the journal's collateral hashes.
    /// @custom:remedy Bring the chain's collateral up to date, fetch the same and prove again.
    error CollateralNotInForce(uint256 index, bytes32 actual, bytes32 inForce);

    /// @notice The contract that knows the collateral in force has no code.
    /// @custom:remedy Give a deployed {ICollateralHashes}.
    error CollateralHashesMissing(address account);

    /// @notice Who knows the collateral in force.
    function COLLATERAL() external view returns (ICollateralHashes);
}
