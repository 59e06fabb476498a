// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralLib} from "../dcap/CollateralLib.sol";
import {Mem} from "../dcap/Mem.sol";
import {ICollateralHashes} from "../interfaces/ICollateralHashes.sol";
import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";

/// @title StoredCollateralHashes
/// @notice The hashes of the collateral that a {CollateralStore} has in force.
/// @dev Cheap where the store keeps the family's collateral in one piece: see
/// {ICollateralStore-assemble}.
contract StoredCollateralHashes is ICollateralHashes {
    /// @notice Where the collateral is kept.
    ICollateralStore public immutable STORE;

    constructor(ICollateralStore store) {
        require(address(store) != address(0), IGoverned.ZeroAddress());
        STORE = store;
    }

    /// @inheritdoc ICollateralHashes
    function collateralHashes(uint256 teeType, bytes6 fmspc, uint256 authority)
        external
        view
        returns (bytes32[6] memory hashes)
    {
        bytes memory packed = STORE.collateral(teeType, uint48(fmspc), authority);
        uint256 place = CollateralLib.hashes(Mem.at(packed));
        for (uint256 i = 0; i < 6; ++i) {
            hashes[i] = bytes32(Mem.word(place + 32 * i));
        }
    }
}
