// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";

/// @title StoreCall
/// @notice The one question that every verification asks the store.
/// @dev Assembly to spare what encoding and decoding cost; tests hold it to the plain call.
library StoreCall {
    /// @notice {ICollateralStore-assembledAt}; zero as well where the store answers anything but one
    /// word, and then it is asked in full.
    function assembledAt(ICollateralStore store, uint256 family)
        internal
        view
        returns (address pointer)
    {
        bytes4 selector = ICollateralStore.assembledAt.selector;
        assembly ("memory-safe") {
            mstore(0, selector) // scratch space
            mstore(0x04, family)
            let success := staticcall(gas(), store, 0, 0x24, 0, 0x20)
            pointer := mul(mload(0), and(success, eq(returndatasize(), 0x20)))
        }
    }
}
