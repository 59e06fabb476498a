// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a worker's quote binds beside its address (docs/formats.md, layout "extended").
struct WorkerBinding {
    uint16 version;
    uint256 chainId;
    address registry;
    bytes32 appId;
    address operator;
    bytes32 encryptionKey;
    uint64 challengeBlock;
    bytes32 challenge;
}

/// @notice The one hash of a binding and the challenge inside it.
library WorkerBindingLib {
    uint16 internal constant VERSION = 1;

    /// @notice The hash that bytes 20..52 of the report data hold.
    function hash(WorkerBinding memory binding) internal pure returns (bytes32) {
        return keccak256(abi.encode(binding));
    }

    /// @notice The challenge for the block whose hash is `blockHash`.
    function challengeOf(uint256 chainId, address registry, bytes32 blockHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(chainId, registry, blockHash));
    }

    /// @notice The three parts of report data: `address ‖ hash of the binding ‖ zeros`.
    function split(bytes32 first, bytes32 second)
        internal
        pure
        returns (address worker, bytes32 bindingHash, bytes12 tail)
    {
        worker = address(bytes20(first));
        bindingHash = bytes32((uint256(first) << 160) | (uint256(second) >> 96));
        tail = bytes12(second << 160);
    }
}
