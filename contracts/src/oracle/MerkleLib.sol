// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title MerkleLib
/// @notice The root of a Merkle tree of keccak256 whose pairs are hashed in ascending order.
library MerkleLib {
    /// @notice The path is longer than that of any leaf.
    /// @custom:remedy Send one sibling for each level of the tree.
    error PathTooLong(uint256 actual, uint256 maximum);

    /// @dev A tree counts its leaves in 64 bits.
    uint256 private constant MAX_PATH_LENGTH = 64;

    /// @notice The root that `path` leads to from `leaf`.
    function rootOf(bytes32[] calldata path, bytes32 leaf) internal pure returns (bytes32 root) {
        uint256 length = path.length;
        require(length <= MAX_PATH_LENGTH, PathTooLong(length, MAX_PATH_LENGTH));
        root = leaf;
        assembly ("memory-safe") {
            let end := add(path.offset, shl(5, path.length))
            for { let at := path.offset } lt(at, end) { at := add(at, 0x20) } {
                let sibling := calldataload(at)
                // Scratch space takes the pair: where the greater of the two goes, 0x20.
                let place := shl(5, gt(root, sibling))
                mstore(place, root)
                mstore(xor(place, 0x20), sibling)
                root := keccak256(0x00, 0x40)
            }
        }
    }
}
