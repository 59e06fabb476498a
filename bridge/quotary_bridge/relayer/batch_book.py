"""The oracle of batches on the chain, as the relayer reads and calls it, at pinned blocks."""

from __future__ import annotations

from collections.abc import Sequence

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import BatchCommitted, BatchOracle
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.errors import DeploymentMismatch, Reason
from quotary_bridge.model import Address, BlockNumber
from quotary_bridge.relayer.registries import Registries
from quotary_bridge.relayer.request_log import RequestLog
from quotary_bridge.workers import BATCH_TYPE_HASH, DOMAIN_VERSION

__all__ = ["BatchBook"]

_ENDINGS = {
    "ResultClaimed": "AlreadyFulfilled",
    "RequestFailed": "AlreadyFailed",
    "RequestRefunded": "AlreadyRefunded",
}


class BatchBook:
    """
    One BatchOracle and the registries behind it.

    Every method raises the errors of the chain port.
    """

    def __init__(self, chain: Chain, address: Address) -> None:
        """Read and call the oracle at `address`."""
        self._chain = chain
        self._oracle = BatchOracle(chain, address)
        self._log = RequestLog(chain, address, "BatchOracle", _ENDINGS, elsewhere=True)
        self.registries = Registries(self._oracle)

    @property
    def address(self) -> Address:
        """Where the oracle is."""
        return self._oracle.address

    @property
    def contract(self) -> BatchOracle:
        """The contract itself."""
        return self._oracle

    def require_known_version(self) -> None:
        """Raise `DeploymentMismatch` unless the oracle takes the statements that we know."""
        found = bytes(self._oracle.read("BATCH_TYPEHASH"))
        version = self._oracle.read("eip712Domain")[2]
        if found == BATCH_TYPE_HASH and version == DOMAIN_VERSION:
            return
        raise DeploymentMismatch(
            Reason.CONTRACT_VERSION_UNKNOWN,
            f"the oracle of batches {self.address} takes statements of version {version!r}, type "
            f"0x{found.hex()}, and this relayer knows none but version {DOMAIN_VERSION!r}",
            "use the release of quotary that the oracle was deployed with",
        )

    @property
    def requests(self) -> RequestLog:
        """What its events tell of requests."""
        return self._log

    def commitments(
        self, workers: Sequence[Address], first: BlockNumber, last: BlockNumber
    ) -> list[tuple[BatchCommitted, Log]]:
        """Return the batches of `workers` that the blocks `first` to `last` committed."""
        topic = interface("BatchOracle").event("BatchCommitted").topic
        named = [bytes(12) + bytes.fromhex(worker[2:]) for worker in workers]
        logs = self._chain.all_logs([self.address], first, last, [topic, None, None, named])
        told = [(BatchCommitted.of(log), log) for log in logs if not log.removed]
        return [(found, log) for found, log in told if found is not None]

    def voided(self, batch_ids: Sequence[int], at: BlockNumber) -> list[bool]:
        """Return, for each of many batches that were committed, whether it was voided."""
        return [not any(content) for content in self._oracle.read_many("batchOf", batch_ids, at)]
