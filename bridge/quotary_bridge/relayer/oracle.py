"""The oracle on the chain, as the relayer reads and calls it, at pinned blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quotary_bridge.chain import Chain, TransactionRequest
from quotary_bridge.chain.contracts import (
    ResultOracle,
    RoundDisputed,
    WorkerRegistry,
    decode_event,
    topics_of,
)
from quotary_bridge.errors import ContractError, DeploymentMismatch, Reason
from quotary_bridge.model import Address, BlockNumber, Bytes32, Request, Result, SignedResult
from quotary_bridge.relayer.registries import Registries
from quotary_bridge.relayer.request_log import RequestLog
from quotary_bridge.workers import DOMAIN_VERSION, RESULT_TYPE_HASH

__all__ = ["Oracle", "Standing"]

_DISPUTED = "RoundDisputed"
_ENDINGS = {
    "RequestFulfilled": "AlreadyFulfilled",
    "RequestFailed": "AlreadyFailed",
    "RequestRefunded": "AlreadyRefunded",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Who runs an active worker, on which machine; until when it is on probation, Unix seconds."""

    operator: Address
    platform: bytes
    probation_until: int


class Oracle:
    """
    One ResultOracle and the registry behind it.

    Every method raises the errors of the chain port.
    """

    def __init__(self, chain: Chain, address: Address) -> None:
        """Read and call the oracle at `address`."""
        self._chain = chain
        self._oracle = ResultOracle(chain, address)
        self._registries = Registries(self._oracle)
        self._log = RequestLog(chain, address, "ResultOracle", _ENDINGS, elsewhere=True)

    @property
    def address(self) -> Address:
        """Where the oracle is."""
        return self._oracle.address

    @property
    def contract(self) -> ResultOracle:
        """The contract itself."""
        return self._oracle

    def workers(self, at: BlockNumber) -> WorkerRegistry:
        """Return the registry behind it."""
        return self._registries.workers(at)

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

    @property
    def requests(self) -> RequestLog:
        """What its events tell of requests."""
        return self._log

    def standings(
        self, pairs: Sequence[tuple[Address, Bytes32]], at: BlockNumber
    ) -> list[Standing | ContractError]:
        """
        Return how workers stand at block `at`, each for the app it is given with, in one exchange.

        Where one does not count, the registry's error says why.
        """
        registry, workers = self.workers(at), sorted({worker for worker, _ in pairs})
        asked = [registry.view_of_operator(worker, app_id) for worker, app_id in pairs]
        asked += [self._oracle.view("probationOf", worker) for worker in workers]
        answers = self._chain.calls(asked, at)
        ends = dict(zip(workers, answers[len(pairs) :], strict=True))
        found: list[Standing | ContractError] = []
        for (worker, _), answer in zip(pairs, answers, strict=False):
            end = ends[worker]
            if isinstance(answer, ContractError):
                found.append(answer)
            elif isinstance(end, ContractError):
                found.append(end)
            else:
                until = int(self._oracle.decoded("probationOf", end))
                found.append(Standing(*registry.operator_from(answer), until))
        return found

    def disputed(self, request: Request, at: BlockNumber) -> set[Address]:
        """Return who took part in rounds of `request` that were shown to disagree."""
        wanted = [topics_of(_DISPUTED), [request.request_id]]
        logs = self._chain.all_logs([self.address], request.block.number, at, wanted)
        told = (decode_event(log) for log in logs)
        return {
            each for event in told if isinstance(event, RoundDisputed) for each in event.workers
        }

    def require_weights(self, said: Result, at: BlockNumber) -> None:
        """Raise `ResultRejectedError` unless `said` names the weights of the model it names."""
        self._registries.require_weights(said.model_id, said.weights_root, at)

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
