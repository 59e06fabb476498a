"""The registries that an oracle asks: who may answer, and what weights a model has."""

from __future__ import annotations

from quotary_bridge.chain.contracts import Activity, ModelRegistry, WorkerRegistry
from quotary_bridge.chain.contracts.base import Contract, address_of
from quotary_bridge.model import Address, BlockNumber, Bytes32
from quotary_bridge.workers import RejectReason, ResultRejectedError

__all__ = ["Registries"]

MODELS_REMEMBERED = 256


class Registries:
    """The registries behind one oracle. Every method raises the errors of the chain port."""

    def __init__(self, oracle: Contract) -> None:
        """Ask nobody yet."""
        self._oracle = oracle
        self._workers: WorkerRegistry | None = None
        self._models: ModelRegistry | None = None
        self._weights: dict[Bytes32, Bytes32] = {}

    def workers(self, at: BlockNumber) -> WorkerRegistry:
        """Return the registry of workers: immutable in the oracle, and so asked for once."""
        if self._workers is None:
            registry = address_of(self._oracle.read("WORKERS", at=at))
            self._workers = WorkerRegistry(self._oracle.chain, registry)
        return self._workers

    def activity(self, worker: Address, app_id: Bytes32, at: BlockNumber) -> Activity:
        """Return whether `worker` may answer for `app_id` at block `at`."""
        return self.workers(at).check_active(worker, app_id, at)

    def require_weights(self, model_id: Bytes32, weights_root: Bytes32, at: BlockNumber) -> None:
        """Raise `ResultRejectedError` unless `weights_root` is that of the model."""
        expected = self._weights_root(model_id, at)
        if weights_root != expected:
            known = "no model of that id" if expected is None else f"0x{expected.hex()}"
            detail = f"found 0x{weights_root.hex()}, the registry has {known}"
            raise ResultRejectedError(RejectReason.WRONG_WEIGHTS, detail)

    def _weights_root(self, model_id: Bytes32, at: BlockNumber) -> Bytes32 | None:
        if model_id not in self._weights:
            if self._models is None:
                registry = address_of(self._oracle.read("MODELS", at=at))
                self._models = ModelRegistry(self._oracle.chain, registry)
            found = self._models.model_of(model_id, at)
            if found is None:
                return None
            if len(self._weights) >= MODELS_REMEMBERED:
                self._weights.clear()
            # It is in the id: once known, always so.
            self._weights[model_id] = found.weights_root
        return self._weights[model_id]
