// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title VerdictReader
/// @notice Reads a verdict where a verifier left it, without decoding what is not asked for.
/// @dev A verifier is a contract that governance admitted; still nothing is read from elsewhere.
library VerdictReader {
    /// @notice A verifier answered with something that is no verdict.
    /// @custom:remedy Do not use this route: its verifier is broken.
    error AnswerMalformed(uint256 length);

    /// @dev Places of the fields of {Verdict} in its encoding, in words.
    uint256 internal constant TEE_TYPE = 2;
    uint256 internal constant TCB_STATUS = 3;
    uint256 internal constant VERIFIED_AT = 4;
    uint256 internal constant VALID_FROM = 5;
    uint256 internal constant VALID_UNTIL = 6;
    uint256 internal constant EVALUATION_NUMBER = 8;
    uint256 internal constant FMSPC = 9;
    uint256 internal constant QUOTE_HASH = 10;
    uint256 internal constant MEASUREMENT_ID = 11;
    uint256 internal constant PLATFORM_ID = 12;
    uint256 internal constant ROOT_KEY_HASH = 14;
    uint256 internal constant ADVISORIES_HASH = 21;
    uint256 private constant REPORT_DATA_AT = 24;

    uint256 private constant HEAD_LENGTH = 25 * 32;

    /// @notice Requires that the words named here, and 64 bytes of report data, lie in `verdict`.
    function requireWhole(bytes memory verdict) internal pure {
        unchecked {
            uint256 length = verdict.length;
            bool sound = length >= HEAD_LENGTH + 96;
            // Report data is led by its length; offsets are counted behind the first word.
            uint256 place = sound ? uint256(word(verdict, REPORT_DATA_AT)) : 0;
            sound = sound && place <= length - 128 && word(verdict, 0) == bytes32(uint256(32));
            require(sound, AnswerMalformed(length));
        }
    }

    /// @notice The word at `place`, which is one of those named here.
    function word(bytes memory verdict, uint256 place) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(add(add(verdict, 0x20), shl(5, place))) // inside: {requireWhole}
        }
    }

    /// @notice The number at `place`.
    function number(bytes memory verdict, uint256 place) internal pure returns (uint256) {
        return uint256(word(verdict, place));
    }

    /// @notice The two words of report data.
    function reportData(bytes memory verdict)
        internal
        pure
        returns (bytes32 first, bytes32 second)
    {
        uint256 offset = number(verdict, REPORT_DATA_AT);
        assembly ("memory-safe") {
            let data := add(add(verdict, 0x40), offset) // its length
            first := mload(add(data, 0x20)) // inside: {requireWhole}
            second := mload(add(data, 0x40))
        }
    }
}
