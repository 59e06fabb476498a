// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title JcsLib
/// @notice Walks over JSON in its canonical form (RFC 8785): no white space, every key once.
/// @dev For documents that attested code signed: what stands where is read as any JSON reader would,
/// text with escapes included; that a document is well-formed throughout is its signer's business.
library JcsLib {
    /// @notice The document is not of the form that was expected, at this byte.
    /// @custom:remedy Send the canonical form (RFC 8785), byte for byte as it was signed.
    error DocumentMalformed(uint256 at);

    /// @notice The document is too long.
    /// @custom:remedy Use a service whose documents have at most `maximum` bytes.
    error DocumentTooLarge(uint256 actual, uint256 maximum);

    bytes1 private constant QUOTE = 0x22;
    bytes1 private constant BACKSLASH = 0x5c;
    bytes1 private constant COMMA = 0x2c;
    /// @dev `sha256:`, in front of digests.
    bytes7 private constant DIGEST = "sha256:";
    uint256 private constant DIGEST_LENGTH = 7 + 64 + 2;
    /// @dev Longest document, in bytes: to read one of this size fits a transaction (EIP-7825).
    uint256 private constant MAX_LENGTH = 16384;

    /// @notice Behind the first byte of a whole document, which must be `wanted`.
    function open(bytes calldata document, bytes1 wanted) internal pure returns (uint256) {
        uint256 length = document.length;
        require(length <= MAX_LENGTH, DocumentTooLarge(length, MAX_LENGTH));
        return expect(document, 0, wanted);
    }

    /// @notice Behind the byte `wanted`, which must stand at `at`.
    function expect(bytes calldata document, uint256 at, bytes1 wanted)
        internal
        pure
        returns (uint256)
    {
        require(at < document.length && document[at] == wanted, DocumentMalformed(at));
        return at + 1;
    }

    /// @notice The member of an object at `at`: the hash of its name, and where its value is.
    function member(bytes calldata document, uint256 at)
        internal
        pure
        returns (bytes32 name, uint256 value, uint256 end)
    {
        end = _skipText(document, at);
        name = keccak256(document[at + 1:end - 1]);
        value = expect(document, end, ":");
        end = skip(document, value);
    }

    /// @notice Behind a comma, where the list or object goes on; else behind `close`, where it ends.
    function next(bytes calldata document, uint256 at, bytes1 close)
        internal
        pure
        returns (uint256, bool more)
    {
        if (at < document.length && document[at] == COMMA) return (at + 1, true);
        return (expect(document, at, close), false);
    }

    /// @notice Behind the value at `at`, whatever it is.
    function skip(bytes calldata document, uint256 at) internal pure returns (uint256) {
        uint256 start = at;
        uint256 depth = 0;
        while (at < document.length) {
            bytes1 c = document[at];
            if (c == QUOTE) {
                at = _skipText(document, at);
                if (depth == 0) return at;
                continue;
            }
            if (c == "{" || c == "[") ++depth;
            else if (depth == 0 && (c == COMMA || c == "}" || c == "]")) break;
            else if (c == "}" || c == "]") --depth;
            ++at;
            if (depth == 0 && (c == "}" || c == "]")) return at;
        }
        // A number, true, false or null, and nothing less.
        require(at > start && depth == 0, DocumentMalformed(start));
        return at;
    }

    /// @notice The hash of the text from `start` to `end`, as it is written between its quotes.
    function text(bytes calldata document, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32)
    {
        require(document[start] == QUOTE, DocumentMalformed(start));
        return keccak256(document[start + 1:end - 1]);
    }

    /// @notice The digest from `start` to `end`, written `"sha256:<64 digits>"` in small letters.
    function digest(bytes calldata document, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32)
    {
        require(
            end - start == DIGEST_LENGTH && bytes7(document[start + 1:start + 8]) == DIGEST,
            DocumentMalformed(start)
        );
        return bytes32(hexadecimal(document, start + 8, 32));
    }

    /// @notice The number whose `length` bytes, at most 32, stand in small hexadecimal digits at `at`.
    function hexadecimal(bytes calldata document, uint256 at, uint256 length)
        internal
        pure
        returns (uint256 value)
    {
        for (uint256 end = at + 2 * length; at < end; ++at) {
            uint256 digit = uint8(document[at]);
            if (digit >= 0x61 && digit <= 0x66) digit -= 0x57;
            else if (digit >= 0x30 && digit <= 0x39) digit -= 0x30;
            else revert DocumentMalformed(at);
            value = value << 4 | digit;
        }
    }

    /// @notice The integer from `start` to `end`, below 2^64.
    function number(bytes calldata document, uint256 start, uint256 end)
        internal
        pure
        returns (uint64)
    {
        uint256 value = 0;
        require(end - start < 20, DocumentMalformed(start));
        for (uint256 at = start; at < end; ++at) {
            uint256 digit = uint256(uint8(document[at])) ^ 0x30;
            require(digit < 10, DocumentMalformed(at));
            value = 10 * value + digit;
        }
        return uint64(value); // 19 digits fit
    }

    /// @dev Behind the text at `at`.
    function _skipText(bytes calldata document, uint256 at) private pure returns (uint256) {
        uint256 start = at;
        at = expect(document, at, QUOTE);
        while (at < document.length) {
            bytes1 c = document[at++];
            if (c == QUOTE) return at;
            if (c == BACKSLASH) ++at;
        }
        revert DocumentMalformed(start);
    }
}
