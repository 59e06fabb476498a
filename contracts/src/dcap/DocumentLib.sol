// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title DocumentLib
/// @notice The packed form of TCB infos and QE identities: one head, and a section that only its own
/// library reads.
/// @dev Head: issueDate (5), nextUpdate (5), TCB evaluation data number (4), TEE type (1), FMSPC (6)
/// and PCE id (2), zero in QE identities, SHA-256 of the signed bytes (32), SHA-256 of the signer's
/// `tbsCertificate` (32).
library DocumentLib {
    uint256 internal constant HEAD_LENGTH = 87;
    /// @dev Genuine documents have up to 10 kB; this bounds what is read, not the format.
    uint256 internal constant MAX_BYTES = 128 * 1024;

    uint256 internal constant SGX = 1;
    uint256 internal constant TDX = 2;
}

/// @dev What both kinds of documents say of themselves.
struct Document {
    uint256 issueDate;
    uint256 nextUpdate;
    uint256 evaluationNumber;
    uint256 teeType;
    uint256 fmspc;
    uint256 pceId;
    bytes section;
}
