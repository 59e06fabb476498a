// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice A point of the curve's group G1; (0, 0) is the point at infinity.
struct G1 {
    uint256 x;
    uint256 y;
}

/// @notice A point of the group G2 on the twist. Imaginary parts come first, as the pairing
/// precompile reads them (EIP-197).
struct G2 {
    uint256 xImaginary;
    uint256 xReal;
    uint256 yImaginary;
    uint256 yReal;
}

/// @title Bn254
/// @notice The curve alt_bn128 through the precompiles of EIP-196 and EIP-197.
/// @dev A precompile refuses a point off the curve or outside its group by failing; a failure and an
/// answer of another length than promised both revert with {Bn254PointInvalid}.
library Bn254 {
    /// @notice A point is not on the curve, or not in the group it must be of.
    /// @custom:remedy Take the proof from the prover again; it was changed, or is for another curve.
    error Bn254PointInvalid();

    /// @dev The field of the coordinates.
    uint256 internal constant P =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// @dev The order of the groups: scalars and public inputs are below it.
    uint256 internal constant R =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    address private constant ADD = address(6);
    address private constant MULTIPLY = address(7);

    /// @notice `left + right`.
    function add(G1 memory left, G1 memory right) internal view returns (G1 memory) {
        uint256[4] memory words = [left.x, left.y, right.x, right.y];
        return _point(ADD, words);
    }

    /// @notice `scalar * point`.
    function multiply(G1 memory point, uint256 scalar) internal view returns (G1 memory) {
        // The precompile reads three words.
        uint256[4] memory words = [point.x, point.y, scalar, 0];
        return _point(MULTIPLY, words);
    }

    /// @notice `scalar * (x, y) + (addedX, addedY)`, without allocating.
    function multiplyAdd(uint256 x, uint256 y, uint256 scalar, uint256 addedX, uint256 addedY)
        internal
        view
        returns (uint256 sumX, uint256 sumY)
    {
        bool sound;
        assembly ("memory-safe") {
            let free := mload(0x40) // memory that nothing else uses; it is not kept
            mstore(free, x)
            mstore(add(free, 0x20), y)
            mstore(add(free, 0x40), scalar)
            sound := staticcall(gas(), 7, free, 0x60, free, 0x40) // EIP-196, multiplication
            sound := and(sound, eq(returndatasize(), 0x40))
            mstore(add(free, 0x40), addedX)
            mstore(add(free, 0x60), addedY)
            let added := staticcall(gas(), 6, free, 0x80, free, 0x40) // EIP-196, addition
            sound := and(sound, and(added, eq(returndatasize(), 0x40)))
            sumX := mload(free)
            sumY := mload(add(free, 0x20))
        }
        require(sound, Bn254PointInvalid());
    }

    /// @notice Whether the product of four pairings, each a G1 point and a G2 point, is one.
    function pairingIsOne(uint256[24] memory words) internal view returns (bool one) {
        bool sound;
        assembly ("memory-safe") {
            // The precompile of EIP-197; its answer goes to scratch space.
            sound := staticcall(gas(), 8, words, 768, 0, 32)
            sound := and(sound, eq(returndatasize(), 32))
            one := eq(mload(0), 1)
        }
        require(sound, Bn254PointInvalid());
    }

    /// @notice Requires that `point` is on the twist and in G2.
    function requireInG2(G2 memory point) internal view {
        // Infinity paired with it is one, but only where the precompile takes it.
        uint256[24] memory words;
        (words[2], words[3]) = (point.xImaginary, point.xReal);
        (words[4], words[5]) = (point.yImaginary, point.yReal);
        pairingIsOne(words);
    }

    function _point(address precompile, uint256[4] memory words)
        private
        view
        returns (G1 memory result)
    {
        bool sound;
        assembly ("memory-safe") {
            sound := staticcall(gas(), precompile, words, 128, result, 64)
            sound := and(sound, eq(returndatasize(), 64))
        }
        require(sound, Bn254PointInvalid());
    }
}
