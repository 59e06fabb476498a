"""The oracle on the chain, as the relayer reads and calls it."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any

from eth_utils.address import to_checksum_address

from quotary_bridge.chain import Chain, Log, TransactionRequest
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.reverts import error_name
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

__all__ = ["Activity", "Oracle", "RequestStatus"]

_NOBODY = Address("0x0000000000000000000000000000000000000000")


class RequestStatus(IntEnum):
    """How far a request is, as the contract counts."""

    UNKNOWN = 0
    PENDING = 1
    FULFILLED = 2
    REFUNDED = 3


@dataclass(frozen=True, slots=True)
class Activity:
    """Whether a worker may answer for an app, and if not, the registry's reason."""

    active: bool
    reason: str


class Oracle:
    """
    One ResultOracle, read at pinned blocks.

    Every method raises the errors of the chain port.
    """

    def __init__(self, chain: Chain, address: Address) -> None:
        """Read and call the oracle at `address`."""
        self._chain = chain
        self._address = address
        self._abi = interface("ResultOracle")
        self._gate: Address | None = None

    @property
    def address(self) -> Address:
        """Where the oracle is."""
        return self._address

    def requests(self, first: BlockNumber, last: BlockNumber) -> tuple[Request, ...]:
        """Return the requests made in the blocks `first` to `last`, both included."""
        topic = self._abi.event("RequestCreated").topic
        logs = self._chain.logs([self._address], first, last, [topic])
        return tuple(self._request(log) for log in logs if not log.removed)

    def status(self, request_id: Bytes32, at: BlockNumber) -> RequestStatus:
        """Return how far the request is at block `at`."""
        (kept,) = self._read(self._address, "ResultOracle", "getRequest", (request_id,), at)
        return RequestStatus(kept["status"])

    def activity(self, worker: Address, app_id: Bytes32, at: BlockNumber) -> Activity:
        """Return whether `worker` may answer for `app_id` at block `at`."""
        if self._gate is None:
            (gate,) = self._read(self._address, "ResultOracle", "WORKERS", (), at)
            self._gate = Address(to_checksum_address(gate))
        active, selector, _ = self._read(
            self._gate, "WorkerRegistry", "checkActive", (worker, app_id), at
        )
        return Activity(active, "" if active else error_name(selector))

    def delivery(self, signed: SignedResult, sender: Address) -> TransactionRequest:
        """Return the transaction that carries `signed` to the oracle."""
        arguments = (astuple(signed.result), signed.output, signed.signature)
        data = self._abi.encode_call("fulfill", arguments)
        return TransactionRequest(sender=sender, to=self._address, data=data)

    def _read(
        self,
        contract: Address,
        abi: str,
        function: str,
        arguments: tuple[object, ...],
        at: BlockNumber,
    ) -> tuple[Any, ...]:
        call = interface(abi).encode_call(function, arguments)
        answer = self._chain.call(TransactionRequest(_NOBODY, contract, call), at)
        return interface(abi).decode_result(function, answer)

    def _request(self, log: Log) -> Request:
        decoded = self._abi.decode_log(log)
        if decoded is None or log.address != self._address:
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent logs not asked for")
        _, said = decoded
        return Request(
            chain_id=ChainId(self._chain.chain_id),
            oracle=self._address,
            request_id=Bytes32(said["requestId"]),
            app_id=Bytes32(said["appId"]),
            model_id=Bytes32(said["modelId"]),
            requester=Address(to_checksum_address(said["requester"])),
            input=said["input"],
            deadline=Timestamp(said["deadline"]),
            callback_gas=said["callbackGasLimit"],
            fee=Wei(said["fee"]),
            block=BlockRef(BlockNumber(log.block_number), BlockHash(log.block_hash)),
        )
