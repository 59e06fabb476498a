"""Between rows and values: the only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping

from quotary_bridge.lifecycle import Errand, Job, JobState
from quotary_bridge.model import (
    Address,
    Attempt,
    AttemptKind,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Fees,
    Inclusion,
    JobKey,
    JobKind,
    Nonce,
    Request,
    Result,
    SignedResult,
    Slot,
    SlotState,
    Timestamp,
    TransactionHash,
    Wei,
    address_from,
)
from quotary_bridge.words import encode_words, split_words

__all__ = [
    "attempt_from",
    "job_from",
    "job_row",
    "progress_row",
    "result_from",
    "result_row",
    "slot_from",
    "statement_from",
]


def job_row(job: Job) -> dict[str, Any]:
    """Return the columns of `job`, all but the lease token."""
    request = job.request
    return {
        "key": job.key,
        "chain_id": request.chain_id,
        "oracle": request.oracle,
        "request_id": request.request_id,
        "app_id": request.app_id,
        "model_id": request.model_id,
        "requester": request.requester,
        "input": request.input,
        "deadline": request.deadline,
        "callback_gas": request.callback_gas,
        "fee": request.fee,
        "terms": request.terms,
        "block_number": request.block.number,
        "block_hash": request.block.hash,
        "kind": job.kind.value,
        "target": None if job.errand is None else job.errand.target,
        "call": None if job.errand is None else job.errand.call,
        **progress_row(job),
    }


def progress_row(job: Job) -> dict[str, Any]:
    """Return the columns of `job` that say how far it is, and not what was asked."""
    return {
        "state": job.state.value,
        "result": job.result,
        "slot": job.slot,
        "carried": job.carried,
        "retries": job.retries,
        "reason": job.reason,
        "settled_number": None if job.settled is None else job.settled.number,
        "settled_hash": None if job.settled is None else job.settled.hash,
        "sealed": job.sealed,
        "terminal": job.terminal,
    }


def job_from(row: RowMapping) -> Job:
    """Return the job a row holds."""
    request = Request(
        chain_id=ChainId(row["chain_id"]),
        oracle=Address(row["oracle"]),
        request_id=Bytes32(row["request_id"]),
        app_id=Bytes32(row["app_id"]),
        model_id=Bytes32(row["model_id"]),
        requester=Address(row["requester"]),
        input=row["input"],
        deadline=Timestamp(row["deadline"]),
        callback_gas=row["callback_gas"],
        fee=Wei(row["fee"]),
        terms=row["terms"],
        block=_block(row, "block_number", "block_hash"),
    )
    settled = None
    if row["settled_number"] is not None:
        settled = _block(row, "settled_number", "settled_hash")
    return Job(
        request=request,
        state=JobState(row["state"]),
        result=row["result"],
        slot=row["slot"],
        carried=row["carried"],
        retries=row["retries"],
        reason=row["reason"],
        settled=settled,
        sealed=row["sealed"],
        kind=JobKind(row["kind"]),
        errand=None
        if row["target"] is None
        else Errand(JobKey(row["key"]), Address(row["target"]), row["call"]),
    )


def result_row(signed: SignedResult) -> dict[str, Any]:
    """Return the columns of a result, all but its key and the lease token."""
    return {
        "statement": encode_words(*_FIELDS(signed.result)),
        "output": signed.output,
        "signature": signed.signature,
        "call": signed.call,
    }


def result_from(row: RowMapping) -> SignedResult:
    """Return the result a row holds."""
    return SignedResult(
        statement_from(row["statement"]), row["output"], row["signature"], row["call"]
    )


def statement_from(encoded: bytes) -> Result:
    """Return the statement that the words of `encoded` are."""
    said = [parsed(word) for parsed, word in zip(_PARSED, split_words(encoded), strict=True)]
    return Result(*said)


def _address(word: bytes) -> Address:
    return address_from(word[12:])


# The statement is kept as the ABI would encode it: a word a field, in their order.
_NAMES = tuple(field.name for field in fields(Result))
_FIELDS = attrgetter(*_NAMES)
_PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    "Bytes32": Bytes32,
    "Address": _address,
    "int": int.from_bytes,
    "Timestamp": int.from_bytes,
}
_PARSED = tuple(_PARSERS[str(field.type)] for field in fields(Result))


def slot_from(row: RowMapping, attempts: Iterable[RowMapping]) -> Slot:
    """Return the nonce a row holds, with its attempts, oldest first."""
    inclusion = None
    if row["mined_hash"] is not None:
        inclusion = Inclusion(
            transaction=TransactionHash(row["mined_hash"]),
            block=_block(row, "mined_block_number", "mined_block_hash"),
            succeeded=row["mined_succeeded"],
        )
    nonce = Nonce(row["nonce"])
    return Slot(
        id=row["id"],
        nonce=nonce,
        job=None if row["job_key"] is None else JobKey(row["job_key"]),
        state=SlotState(row["state"]),
        broadcasts=row["broadcasts"],
        inclusion=inclusion,
        attempts=tuple(attempt_from(entry, nonce) for entry in attempts),
    )


def attempt_from(row: Mapping[str, Any] | RowMapping, nonce: Nonce) -> Attempt:
    """Return the signed transaction a row holds."""
    return Attempt(
        slot_id=row["slot_id"],
        ordinal=row["ordinal"],
        kind=AttemptKind(row["kind"]),
        nonce=nonce,
        raw=row["raw"],
        hash=TransactionHash(row["hash"]),
        fees=Fees(Wei(row["max_fee"]), Wei(row["max_priority_fee"])),
        gas=row["gas"],
        signed_at=BlockNumber(row["signed_at"]),
    )


def _block(row: RowMapping, number: str, digest: str) -> BlockRef:
    return BlockRef(BlockNumber(row[number]), BlockHash(row[digest]))
