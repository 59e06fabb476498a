// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICollateralStore} from "./ICollateralStore.sol";

/// @title ICollateralCalendar
/// @notice How far a registration reaches that ended because the vendor did not renew its collateral.
/// @dev Decided by the dates the vendor signed, as the store keeps them, and by nobody's word. Anyone may
/// bring newer collateral to the store, which ends every stretch that older collateral allowed.
/// @dev INTEGRATOR RESPONSIBILITIES. What was revoked in the meantime is not known here: a worker may be
/// stretched whose platform the vendor would revoke. An app that wants none of it bounds the age of
/// collateral in its policy ({Policy-maxCollateralAge}), or asks for a registration's own end.
interface ICollateralCalendar {
    /// @notice The stretch is longer than the vendor's own period.
    /// @custom:remedy Deploy with at most 30 days.
    error StretchTooLong(uint64 stretch, uint64 longest);

    /// @notice The last second of a registration that ended at `end`, for a platform family, by collateral
    /// whose newest document was issued at `collateralFrom`, all Unix times.
    /// @dev It is stretched where a document the store holds for that family ended in that very second, so
    /// that nothing else ended it, and none it holds was issued after `collateralFrom`. Else it is `end`.
    function stretched(uint8 teeType, bytes6 fmspc, uint64 collateralFrom, uint64 end)
        external
        view
        returns (uint64);

    /// @notice Where the signed dates are.
    function STORE() external view returns (ICollateralStore);

    /// @notice Seconds that a registration is stretched, never more. Fixed at deployment.
    function MAX_STRETCH() external view returns (uint64);
}
