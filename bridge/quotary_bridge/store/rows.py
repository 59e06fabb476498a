"""Between rows and values: the only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Row, RowMapping

from quotary_bridge.lifecycle import Errand, Job, JobState
from quotary_bridge.model import (
    Address,
    Attempt,
    AttemptKind,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
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
    TransactionHash,
    Wei,
    address_from,
)
from quotary_bridge.store.tables import job as job_table
from quotary_bridge.words import encode_words, split_words

__all__ = [
    "PROGRESS",
    "attempt_from",
    "job_from",
    "job_further",
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
        "fee": str(request.fee),
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


def job_from(row: Row[Any]) -> Job:
    """Return the job of a row of all columns of `tables.job`, in their order."""
    *asked, number, digest = row[_QUESTION]
    key, kind, target, call = _ERRAND(row)
    errand = None if target is None else Errand(key, target, call)
    request = Request(*(*asked, BlockRef(number, digest)))
    return _job(request, _KINDS[kind], errand, row[_PROGRESS])


def job_further(known: Job, row: Row[Any]) -> Job:
    """Return the job of a row of `PROGRESS`, where `known` is the same one at any time."""
    return _job(known.request, known.kind, known.errand, row[len(_PLACE) :])


def _job(request: Request, kind: JobKind, errand: Errand | None, progress: Sequence[Any]) -> Job:
    state, ordinal, slot, carried, retries, reason, number, digest, sealed = progress
    return Job(
        request,
        _STATES[state],
        ordinal,
        slot,
        carried,
        retries,
        reason,
        None if number is None else BlockRef(number, digest),
        sealed,
        kind,
        errand,
    )


# Where the columns of a job stand that say what was asked, and how far it is.
_COLUMNS = tuple(job_table.c.keys())
_QUESTION = slice(_COLUMNS.index("chain_id"), _COLUMNS.index("block_hash") + 1)
_PROGRESS = slice(_COLUMNS.index("state"), _COLUMNS.index("sealed") + 1)
_ERRAND = itemgetter(*map(_COLUMNS.index, ("key", "kind", "target", "call")))
_STATES = {state.value: state for state in JobState}
_KINDS = {kind.value: kind for kind in JobKind}


_PLACE = (job_table.c.key, job_table.c.block_hash)
PROGRESS = (*_PLACE, *job_table.c.values()[_PROGRESS])
"""Which job it is, the block that asks for it, and how far it is."""


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
        # Text where the row is one to be written, and not one that the table's types read.
        fees=Fees(Wei(int(row["max_fee"])), Wei(int(row["max_priority_fee"]))),
        gas=row["gas"],
        signed_at=BlockNumber(row["signed_at"]),
    )


def _block(row: RowMapping, number: str, digest: str) -> BlockRef:
    return BlockRef(BlockNumber(row[number]), BlockHash(row[digest]))
