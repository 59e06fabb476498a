"""
What asking and waiting consist of, without any I/O: both clients carry out the same steps.

Each function is a generator that yields `Step`s and is sent what came of them, so that the two
clients cannot come to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from web3.exceptions import ContractLogicError, TimeExhausted, Web3RPCError

from quotary_bridge.chain.contracts import ProofKind, RequestParams
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.client.errors import RequestEndedError, refusal
from quotary_bridge.errors import NotFinal, Reason, RpcUnavailable
from quotary_bridge.model import Address, BlockNumber, Bytes32

__all__ = [
    "Answer",
    "Asked",
    "Oracle",
    "Step",
    "Steps",
    "ask",
    "await_",
    "ending",
    "logs_of",
    "logs_with",
    "look",
    "read",
    "send",
    "topic",
    "wait",
]

_ASKED = "RequestCreated"
_ANSWERED = "RequestFulfilled"
_ENDED = ("RequestFailed", "RequestRefunded")
SLEEP = "sleep"
NOW = "now"
"""The two steps that are no methods of `web3.eth`: to rest, and to read a clock."""


@dataclass(frozen=True, slots=True)
class Step:
    """A method of `web3.eth`, or `SLEEP` for seconds, or `NOW` in seconds, and its arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


_T = TypeVar("_T")
Steps = Generator[Step, Any, _T]


@dataclass(frozen=True, slots=True)
class Oracle:
    """A contract that takes requests: where it is, and the name of its interface."""

    address: Address
    abi: str = "ResultOracle"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the oracle holds; `block` is where it was made."""

    request_id: Bytes32
    transaction: bytes
    block: BlockNumber


@dataclass(frozen=True, slots=True)
class Answer:
    """A result that the oracle took, who gave it, and what stands behind the worker's admission."""

    request_id: Bytes32
    output: bytes
    output_hash: Bytes32
    weights_root: Bytes32
    worker: Address
    kind: ProofKind
    block: BlockNumber


def ask(oracle: Oracle, params: RequestParams, sender: Address, seconds: float) -> Steps[Asked]:
    """Make a request, with what it puts up where ether pays; raises `OracleError`."""
    value = params.payment.max_fee if params.payment.token == ZERO_ADDRESS else 0
    receipt = yield from send(oracle, "request", [params.words()], sender, value, seconds)
    for log in logs_of(oracle, receipt, _ASKED):
        return Asked(
            Bytes32(log.topics[1]),
            bytes(receipt["transactionHash"]),
            BlockNumber(receipt["blockNumber"]),
        )
    raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the request's own event is missing")


def send(  # noqa: PLR0917 (what a transaction is made of; the clients name each)
    oracle: Oracle,
    function: str,
    arguments: Sequence[Any],
    sender: Address,
    value: int,
    seconds: float,
) -> Steps[Mapping[str, Any]]:
    """Try a call, send it, and wait for its receipt; raises `OracleError` or `NotFinal`."""
    call = _call(oracle, function, arguments) | {"from": sender, "value": value}
    yield from _tried(call, "latest")
    digest = yield from _typed(Step("send_transaction", (call,)))
    try:
        receipt = yield Step("wait_for_transaction_receipt", (digest, seconds))
    except TimeExhausted:
        raise NotFinal(
            Reason.NOT_MINED_IN_TIME,
            f"the transaction 0x{bytes(digest).hex()} was not mined after {seconds:g} s",
            "it may still be: look for its receipt before sending again",
        ) from None
    if receipt["status"] != 1:
        # It passed when it was tried: what has changed since shows in the block before its own.
        yield from _tried(call, receipt["blockNumber"])
        raise RpcUnavailable(Reason.RPC_INTERNAL, "the transaction failed, and nobody says why")
    found: Mapping[str, Any] = receipt
    return found


def read(oracle: Oracle, function: str, arguments: Sequence[Any]) -> Steps[Any]:
    """Return what a view returns; raises `OracleError`."""
    data = yield from _tried(_call(oracle, function, arguments), "latest")
    values = interface(oracle.abi).decode_result(function, bytes(data))
    return values[0] if len(values) == 1 else values


