// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title StandingMatch
/// @notice Whether a platform is in good standing under its family's collateral, and for how long.
/// @dev Assembly for what every verification asks, in one go; {DcapSteps} says rule by rule what does
/// not hold, and tests hold each function to those rules. Places are those of {CollateralLib} and
/// {PlatformRecord}.
library StandingMatch {
    /// @notice Whether `time` is inside the windows of collateral and PCK certificate, and PCE id, FMSPC,
    /// authority and its key's epoch are the same in both; and whether `stamp` is that of the list in
    /// force.
    function holds(uint256 set, uint256 record, uint256 stamp, uint256 time)
        internal
        pure
        returns (bool fine, bool lookedUp)
    {
        assembly ("memory-safe") {
            let numbers := mload(add(set, 94))
            lookedUp := eq(and(shr(136, numbers), 0xffffff), stamp)
            fine := eq(shr(168, numbers), shr(168, mload(add(record, 50))))
            let from := mload(set) // validFrom (5), validUntil (5)
            let own := mload(add(record, 81)) // notBefore (5), notAfter (5)
            let outside := or(lt(time, shr(216, from)), lt(time, shr(216, own)))
            outside := or(outside, gt(time, and(shr(176, from), 0xffffffffff)))
            outside := or(outside, gt(time, and(shr(176, own), 0xffffffffff)))
            fine := gt(fine, outside)
        }
    }

    /// @notice The part that the windows of collateral and PCK certificate share.
    function window(uint256 set, uint256 record)
        internal
        pure
        returns (uint256 from, uint256 until)
    {
        assembly ("memory-safe") {
            let all := mload(set)
            let own := mload(add(record, 81))
            from := shr(216, all)
            until := and(shr(176, all), 0xffffffffff)
            let other := shr(216, own)
            from := xor(from, mul(xor(from, other), gt(other, from))) // the later
            other := and(shr(176, own), 0xffffffffff)
            until := xor(until, mul(xor(until, other), lt(other, until))) // the earlier
        }
    }
}
