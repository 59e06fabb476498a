// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Document} from "./DocumentLib.sol";
import {QeIdentityLib} from "./QeIdentityLib.sol";
import {TcbInfoLib} from "./TcbInfoLib.sol";

/// @title DocumentParser
/// @notice Reads the JSON that Intel signs, and packs it. A part of {CollateralStore}: apart only
/// because one contract may not be that long (EIP-170), nor its creation code (EIP-3860).
/// @dev Parsing proves nothing: no signature is looked at here. Stateless.
contract DocumentParser {
    /// @notice Parses a TCB info: the signed object's very bytes.
    function parseTcbInfo(bytes calldata json) external pure returns (Document memory) {
        return TcbInfoLib.parse(json);
    }

    /// @notice Parses a QE identity: the signed object's very bytes.
    function parseQeIdentity(bytes calldata json) external pure returns (Document memory) {
        return QeIdentityLib.parse(json);
    }
}
