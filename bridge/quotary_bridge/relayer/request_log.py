"""What a book of requests tells of them: what was asked, and what ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from quotary_bridge.chain import Block, Chain, Log
from quotary_bridge.chain.bloom import bits_of
from quotary_bridge.chain.contracts import RequestCreated
from quotary_bridge.chain.interface import interface
from quotary_bridge.errors import (
    BlockNotFound,
    BridgeError,
    Reason,
    RequestRefused,
    RpcUnavailable,
)
from quotary_bridge.intake import Ending, Scan
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Request,
    Timestamp,
    TransactionHash,
    Wei,
    job_key,
)

__all__ = ["RequestLog"]

LOGS_REMEMBERED = 4096

_CREATED = "RequestCreated"
_INDEXED_REQUEST = 2


class RequestLog:
    """
    The events of the book at `address`, a contract of the name `abi`.

    `endings` names the events that end a request, each with the contract's own name for the same
    fact: a delivery that came too late would revert with it. Requests whose input is kept elsewhere
    are left out unless `elsewhere`.
    """

    def __init__(
        self,
        chain: Chain,
        address: Address,
        abi: str,
        endings: Mapping[str, str],
        *,
        elsewhere: bool = False,
    ) -> None:
        """Read nothing yet."""
        self._chain = chain
        self._address = address
        named = {interface(abi).event(name).topic: name for name in (_CREATED, *endings)}
        self._names: Mapping[bytes, str] = named
        self._endings = endings
        self._elsewhere = elsewhere
        self._requests: dict[tuple[bytes, int], Request | None] = {}
        here = bits_of(bytes.fromhex(address[2:]))
        self._traces = [here | bits_of(topic) for topic in named]

    @property
    def address(self) -> Address:
        """The book."""
        return self._address

    def may_tell(self, block: Block) -> bool:
        """Whether the header of `block` leaves room for any of the events."""
        return any(block.bloom & trace == trace for trace in self._traces)

    def scan_each(self, blocks: Sequence[BlockHash]) -> list[Scan | None]:
        """
        Return what was asked and what ended in each of many blocks, by their hashes.

        None where the node cannot tell yet. Raises the errors of the chain port.
        """
        found = self._chain.logs_of(blocks, [self._address], [list(self._names)])
        return [
            _or_nothing(each) if isinstance(each, BridgeError) else self._read(each)
            for each in found
        ]

    def scan(self, first: BlockNumber, last: BlockNumber) -> Scan:
        """
        Return what was asked and what ended in the blocks `first` to `last`, both included.

        Raises the errors of the chain port.
        """
        logs = self._chain.logs([self._address], first, last, [list(self._names)])
        if not all(first <= log.block_number <= last for log in logs):
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent logs of other blocks")
        return self._read(logs)

    def _read(self, logs: Sequence[Log]) -> Scan:
        requests: list[Request] = []
        endings: list[Ending] = []
        for log in logs:
            name = self._names.get(log.topics[0]) if log.topics else None
            if name is None or log.address != self._address:
                raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent logs not asked for")
            if log.removed:
                continue
            if name == _CREATED:
                request = self._request(log)
                if request is not None:
                    requests.append(request)
            else:
                endings.append(self._ending(log, self._endings[name]))
        return Scan(tuple(requests), tuple(endings))

    def _ending(self, log: Log, reason: str) -> Ending:
        if len(log.topics) < _INDEXED_REQUEST:
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "a log without its request")
        key = job_key(ChainId(self._chain.chain_id), self._address, Bytes32(log.topics[1]))
        return Ending(key, reason, _block(log), TransactionHash(log.transaction_hash))

    def _request(self, log: Log) -> Request | None:
        """Return the request of a log; the same logs are read until they are final."""
        place = (log.block_hash, log.index)
        if place not in self._requests:
            if len(self._requests) >= LOGS_REMEMBERED:
                self._requests.clear()
            self._requests[place] = self._decoded(log)
        return self._requests[place]

    def _decoded(self, log: Log) -> Request | None:
        """Return the request, or None for what this relayer does not serve."""
        try:
            made = RequestCreated.of(log)
        except ValueError as error:
            raise RpcUnavailable(
                Reason.RPC_BROKEN_ANSWER, f"a request that cannot be read: {error}"
            ) from error
        terms = made.terms
        kept_here = sha256(made.input).digest() == terms.input_commitment
        if not kept_here and (made.input or not self._elsewhere):
            # With an input of another hash it is no request of ours: no answer would be taken.
            return None
        return Request(
            chain_id=ChainId(self._chain.chain_id),
            oracle=self._address,
            request_id=made.request_id,
            app_id=terms.app_id,
            model_id=terms.model_id,
            requester=terms.requester,
            input=made.input,
            deadline=Timestamp(terms.deadline),
            callback_gas=terms.callback_gas_limit,
            fee=Wei(terms.payment.max_fee),
            terms=RequestCreated.terms_of(log),
            block=_block(log),
        )


def _or_nothing(error: BridgeError) -> Scan | None:
    """
    Return None where the node does not know the block, nothing where it answers for none alone.

    Each service has its own words for the latter, and what it says of a range has to do then.
    """
    if isinstance(error, BlockNotFound):
        return None
    if isinstance(error, RequestRefused) or error.reason is Reason.RPC_INTERNAL:
        return Scan()
    raise error


def _block(log: Log) -> BlockRef:
    return BlockRef(BlockNumber(log.block_number), BlockHash(log.block_hash))
