// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title SubjectLib
/// @notice What a policy can name, in 32 bytes: FMSPCs (6 bytes), advisory ids, platform and
/// measurement ids and workers (20), all left aligned; and proof kinds, which are numbers.
library SubjectLib {
    /// @notice What `subject` is known by: its first 20 bytes, or the number it is.
    function key(bytes32 subject) internal pure returns (bytes32) {
        bytes32 start = bytes20(subject);
        return start == 0 ? subject : start;
    }

    /// @notice How a worker is named.
    function ofWorker(address worker) internal pure returns (bytes32) {
        return bytes20(worker);
    }

    /// @notice Whether `subject` may be a single platform or worker: an id of which there is more than
    /// an FMSPC has. It never misses one, but for the odd hash in 2^112.
    function mayBePerson(bytes32 subject) internal pure returns (bool) {
        return bytes20(subject) << 48 != 0;
    }
}
