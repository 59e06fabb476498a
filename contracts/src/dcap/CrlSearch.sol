// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title CrlSearch
/// @notice Looks a serial number up in a packed revocation list where it is kept, without reading all of
/// it: single entries, then a stretch of at most 64; of a long list in the one part that may have it.
/// @dev Assembly, as a platform's first verification under a list waits for it; tests hold it to
/// {CrlLib-lists}, whose layout it knows.
library CrlSearch {
    /// @notice Whether `serial` is in the list that the code of `account` keeps.
    function lists(address account, uint256 serial) internal view returns (bool found) {
        assembly ("memory-safe") {
            let low := 45 // SSTORE2's byte and the head, then entries of 20 bytes, ascending
            let high := extcodesize(account)
            if and(gt(high, low), iszero(iszero(mod(sub(high, low), 20)))) {
                // A long list: the last of its parts that does not begin above the serial, if any.
                let p := mload(0x40) // beyond the free memory pointer, which stays
                extcodecopy(account, p, low, sub(high, low))
                let q := add(p, sub(high, 86)) // behind 45 bytes and before the last: 40 each
                for {} and(iszero(lt(q, p)), gt(shr(96, mload(q)), serial)) { q := sub(q, 40) } {}
                account := shr(96, mload(add(q, 20)))
                low := 1 // SSTORE2's byte
                high := mul(extcodesize(account), iszero(lt(q, p)))
            }
            // The entry at `low` is not above the serial, if any is not; the one at `high` is.
            for {} gt(high, add(low, 1280)) {} {
                // The remainder is dropped on purpose: entries are whole.
                // slither-disable-next-line divide-before-multiply
                let middle := add(low, mul(20, div(sub(high, low), 40)))
                extcodecopy(account, 0, middle, 20) // scratch space
                if gt(shr(96, mload(0)), serial) {
                    high := middle
                    continue
                }
                low := middle
            }
            if gt(high, low) {
                let p := mload(0x40) // beyond the free memory pointer, which stays
                let end := add(p, sub(high, low))
                extcodecopy(account, p, low, sub(high, low))
                // 32, 16, 8, 4, 2 entries and one further, where that is not too far.
                let q := add(p, 640)
                p := add(p, mul(640, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                q := add(p, 320)
                p := add(p, mul(320, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                q := add(p, 160)
                p := add(p, mul(160, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                q := add(p, 80)
                p := add(p, mul(80, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                q := add(p, 40)
                p := add(p, mul(40, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                q := add(p, 20)
                p := add(p, mul(20, lt(gt(shr(96, mload(q)), serial), lt(q, end))))
                found := eq(shr(96, mload(p)), serial)
            }
        }
    }
}
