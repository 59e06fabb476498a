// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice The claim of a guest that halted with code 0, without assumptions, and its digest.
/// @dev RISC Zero digests a struct as sha256(tag ‖ child digests ‖ data ‖ number of children), with
/// numbers little-endian: uint32 for data, uint16 for the count.
library ReceiptClaim {
    /// @dev sha256("risc0.ReceiptClaim")
    bytes32 private constant CLAIM_TAG =
        0xcb1fefcd1f2d9a64975cbbbf6e161e2914434b0cbb9960b84df5d717e86b48af;
    /// @dev sha256("risc0.Output")
    bytes32 private constant OUTPUT_TAG =
        0x77eafeb366a78b47747de0d7bb176284085ff5564887009a5be63da32d3559d4;
    /// @dev Digest of the system state with program counter 0 and zero memory root, which a halted
    /// guest ends in: sha256(sha256("risc0.SystemState") ‖ 0^32 ‖ uint32(0) ‖ uint16(1) LE).
    bytes32 private constant HALTED_STATE =
        0xa3acc27117418996340b84e5a90f3ef4c49d22c79e44aad822ec9c313e1eb8e2;

    /// @notice The digest of the claim that `imageId` halted well and committed to `journalDigest`.
    function digestOf(bytes32 imageId, bytes32 journalDigest) internal pure returns (bytes32) {
        bytes32 noAssumptions = 0;
        bytes32 noInput = 0;
        uint64 haltedWithZero = 0; // system and user exit code, a uint32 each
        bytes32 output =
            sha256(abi.encodePacked(OUTPUT_TAG, journalDigest, noAssumptions, bytes2(0x0200)));
        return sha256(
            abi.encodePacked(
                CLAIM_TAG, noInput, imageId, HALTED_STATE, output, haltedWithZero, bytes2(0x0400)
            )
        );
    }
}
