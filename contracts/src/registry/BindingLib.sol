// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {WorkerBinding, WorkerBindingLib} from "../types/WorkerBinding.sol";

/// @title BindingLib
/// @notice What a worker's quote must bind before a registry takes it (docs/formats.md, "extended").
library BindingLib {
    /// @notice The key that `reportData` binds to this chain, `registry` and an app; reverts with the
    /// reason where it does not.
    /// @dev All 64 bytes of the report data have one meaning: address, hash of the binding, zeros.
    function requireBound(bytes memory reportData, WorkerBinding calldata binding, address registry)
        internal
        view
        returns (address worker)
    {
        require(
            binding.version == WorkerBindingLib.VERSION,
            IWorkerRegistry.BindingVersionUnsupported(binding.version, WorkerBindingLib.VERSION)
        );
        require(
            binding.chainId == block.chainid,
            IWorkerRegistry.WrongChain(binding.chainId, block.chainid)
        );
        require(
            binding.registry == registry, IWorkerRegistry.WrongRegistry(binding.registry, registry)
        );
        require(binding.appId != 0, IWorkerRegistry.AppMissing());
        require(binding.operator != address(0), IWorkerRegistry.OperatorMissing());
        bytes32 bound;
        bytes12 tail;
        (worker, bound, tail) = WorkerBindingLib.split(reportData);
        require(worker != address(0), IWorkerRegistry.WorkerAddressMissing());
        bytes32 expected = WorkerBindingLib.hash(binding);
        require(bound == expected, IWorkerRegistry.BindingMismatch(bound, expected));
        require(tail == 0, IWorkerRegistry.ReportDataTailNonzero(tail));
    }
}
