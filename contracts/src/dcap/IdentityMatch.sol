// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IdentityMatch
/// @notice Whether reports fit the identities that Intel signed.
/// @dev Assembly for what every verification asks, in one go; {TcbLib} says rule by rule what does not
/// fit, and tests hold each function to those rules. Places are those of {QeIdentityLib},
/// {TdxModuleLib} and {PlatformRecord}.
library IdentityMatch {
    /// @notice Whether the quoting enclave whose MISCSELECT (4), ATTRIBUTES (16), MRSIGNER (32) and
    /// ISVPRODID (2) are at `report` is the one that the section at `qe` identifies, and no debug one.
    function enclave(uint256 qe, uint256 report) internal pure returns (bool fits) {
        assembly ("memory-safe") {
            let have := mload(report)
            let bits := shr(96, and(have, mload(add(qe, 27)))) // under the masks
            fits := eq(bits, shr(96, mload(add(qe, 7))))
            fits := and(fits, iszero(and(byte(4, have), 2))) // DEBUG
            fits := and(fits, eq(mload(add(report, 20)), mload(add(qe, 47)))) // MRSIGNER
            let product := xor(mload(add(report, 52)), mload(add(qe, 79)))
            fits := and(fits, iszero(shr(240, product)))
        }
    }

    /// @notice Whether the TDX module of the TD report at `body` is the one whose MRSIGNER (48),
    /// attributes (8) and mask (8) are at `identity`.
    function module(uint256 identity, uint256 body) internal pure returns (bool fits) {
        assembly ("memory-safe") {
            let have := mload(add(body, 96)) // 16 bytes of MRSIGNERSEAM, 8 of SEAMATTRIBUTES, 8 others
            let need := mload(add(identity, 32))
            fits := eq(mload(add(body, 64)), mload(identity))
            fits := and(fits, eq(shr(128, have), shr(128, need)))
            // What the mask leaves of the identity; of the report, outside the mask too.
            let bits := and(and(need, shr(64, need)), 0xffffffffffffffff)
            fits := and(fits, eq(and(shr(64, have), 0xffffffffffffffff), bits))
        }
    }
}
