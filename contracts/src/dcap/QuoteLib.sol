// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";

/// @dev What was signed and the signature: memory addresses and lengths.
struct Quote {
    uint256 teeType;
    uint256 signed;
    uint256 signedLength;
    uint256 body;
    uint256 bodyLength;
    uint256 signature;
}

/// @dev What vouches for the attestation key of a quote: memory addresses and lengths. Certification
/// data is a raw quote's only.
struct Endorsement {
    uint256 key;
    uint256 report;
    uint256 reportSignature;
    uint256 auth;
    uint256 authLength;
    uint256 certificationType;
    uint256 certification;
    uint256 certificationLength;
}

/// @title QuoteLib
/// @notice Quotes of versions 3, 4 and 5, raw and compact: parsed strictly, judged by nobody here.
/// @dev Layouts follow Intel's DCAP headers (`sgx_quote_3.h`, `sgx_quote_4.h`, `sgx_quote_5.h`).
library QuoteLib {
    uint256 internal constant SGX = 1;
    uint256 internal constant TDX = 2;

    uint256 internal constant REPORT_LENGTH = 384;
    uint256 internal constant TD_10_LENGTH = 584;
    uint256 internal constant TD_15_LENGTH = 648;
    uint256 internal constant TD_15EX_LENGTH = 885;

    /// @dev Genuine quotes have about 5 kB, and up to 8 kB with the padding of fixed buffers.
    uint256 private constant MAX_BYTES = 32 * 1024;
    uint256 private constant HEADER_LENGTH = 48;
    uint256 private constant DESCRIPTOR_LENGTH = 6;
    uint256 private constant TD_10_SIGNED = HEADER_LENGTH + TD_10_LENGTH;
    uint256 private constant INTEL_VENDOR = 0x939a7233f79c4ca9940a0db3957f0607;
    uint256 private constant NESTED = 6;
    /// @dev The first 12 bytes of a quote of version 4 by a TD, and the vendor after them.
    uint256 private constant TD_10_HEADER =
        0x040002008100000000000000939a7233f79c4ca9940a0db3957f0607;

    /// @notice Parses a raw quote into `quote` and `endorsement`, which are empty, and requires Intel's
    /// quoting enclave (step 1). After its signature data only zero padding may follow.
    function parseRaw(Quote memory quote, Endorsement memory endorsement, bytes memory data)
        internal
        pure
    {
        check(data.length <= MAX_BYTES, "INPUT_TOO_LARGE");
        unchecked {
            uint256 p = Mem.at(data);
            uint256 end = p + data.length;
            bool isNested = Mem.u8(p) != 3; // the version, judged with the header
            p = _signed(quote, p, end);
            check(p + 4 <= end, "QUOTE_TRUNCATED");
            uint256 length = _little(p, 4);
            check(length <= MAX_BYTES, "LENGTH_OUT_OF_RANGE");
            p += 4;
            check(length <= end - p, "QUOTE_TRUNCATED");
            _requireZero(p + length, end - p - length, "QUOTE_TRAILING_BYTES");
            end = p + length;
            check(length >= 128, "LENGTH_OUT_OF_RANGE");
            quote.signature = p;
            endorsement.key = p + 64;
            p += 128;
            if (isNested) {
                check(p + 2 <= end, "LENGTH_OUT_OF_RANGE");
                check(_little(p, 2) == NESTED, "CERT_DATA_TYPE_UNSUPPORTED");
                _requireRest(p + 2, end);
                p += 6;
            }
            p = _endorsement(endorsement, p, end);
            check(p + 2 <= end, "LENGTH_OUT_OF_RANGE");
            uint256 kind = _little(p, 2);
            check(kind != 0 && kind < 6, "CERT_DATA_TYPE_UNSUPPORTED");
            _requireRest(p + 2, end);
            endorsement.certificationType = kind;
            endorsement.certification = p + 6;
            endorsement.certificationLength = end - p - 6;
        }
        _requireVendor(quote); // 1
    }

    /// @notice Parses a compact quote into `quote`, which is empty: header, body and signature, nothing
    /// else. Requires Intel's quoting enclave (step 1).
    function parseCompact(Quote memory quote, bytes memory data) internal pure {
        unchecked {
            uint256 p = Mem.at(data);
            uint256 length = data.length;
            if (Mem.word(p) >> 32 == TD_10_HEADER && length == TD_10_SIGNED + 64) {
                // What most quotes are; the rules below would say the same.
                quote.teeType = TDX;
                quote.signed = p;
                quote.signedLength = TD_10_SIGNED;
                quote.body = p + HEADER_LENGTH;
                quote.bodyLength = TD_10_LENGTH;
                quote.signature = p + TD_10_SIGNED;
                return;
            }
            check(length <= MAX_BYTES, "INPUT_TOO_LARGE");
            uint256 end = p + length;
            p = _signed(quote, p, end);
            check(p + 64 <= end, "QUOTE_TRUNCATED");
            check(p + 64 == end, "QUOTE_TRAILING_BYTES");
            quote.signature = p;
        }
        _requireVendor(quote); // 1
    }

    /// @notice Parses what vouches for the attestation key of a compact quote into `endorsement`, which
    /// is empty: the key, the QE report, its signature and the QE authentication data, all that is left.
    function parseEndorsement(Endorsement memory endorsement, bytes memory data) internal pure {
        check(data.length <= MAX_BYTES, "INPUT_TOO_LARGE");
        check(data.length >= 64 + REPORT_LENGTH + 64, "LENGTH_OUT_OF_RANGE");
        unchecked {
            uint256 p = Mem.at(data);
            endorsement.key = p;
            endorsement.report = p + 64;
            _requireReportReserved(p + 64);
            endorsement.reportSignature = p + 64 + REPORT_LENGTH;
            endorsement.auth = p + 128 + REPORT_LENGTH;
            endorsement.authLength = data.length - 128 - REPORT_LENGTH;
        }
    }

    /// @notice Whether the body is a TD report 1.5 or later.
    function isTd15(Quote memory quote) internal pure returns (bool) {
        return quote.bodyLength >= TD_15_LENGTH;
    }

    function _requireVendor(Quote memory quote) private pure {
        unchecked {
            check(Mem.word(quote.signed + 12) >> 128 == INTEL_VENDOR, "QE_VENDOR_MISMATCH");
        }
    }

    /// @dev Header and body; returns where they end.
    function _signed(Quote memory quote, uint256 p, uint256 end) private pure returns (uint256) {
        unchecked {
            check(p + HEADER_LENGTH <= end, "QUOTE_TRUNCATED");
            quote.signed = p;
            uint256 version = _little(p, 2);
            check(version > 2 && version < 6, "UNSUPPORTED_QUOTE_VERSION");
            check(_little(p + 2, 2) == 2, "UNSUPPORTED_ATT_KEY_TYPE");
            uint256 tee = _little(p + 4, 4);
            check(version != 3 || tee == 0, "TEE_TYPE_VERSION_MISMATCH");
            check(tee == 0 || tee == 0x81, "UNSUPPORTED_TEE_TYPE");
            check(version == 3 || Mem.number(p + 8, 4) == 0, "RESERVED_NONZERO");
            quote.teeType = tee == 0 ? SGX : TDX;
            uint256 length = tee == 0 ? REPORT_LENGTH : TD_10_LENGTH;
            p += HEADER_LENGTH;
            if (version == 5) {
                check(p + DESCRIPTOR_LENGTH <= end, "QUOTE_TRUNCATED");
                uint256 kind = _little(p, 2);
                check(kind != 0 && kind < 5, "BODY_TYPE_UNSUPPORTED");
                length = _lengthOf(kind);
                check(_little(p + 2, 4) == length, "BODY_SIZE_MISMATCH");
                check((kind == 1) == (tee == 0), "TEE_TYPE_VERSION_MISMATCH");
                p += DESCRIPTOR_LENGTH;
            }
            check(p + length <= end, "QUOTE_TRUNCATED");
            quote.body = p;
            quote.bodyLength = length;
            if (tee == 0) _requireReportReserved(p);
            p += length;
            quote.signedLength = p - quote.signed;
            return p;
        }
    }

    /// @dev QE report, its signature and QE authentication data; returns where they end.
    function _endorsement(Endorsement memory endorsement, uint256 p, uint256 end)
        private
        pure
        returns (uint256)
    {
        unchecked {
            check(p + REPORT_LENGTH + 66 <= end, "LENGTH_OUT_OF_RANGE");
            endorsement.report = p;
            _requireReportReserved(p);
            endorsement.reportSignature = p + REPORT_LENGTH;
            p += REPORT_LENGTH + 66;
            uint256 length = _little(p - 2, 2);
            check(p + length <= end, "QE_AUTH_LEN_INVALID");
            endorsement.auth = p;
            endorsement.authLength = length;
            return p + length;
        }
    }

    function _lengthOf(uint256 kind) private pure returns (uint256) {
        if (kind == 1) return REPORT_LENGTH;
        if (kind == 2) return TD_10_LENGTH;
        return kind == 3 ? TD_15_LENGTH : TD_15EX_LENGTH;
    }

    /// @dev The words between the fields of a report are reserved and zero (Intel SDM, REPORT).
    function _requireReportReserved(uint256 p) private pure {
        unchecked {
            uint256 bits = Mem.number(p + 20, 12) | Mem.word(p + 96) | Mem.word(p + 160)
                | Mem.word(p + 262) | Mem.number(p + 294, 10);
            check(bits == 0, "RESERVED_NONZERO");
        }
    }

    /// @dev A length of four bytes that says what is left.
    function _requireRest(uint256 p, uint256 end) private pure {
        unchecked {
            check(p + 4 <= end && _little(p, 4) == end - p - 4, "LENGTH_OUT_OF_RANGE");
        }
    }

    function _requireZero(uint256 p, uint256 length, bytes32 reason) private pure {
        unchecked {
            for (; length > 31; length -= 32) {
                if (Mem.word(p) != 0) refuse(reason);
                p += 32;
            }
        }
        if (Mem.number(p, length) != 0) refuse(reason);
    }

    /// @dev A little-endian number of two or four bytes.
    function _little(uint256 p, uint256 length) private pure returns (uint256) {
        uint256 n = Mem.number(p, length);
        if (length == 2) return (n >> 8) | (n & 0xff) << 8;
        return (n >> 24) | ((n >> 8) & 0xff00) | (n & 0xff00) << 8 | (n & 0xff) << 24;
    }
}