def look(oracle: Oracle, asked: Asked) -> Steps[Answer | None]:
    """Return the answer, or None while there is none; raises `RequestEndedError`."""
    found = yield from ending(oracle, asked, _ANSWERED)
    if found is None:
        return None
    log, said = found
    return Answer(
        request_id=asked.request_id,
        output=said["output"],
        output_hash=Bytes32(said["outputHash"]),
        weights_root=Bytes32(said["weightsRoot"]),
        worker=address_of(said["worker"]),
        kind=ProofKind(said["proofKind"]),
        block=BlockNumber(log.block_number),
    )


def ending(
    oracle: Oracle, asked: Asked, answered: str
) -> Steps[tuple[Log, Mapping[str, Any]] | None]:
    """Return the event that brought the answer, None while there is none; `RequestEndedError`."""
    names = (answered, *_ENDED)
    query = {
        "address": oracle.address,
        "fromBlock": asked.block,
        "toBlock": "latest",
        "topics": [[_hex(topic(oracle, name)) for name in names], _hex(asked.request_id)],
    }
    logs = yield Step("get_logs", (query,))
    for log in map(_log, logs):
        found = interface(oracle.abi).decode_log(log)
        if found is None or log.removed:
            continue
        name, said = found
        if name != answered:
            raise RequestEndedError(name, asked.request_id)
        return log, said
    return None


def wait(oracle: Oracle, asked: Asked, seconds: float, poll: float) -> Steps[Answer]:
    """Return the answer as soon as there is one; raises `NotFinal`, see `await_`."""
    return await_(lambda: look(oracle, asked), asked, seconds, poll)


def await_(
    look_again: Callable[[], Steps[_T | None]], asked: Asked, seconds: float, poll: float
) -> Steps[_T]:
    """
    Return what `look_again` finds as soon as it does; raises `NotFinal` after `seconds`.

    What the node takes to answer counts. A question that was asked in time is waited for.
    """
    end = (yield Step(NOW)) + seconds
    while True:
        found = yield from look_again()
        if found is not None:
            return found
        left = end - (yield Step(NOW))
        if left <= 0:
            raise NotFinal(
                Reason.NOT_FINAL_IN_TIME,
                f"no answer to 0x{asked.request_id.hex()} after {seconds:g} s",
                "it may still come, until the request's deadline",
            )
        yield Step(SLEEP, (min(poll, left),))


def logs_of(oracle: Oracle, receipt: Mapping[str, Any], event: str) -> Iterator[Log]:
    """Yield the oracle's own events of one name in a receipt."""
    for log in map(_log, receipt["logs"]):
        if log.address == oracle.address and log.topics[:1] == (topic(oracle, event),):
            yield log


def logs_with(
    oracle: Oracle, since: BlockNumber, event: str, *indexed: bytes | None
) -> Steps[list[Log]]:
    """Return the oracle's events of one name from block `since` on, by what is indexed."""
    query = {
        "address": oracle.address,
        "fromBlock": since,
        "toBlock": "latest",
        "topics": [
            _hex(topic(oracle, event)),
            *(None if each is None else _hex(each) for each in indexed),
        ],
    }
    logs = yield Step("get_logs", (query,))
    return [log for log in map(_log, logs) if not log.removed]


def topic(oracle: Oracle, event: str) -> bytes:
    """Return the first topic of an event."""
    return interface(oracle.abi).event(event).topic


def _tried(call: Mapping[str, Any], at: Any) -> Steps[bytes]:  # noqa: ANN401 (a height or a name)
    return bytes((yield from _typed(Step("call", (call, at)))))


def _typed(step: Step) -> Steps[Any]:
    """Take a step that a contract may refuse; raises `OracleError` where it does."""
    try:
        return (yield step)
    except (ContractLogicError, Web3RPCError) as error:
        refused = refusal(error)
        if refused is None:
            raise
        raise refused from None


def _call(oracle: Oracle, function: str, arguments: Sequence[Any]) -> dict[str, Any]:
    data = interface(oracle.abi).encode_call(function, arguments)
    return {"to": oracle.address, "data": _hex(data)}


def _log(found: Mapping[str, Any]) -> Log:
    return Log(
        address=address_of(found["address"]),
        topics=tuple(bytes(topic) for topic in found["topics"]),
        data=bytes(found["data"]),
        block_number=found["blockNumber"],
        block_hash=bytes(found["blockHash"]),
        transaction_hash=bytes(found["transactionHash"]),
        index=found["logIndex"],
        removed=bool(found.get("removed", False)),
    )


def _hex(raw: bytes) -> str:
    return f"0x{raw.hex()}"
