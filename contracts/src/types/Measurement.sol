// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice The part of a report that says which code runs and how it is configured.
/// @dev Layouts in docs/formats.md: SGX is report body 16..320, TDX is report body 120..520 followed
/// by MRSERVICETD.
library MeasurementLib {
    /// @notice The TEE runs with attributes that open it to others, debug access above all.
    /// @custom:remedy Run the image without debug, provisioning-key and launch-key attributes.
    error AttributesForbidden(uint8 teeType, uint8 flags);

    uint8 internal constant SGX = 1;
    uint8 internal constant TDX = 2;

    uint256 internal constant SGX_LENGTH = 304;
    uint256 internal constant TDX_LENGTH = 448;

    /// @dev ATTRIBUTES start at byte 48 of the SGX report body; the measurement starts at byte 16.
    uint256 private constant SGX_FLAGS_OFFSET = 32;
    /// @dev Bits 1 DEBUG, 4 PROVISION_KEY and 5 EINITTOKEN_KEY of the SGX attribute flags.
    uint8 private constant SGX_FORBIDDEN_FLAGS = 0x32;
    /// @dev TD_ATTRIBUTES lead the TDX measurement. Their first byte is the TUD group: a TD with
    /// any bit of it set is open to its host (TDX module ABI, table 3.23).
    uint256 private constant TDX_ATTRIBUTES_OFFSET = 0;
    uint8 private constant TDX_FORBIDDEN_FLAGS = 0xff;

    /// @notice The length a measurement of `teeType` must have; 0 for a TEE that is not known.
    function lengthOf(uint8 teeType) internal pure returns (uint256) {
        if (teeType == SGX) return SGX_LENGTH;
        if (teeType == TDX) return TDX_LENGTH;
        return 0;
    }

    /// @notice The one hash of a measurement, which registries know it by.
    function idOf(uint8 teeType, bytes memory measurement) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(teeType, measurement));
    }

    /// @notice Reverts with {AttributesForbidden} where `measurement` has attributes that make a TEE
    /// worthless: debug access and, on SGX, the keys reserved to Intel's own enclaves.
    /// @dev `measurement` has the length of its type: whoever made the verdict checked it.
    function requireClosed(uint8 teeType, bytes memory measurement) internal pure {
        bool isSgx = teeType == SGX;
        uint8 flags = uint8(measurement[isSgx ? SGX_FLAGS_OFFSET : TDX_ATTRIBUTES_OFFSET]);
        flags &= isSgx ? SGX_FORBIDDEN_FLAGS : TDX_FORBIDDEN_FLAGS;
        require(flags == 0, AttributesForbidden(teeType, flags));
    }

    /// @notice The first 8 bytes of the attributes, as they stand in `measurement`.
    function attributesOf(uint8 teeType, bytes memory measurement)
        internal
        pure
        returns (bytes8 attributes)
    {
        uint256 offset = 0x20 + (teeType == SGX ? SGX_FLAGS_OFFSET : TDX_ATTRIBUTES_OFFSET);
        assembly ("memory-safe") {
            // The measurement has the length of its type, so 32 bytes from here are inside it.
            attributes := and(mload(add(measurement, offset)), shl(192, 0xffffffffffffffff))
        }
    }
}
