"""
What claiming an answer out of a batch consists of, without any I/O, as in `steps`.

A claim is made of the document that a worker signed; whoever has it can check it, and needs to
trust nobody else: its signature and its root are checked where it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from quotary_bridge.chain.contracts import BatchCommitted, ClaimedAnswer
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.client.errors import BatchUnusableError
from quotary_bridge.client.steps import (
    Asked,
    Oracle,
    Steps,
    await_,
    ending,
    logs_of,
    logs_with,
    read,
    send,
)
from quotary_bridge.errors import Reason, RpcUnavailable
from quotary_bridge.model import Address, BlockNumber, Bytes32
from quotary_bridge.workers import PreparedBatch, pieces

__all__ = ["ClaimedResult", "claim", "commit", "committed", "look", "proof", "wait"]

_CLAIMED = "ResultClaimed"
_COMMITTED = "BatchCommitted"


@dataclass(frozen=True, slots=True)
class ClaimedResult:
    """An answer that was claimed out of a batch; `fee` went to the batch's operator."""

    request_id: Bytes32
    batch_id: int
    output: bytes
    units: int
    fee: int
    block: BlockNumber


def look(oracle: Oracle, asked: Asked) -> Steps[ClaimedResult | None]:
    """Return the answer, or None while nobody claimed it; raises `RequestEndedError`."""
    found = yield from ending(oracle, asked, _CLAIMED)
    return None if found is None else _result(*found)


def wait(oracle: Oracle, asked: Asked, seconds: float, poll: float) -> Steps[ClaimedResult]:
    """Return the answer as soon as somebody claimed it; raises `NotFinal` after `seconds`."""
    return await_(lambda: look(oracle, asked), asked, seconds, poll)


def committed(
    oracle: Oracle, document: PreparedBatch, since: BlockNumber
) -> Steps[BatchCommitted | None]:
    """Return how the batch was committed and is open, None where it is not (yet, or any more)."""
    batch = document.signed.batch
    worker = bytes(12) + bytes.fromhex(batch.worker[2:])
    logs = yield from logs_with(oracle, since, _COMMITTED, None, batch.app_id, worker)
    for log in logs:
        told = BatchCommitted.of(log)
        if told is None or (told.root, told.model_id) != (batch.root, batch.model_id):
            continue
        if any((yield from read(oracle, "batchOf", [told.batch_id]))):
            return told
    return None


def commit(
    oracle: Oracle, document: PreparedBatch, sender: Address, seconds: float
) -> Steps[BatchCommitted]:
    """Commit the batch's root; raises `OracleError`, `NotFinal`."""
    _require_its_oracle(oracle, document)
    words = [astuple(document.signed.batch), document.signed.signature]
    receipt = yield from send(oracle, "commit", words, sender, 0, seconds)
    for log in logs_of(oracle, receipt, _COMMITTED):
        told = BatchCommitted.of(log)
        if told is not None:
            return told
    raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the batch's own event is missing")


def proof(document: PreparedBatch, told: BatchCommitted, request_id: Bytes32) -> ClaimedAnswer:
    """Return what claims the answer to a request; raises `BatchUnusableError`."""
    try:
        place = document.place_of(request_id)
    except KeyError:
        raise BatchUnusableError(f"it has no answer to 0x{request_id.hex()}") from None
    ((_, answer),) = next(pieces(document, told, [place]))
    return answer


def claim(  # noqa: PLR0917 (what is claimed of what, by whom; the clients name each)
    oracle: Oracle,
    document: PreparedBatch,
    request_id: Bytes32,
    sender: Address,
    since: BlockNumber,
    seconds: float,
) -> Steps[ClaimedResult]:
    """End a request with its answer; raises `OracleError`, `NotFinal`, `BatchUnusableError`."""
    _require_its_oracle(oracle, document)
    told = yield from committed(oracle, document, since)
    if told is None:
        raise BatchUnusableError("it is not committed, or was voided")
    answer = proof(document, told, request_id)
    words = [answer.made.words(), astuple(answer.claim), answer.output, list(answer.path)]
    receipt = yield from send(oracle, "claim", words, sender, 0, seconds)
    for log in logs_of(oracle, receipt, _CLAIMED):
        found = interface(oracle.abi).decode_log(log)
        if found is not None:
            return _result(log, found[1])
    raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the claim's own event is missing")


def _require_its_oracle(oracle: Oracle, document: PreparedBatch) -> None:
    if document.oracle != oracle.address:
        raise BatchUnusableError(f"it was signed for {document.oracle}, not for {oracle.address}")


def _result(log: Log, said: Mapping[str, Any]) -> ClaimedResult:
    return ClaimedResult(
        request_id=Bytes32(said["requestId"]),
        batch_id=said["batchId"],
        output=said["output"],
        units=said["units"],
        fee=said["fee"],
        block=BlockNumber(log.block_number),
    )
