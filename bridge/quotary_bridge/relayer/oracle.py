"""The oracle on the chain, as the relayer reads and calls it, at pinned blocks."""

from __future__ import annotations

from hashlib import sha256

from quotary_bridge.chain import Chain, Log, TransactionRequest
from quotary_bridge.chain.contracts import (
    Activity,
    ModelRegistry,
    RequestCreated,
    ResultOracle,
    RoundDisputed,
    WorkerRegistry,
    decode_event,
    topics_of,
)
from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.errors import DeploymentMismatch, Reason, RpcUnavailable
from quotary_bridge.intake import Ending, Scan
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Request,
    Result,
    SignedResult,
    Timestamp,
    TransactionHash,
    Wei,
    job_key,
)
from quotary_bridge.workers import (
    DOMAIN_VERSION,
    RESULT_TYPE_HASH,
    RejectReason,
    ResultRejectedError,
)

__all__ = ["Oracle"]

LOGS_REMEMBERED = 4096
MODELS_REMEMBERED = 256

_CREATED = "RequestCreated"
_DISPUTED = "RoundDisputed"
_INDEXED_REQUEST = 2
# What ends a request, under the contract's own names for the same facts: a delivery that came too
# late would revert with them.
_ENDINGS = {
    "RequestFulfilled": "AlreadyFulfilled",
    "RequestFailed": "AlreadyFailed",
    "RequestRefunded": "AlreadyRefunded",
}


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
        self._models: ModelRegistry | None = None
        self._weights: dict[Bytes32, Bytes32] = {}
        self._requests: dict[tuple[bytes, int], Request | None] = {}

    @property
    def address(self) -> Address:
        """Where the oracle is."""
        return self._oracle.address

    @property
    def contract(self) -> ResultOracle:
        """The contract itself."""
        return self._oracle

    def workers(self, at: BlockNumber) -> WorkerRegistry:
        """Return the registry behind it: immutable in the oracle, and so asked for once."""
        if self._workers is None:
            registry = address_of(self._oracle.read("WORKERS", at=at))
            self._workers = WorkerRegistry(self._chain, registry)
        return self._workers

    def require_known_version(self) -> None:
        """
        Raise `DeploymentMismatch` unless the oracle takes the statements that we know.

        An oracle of another version would take what we deliver for something else, or not at all.
        """
        found = self._oracle.read("RESULT_TYPEHASH")
        version = self._oracle.read("eip712Domain")[2]
        if bytes(found) == RESULT_TYPE_HASH and version == DOMAIN_VERSION:
            return
        raise DeploymentMismatch(
            Reason.CONTRACT_VERSION_UNKNOWN,
            f"the oracle {self.address} takes statements of version {version!r}, type "
            f"0x{bytes(found).hex()}, and this relayer knows none but version {DOMAIN_VERSION!r}",
            "use the release of quotary that the oracle was deployed with",
        )

    def scan(self, first: BlockNumber, last: BlockNumber) -> Scan:
        """Return what was asked and what ended in the blocks `first` to `last`, both included."""
        topics = topics_of(_CREATED, *_ENDINGS)
        logs = self._chain.logs([self.address], first, last, [topics])
        names = dict(zip(topics, (_CREATED, *_ENDINGS), strict=True))
        requests: list[Request] = []
        endings: list[Ending] = []
        for log in logs:
            name = names.get(log.topics[0]) if log.topics else None
            if name is None or log.address != self.address:
                raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent logs not asked for")
            if log.removed:
                continue
            if name == _CREATED:
                request = self._request(log)
                if request is not None:
                    requests.append(request)
            else:
                endings.append(self._ending(log, _ENDINGS[name]))
        return Scan(tuple(requests), tuple(endings))

    def activity(self, worker: Address, app_id: Bytes32, at: BlockNumber) -> Activity:
        """Return whether `worker` may answer for `app_id` at block `at`."""
        return self.workers(at).check_active(worker, app_id, at)

    def disputed(self, request: Request, at: BlockNumber) -> set[Address]:
        """Return who took part in rounds of `request` that were shown to disagree."""
        wanted = [topics_of(_DISPUTED), [request.request_id]]
        logs = self._chain.logs([self.address], request.block.number, at, wanted)
        told = (decode_event(log) for log in logs)
        return {
            each for event in told if isinstance(event, RoundDisputed) for each in event.workers
        }

    def require_weights(self, said: Result, at: BlockNumber) -> None:
        """Raise `ResultRejectedError` unless `said` names the weights of the model it names."""
        expected = self._weights_root(said.model_id, at)
        if said.weights_root != expected:
            known = "no model of that id" if expected is None else f"0x{expected.hex()}"
            detail = f"found 0x{said.weights_root.hex()}, the registry has {known}"
            raise ResultRejectedError(RejectReason.WRONG_WEIGHTS, detail)

    def _weights_root(self, model_id: Bytes32, at: BlockNumber) -> Bytes32 | None:
        if model_id not in self._weights:
            if self._models is None:
                registry = address_of(self._oracle.read("MODELS", at=at))
                self._models = ModelRegistry(self._chain, registry)
            found = self._models.model_of(model_id, at)
            if found is None:
                return None
            if len(self._weights) >= MODELS_REMEMBERED:
                self._weights.clear()
            # It is in the id: once known, always so.
            self._weights[model_id] = found.weights_root
        return self._weights[model_id]

    def delivery(
        self, request: Request, signed: SignedResult, sender: Address
    ) -> TransactionRequest:
        """Return the transaction that carries `signed`, which answers `request`, to the oracle."""
        if signed.call is not None:
            return TransactionRequest(sender=sender, to=self.address, data=signed.call)
        data = self._oracle.fulfill_as_made(
            request.terms, signed.result, signed.output, signed.signature
        )
        return TransactionRequest(sender=sender, to=self.address, data=data)

    def _ending(self, log: Log, reason: str) -> Ending:
        if len(log.topics) < _INDEXED_REQUEST:
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "a log without its request")
        key = job_key(ChainId(self._chain.chain_id), self.address, Bytes32(log.topics[1]))
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
        if sha256(made.input).digest() != terms.input_commitment:
            # Inputs that are kept elsewhere are not served yet.
            return None
        return Request(
            chain_id=ChainId(self._chain.chain_id),
            oracle=self.address,
            request_id=made.request_id,
            app_id=terms.app_id,
            model_id=terms.model_id,
            requester=terms.requester,
            input=made.input,
            deadline=Timestamp(terms.deadline),
            callback_gas=terms.callback_gas_limit,
            fee=Wei(terms.payment.max_fee),
            terms=terms.encode(),
            block=_block(log),
        )


def _block(log: Log) -> BlockRef:
    return BlockRef(BlockNumber(log.block_number), BlockHash(log.block_hash))
