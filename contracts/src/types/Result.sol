// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a worker signs (docs/formats.md, "Result: what a worker signs").
struct Result {
    bytes32 requestId;
    bytes32 appId;
    bytes32 modelId;
    bytes32 weightsRoot;
    bytes32 inputCommitment;
    bytes32 outputHash;
    /// @dev What is compared with other workers' answers: the output's hash, its class or its number.
    bytes32 decision;
    /// @dev The closed round of commitments it was revealed in; zero for an answer of one worker.
    bytes32 round;
    uint64 keyEpoch;
    uint64 policyVersion;
    address worker;
    uint64 units;
    /// @dev Chosen by the worker; salts its commitment.
    uint256 nonce;
    uint64 deadline;
}

/// @notice The hashes of a result.
library ResultLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Result(bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,bytes32 inputCommitment,bytes32 outputHash,bytes32 decision,bytes32 round,uint64 keyEpoch,uint64 policyVersion,address worker,uint64 units,uint256 nonce,uint64 deadline)"
    );

    /// @notice The EIP-712 struct hash of `result`.
    function hash(Result memory result) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, result));
    }

    /// @notice The same of a result in calldata, hashed where it stands. Warning: fields narrower than
    /// a word must have been read before, which reverts where anything stands above them.
    function hashCalldata(Result calldata result) internal pure returns (bytes32 digest) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // Free memory takes the type hash and the 14 words of the result.
            let start := mload(0x40)
            mstore(start, typeHash)
            calldatacopy(add(start, 0x20), result, 448)
            digest := keccak256(start, 480)
        }
    }

    /// @notice The same, taken where the result stands in memory.
    function hashInPlace(Result memory result) internal pure returns (bytes32 digest) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // The word before the result makes room for the type hash, and is put back.
            let start := sub(result, 0x20)
            let before := mload(start)
            mstore(start, typeHash)
            digest := keccak256(start, 480)
            mstore(start, before)
        }
    }

    /// @notice What a worker shows of its answer before it sees any other: a hash that `nonce` salts.
    function commitment(Result memory result) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                result.requestId, result.worker, result.outputHash, result.decision, result.nonce
            )
        );
    }
}
