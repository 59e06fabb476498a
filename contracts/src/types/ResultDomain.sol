// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {Result, ResultLib} from "./Result.sol";

/// @notice What a worker signs for an oracle, computed without asking the oracle.
library ResultDomain {
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );

    /// @notice The EIP-712 digest of `result` for `oracle` on this chain.
    function digestFor(address oracle, Result memory result) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(separatorFor(oracle), ResultLib.hash(result));
    }

    /// @notice The EIP-712 domain separator of `oracle` on this chain.
    function separatorFor(address oracle) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH,
                keccak256(bytes("Quotary Result")),
                keccak256(bytes("1")),
                block.chainid,
                oracle
            )
        );
    }
}
