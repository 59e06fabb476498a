// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {VerdictReader} from "../types/VerdictReader.sol";
import {WorkerBinding, WorkerBindingLib} from "../types/WorkerBinding.sol";

/// @title BindingLib
/// @notice What a worker's quote must bind before a registry takes it (docs/formats.md, "extended").
library BindingLib {
    /// @notice The key that the report data of `verdict` binds to this chain, `registry` and an app;
    /// reverts with the reason where it does not.
    /// @dev All 64 bytes of the report data have one meaning: address, hash of the binding, zeros.
    function requireBound(bytes memory verdict, WorkerBinding calldata binding, address registry)
        internal
        view
        returns (address worker)
    {
        uint16 version = binding.version;
        require(
            version == WorkerBindingLib.VERSION,
            IWorkerRegistry.BindingVersionUnsupported(version, WorkerBindingLib.VERSION)
        );
        uint256 chainId = binding.chainId;
        require(chainId == block.chainid, IWorkerRegistry.WrongChain(chainId, block.chainid));
        address meant = binding.registry;
        require(meant == registry, IWorkerRegistry.WrongRegistry(meant, registry));
        require(binding.appId != 0, IWorkerRegistry.AppMissing());
        require(binding.operator != address(0), IWorkerRegistry.OperatorMissing());
        (bytes32 first, bytes32 second) = VerdictReader.reportData(verdict);
        bytes32 bound;
        bytes12 tail;
        (worker, bound, tail) = WorkerBindingLib.split(first, second);
        require(worker != address(0), IWorkerRegistry.WorkerAddressMissing());
        bytes32 expected = _hash(binding);
        require(bound == expected, IWorkerRegistry.BindingMismatch(bound, expected));
        require(tail == 0, IWorkerRegistry.ReportDataTailNonzero(tail));
    }

    /// @dev {WorkerBindingLib-hash} of what lies in calldata: a static struct is its own encoding. Fields
    /// narrower than a word are padded with zeros: reading one that is not reverts, and the registry
    /// reads them all.
    function _hash(WorkerBinding calldata binding) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40) // free memory, which is not kept
            calldatacopy(buffer, binding, 0x100) // eight words
            hash := keccak256(buffer, 0x100)
        }
    }
}
