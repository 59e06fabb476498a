// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";

/// @title CollateralCalendar
/// @notice How far a registration reaches that ended because the vendor did not renew its collateral.
contract CollateralCalendar is ICollateralCalendar {
    /* CONSTANTS */

    /// @notice The longest stretch: collateral that is served lasts thirty days itself.
    uint64 public constant LONGEST_STRETCH = 30 days;

    /// @dev TCB info, QE identity, and the revocation lists of the root and of both PCK CAs: which of the
    /// two a platform's certificate came from is not known of a worker, and what is newer counts anyway.
    uint256 private constant DOCUMENTS = 5;
    uint256 private constant LISTS = 2;

    /* IMMUTABLES */

    /// @inheritdoc ICollateralCalendar
    ICollateralStore public immutable STORE;
    /// @inheritdoc ICollateralCalendar
    uint64 public immutable MAX_STRETCH;

    /* CONSTRUCTOR */

    constructor(ICollateralStore store, uint64 maxStretch) {
        require(address(store) != address(0), IGoverned.ZeroAddress());
        require(maxStretch <= LONGEST_STRETCH, StretchTooLong(maxStretch, LONGEST_STRETCH));
        STORE = store;
        MAX_STRETCH = maxStretch;
    }

    /* VIEWS */

    /// @inheritdoc ICollateralCalendar
    function stretched(uint8 teeType, bytes6 fmspc, uint64 collateralFrom, uint64 end)
        external
        view
        returns (uint64)
    {
        bool ended;
        for (uint256 i = 0; i < DOCUMENTS; ++i) {
            (uint64 issued, uint64 until) = _windowOf(i, teeType, fmspc);
            if (until == 0) {
                // The family's own TCB info comes first: without it nothing is known of the vendor.
                if (i == 0) return end;
                continue;
            }
            if (issued > collateralFrom) return end;
            if (until == end) ended = true;
        }
        return ended ? end + MAX_STRETCH : end;
    }

    /* PRIVATE */

    /// @dev When a document in force was issued and when it ends; zeros where there is none.
    function _windowOf(uint256 document, uint8 teeType, bytes6 fmspc)
        private
        view
        returns (uint64 issued, uint64 until)
    {
        bytes memory packed;
        // Five documents, whatever there is.
        // slither-disable-start calls-loop
        if (document == 0) packed = STORE.tcbInfo(teeType, uint48(fmspc));
        else if (document == 1) packed = STORE.qeIdentity(teeType);
        else packed = STORE.revocationList(document - LISTS);
        // slither-disable-end calls-loop
        if (packed.length == 0) return (0, 0);
        // All of them start with their window, five bytes each.
        uint80 window = uint80(bytes10(packed));
        return (uint64(window >> 40), uint64(window & type(uint40).max));
    }
}
