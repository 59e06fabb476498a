// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a verifier found in a quote. Its ABI encoding is the journal.
/// @dev Field by field in docs/formats.md, "Journal: one verdict, one encoding". Times are Unix
/// seconds; bounds are inclusive.
struct Verdict {
    uint16 version;
    uint8 teeType;
    uint8 tcbStatus;
    uint64 verifiedAt;
    uint64 validFrom;
    uint64 validUntil;
    uint64 tcbDate;
    uint32 tcbEvaluationDataNumber;
    bytes6 fmspc;
    bytes32 quoteHash;
    bytes32 measurementId;
    bytes32 platformId;
    bytes32 attestationKeyId;
    bytes32 rootKeyHash;
    bytes32[6] collateralHashes;
    bytes32 advisoriesHash;
    bytes32[] advisories;
    bytes measurement;
    bytes reportData;
}

/// @notice The one encoding and the one hash of a verdict.
library VerdictLib {
    uint16 internal constant VERSION = 1;

    uint8 internal constant TCB_UP_TO_DATE = 1;
    uint8 internal constant TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = 8;

    /// @dev Report data is 64 bytes in every TEE known so far.
    uint256 internal constant REPORT_DATA_LENGTH = 64;

    /// @notice The journal: the canonical ABI encoding of `verdict`.
    function encode(Verdict memory verdict) internal pure returns (bytes memory) {
        return abi.encode(verdict);
    }

    /// @notice The digest a journal is known by, as RISC Zero digests journals.
    function digest(bytes memory journal) internal pure returns (bytes32) {
        return sha256(journal);
    }
}
