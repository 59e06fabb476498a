"""The oracle on the chain, as the relayer reads and calls it, at pinned blocks."""

from __future__ import annotations

from collections.abc import Sequence

from quotary_bridge.chain import Chain, Log, TransactionRequest
from quotary_bridge.chain.contracts import (
    Activity,
    RequestCreated,
    RequestStatus,
    ResultOracle,
    WorkerRegistry,
    decode_event,
    topics_of,
)
from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.errors import Reason, RpcUnavailable
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Request,
    SignedResult,
    Timestamp,
    Wei,
)

__all__ = ["Oracle"]


class Oracle:
    """
    One ResultOracle and the registry behind it.

    Every method raises the errors of the chain port.
    """

    def __init__(self, chain: Chain, address: Address) -> None:
        """Read and call the oracle at `address`."""
        self._chain = chain
        self._oracle = ResultOracle(chain, address)
        self._workers: WorkerRegistry | None = None

    @property
    def address(self) -> Address:
        """Where the oracle is."""
        return self._oracle.address

    def requests(self, first: BlockNumber, last: BlockNumber) -> tuple[Request, ...]:
        """Return the requests made in the blocks `first` to `last`, both included."""
        logs = self._chain.logs([self.address], first, last, topics_of("RequestCreated"))
        return tuple(self._request(log) for log in logs if not log.removed)

    def statuses(self, request_ids: Sequence[Bytes32], at: BlockNumber) -> list[RequestStatus]:
        """Return how far each request is at block `at`."""
        return [found.status for found in self._oracle.requests_of(request_ids, at)]

    def activity(self, worker: Address, app_id: Bytes32, at: BlockNumber) -> Activity:
        """Return whether `worker` may answer for `app_id` at block `at`."""
        if self._workers is None:
            # Immutable in the oracle, and so asked for once.
            registry = address_of(self._oracle.read("WORKERS", at=at))
            self._workers = WorkerRegistry(self._chain, registry)
        return self._workers.check_active(worker, app_id, at)

    def delivery(self, signed: SignedResult, sender: Address) -> TransactionRequest:
        """Return the transaction that carries `signed` to the oracle."""
        data = self._oracle.fulfill(signed.result, signed.output, signed.signature)
        return TransactionRequest(sender=sender, to=self.address, data=data)

    def _request(self, log: Log) -> Request:
        made = decode_event(log)
        if not isinstance(made, RequestCreated) or log.address != self.address:
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent logs not asked for")
        return Request(
            chain_id=ChainId(self._chain.chain_id),
            oracle=self.address,
            request_id=made.request_id,
            app_id=made.app_id,
            model_id=made.model_id,
            requester=made.requester,
            input=made.input,
            deadline=Timestamp(made.deadline),
            callback_gas=made.callback_gas_limit,
            fee=Wei(made.fee),
            block=BlockRef(BlockNumber(log.block_number), BlockHash(log.block_hash)),
        )
