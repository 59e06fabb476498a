"""Between rows and values: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address
from sqlalchemy import RowMapping

from quotary_bridge.lifecycle import Job, JobState
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
    Nonce,
    Request,
    Result,
    SignedResult,
    Slot,
    SlotState,
    Timestamp,
    TransactionHash,
    Wei,
)

__all__ = ["attempt_from", "job_from", "job_row", "result_from", "result_row", "slot_from"]

# The statement is kept as the ABI would encode it: twelve words, each field in its own.
_STATEMENT = (
    *("bytes32",) * 6,
    *("uint64",) * 2,
    "address",
    "uint64",
    "uint256",
    "uint64",
)


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
        "block_number": request.block.number,
        "block_hash": request.block.hash,
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
    )


def result_row(signed: SignedResult) -> dict[str, Any]:
    """Return the columns of a result, all but its key and the lease token."""
    said = signed.result
    words = (
        *(said.request_id, said.app_id, said.model_id, said.weights_root),
        *(said.input_commitment, said.output_hash, said.key_epoch, said.policy_version),
        *(said.worker, said.units, said.nonce, said.deadline),
    )
    return {
        "statement": encode(_STATEMENT, words),
        "output": signed.output,
        "signature": signed.signature,
    }


def result_from(row: RowMapping) -> SignedResult:
    """Return the result a row holds."""
    words = decode(_STATEMENT, row["statement"])
    hashes = [Bytes32(word) for word in words[:6]]
    said = Result(
        request_id=hashes[0],
        app_id=hashes[1],
        model_id=hashes[2],
        weights_root=hashes[3],
        input_commitment=hashes[4],
        output_hash=hashes[5],
        key_epoch=words[6],
        policy_version=words[7],
        worker=Address(to_checksum_address(words[8])),
        units=words[9],
        nonce=words[10],
        deadline=Timestamp(words[11]),
    )
    return SignedResult(said, row["output"], row["signature"])


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
