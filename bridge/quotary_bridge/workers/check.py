"""
What an answer must satisfy before it is worth a transaction.

The contract checks all of this again and is the only one who is believed. Checking here saves the
fee of a delivery that would revert, and names the worker that sent it.

1. the signature recovers to the worker that the result names;
2. every field the result is bound by is the request's, as read from the chain;
3. the input commitment is the hash of the request's input;
4. the output hash is the hash of the output;
5. the result is still worth something at the pinned block's time.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from quotary_bridge.model import Address, Bytes32, Request, SignedResult, Timestamp
from quotary_bridge.workers.statement import result_digest, signer_of

__all__ = ["RejectReason", "ResultRejectedError", "check_result", "check_reveal"]


class RejectReason(StrEnum):
    """Why an answer is not relayed; where the contract has an error for it, under its name."""

    INVALID_SIGNATURE = "InvalidSignature"
    WRONG_SIGNER = "WrongSigner"
    WRONG_WORKER = "WrongWorker"
    WRONG_REQUEST = "WrongRequest"
    WRONG_APP = "WrongApp"
    WRONG_MODEL = "WrongModel"
    WRONG_WEIGHTS = "WrongWeights"
    WRONG_INPUT = "WrongInput"
    WRONG_DECISION = "WrongDecision"
    WRONG_ROUND = "WrongRound"
    WRONG_KEY_EPOCH = "WrongKeyEpoch"
    WRONG_POLICY_VERSION = "WrongPolicyVersion"
    OUTPUT_MISMATCH = "OutputMismatch"
    RESULT_EXPIRED = "ResultExpired"
    WRONG_DEADLINE = "WrongDeadline"


class ResultRejectedError(Exception):
    """An answer that must not be relayed; `reason` is stable."""

    def __init__(self, reason: str, detail: str) -> None:
        """Say `reason`, and in `detail` what was found."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def check_result(
    request: Request, signed: SignedResult, at: Timestamp, expected_worker: Address | None = None
) -> None:
    """
    Return where `signed` answers `request`, asked of one worker, at time `at`.

    `expected_worker` is the worker that was asked, where its address is known. Raises
    `ResultRejectedError`.

    Warning: that the worker is active on the chain, and the weights root its model's there, is not
    checked here: it needs the chain.
    """
    said = signed.result
    _require_answers(request, signed, at, expected_worker)
    # One worker's answer is compared with nobody's, in no round.
    _require_equal(RejectReason.WRONG_DECISION, said.decision, said.output_hash)
    _require_equal(RejectReason.WRONG_ROUND, said.round, bytes(32))


def check_reveal(
    request: Request,
    signed: SignedResult,
    at: Timestamp,
    worker: Address,
    *,
    closed: Bytes32,
    exact: bool,
) -> None:
    """
    Return where `signed` answers `request` in the closed round `closed`, as `worker` must.

    `exact` says whether outputs are compared byte for byte. Raises `ResultRejectedError`. Whether
    the worker had committed to this is not checked here.
    """
    said = signed.result
    _require_answers(request, signed, at, worker)
    if exact:
        _require_equal(RejectReason.WRONG_DECISION, said.decision, said.output_hash)
    _require_equal(RejectReason.WRONG_ROUND, said.round, closed)
    # The statements of a round go to the contract together, and have what is alike in them once.
    _require_equal(RejectReason.WRONG_DEADLINE, said.deadline, request.deadline)


def _require_answers(
    request: Request, signed: SignedResult, at: Timestamp, expected_worker: Address | None
) -> None:
    said = signed.result
    # 1
    signer = signer_of(result_digest(said, request.chain_id, request.oracle), signed.signature)
    if signer is None:
        raise ResultRejectedError(RejectReason.INVALID_SIGNATURE, "not a signature of its one form")
    if signer != said.worker:
        detail = f"signed by {signer}, not by {said.worker}"
        raise ResultRejectedError(RejectReason.WRONG_SIGNER, detail)
    if expected_worker is not None and said.worker != expected_worker:
        detail = f"from {said.worker}, not from {expected_worker}"
        raise ResultRejectedError(RejectReason.WRONG_WORKER, detail)
    # 2 to 4
    for reason, found, expected in (
        (RejectReason.WRONG_REQUEST, said.request_id, request.request_id),
        (RejectReason.WRONG_APP, said.app_id, request.app_id),
        (RejectReason.WRONG_MODEL, said.model_id, request.model_id),
        (RejectReason.WRONG_INPUT, said.input_commitment, request.input_commitment),
        (RejectReason.OUTPUT_MISMATCH, said.output_hash, sha256(signed.output).digest()),
        (RejectReason.WRONG_KEY_EPOCH, said.key_epoch, 0),
        (RejectReason.WRONG_POLICY_VERSION, said.policy_version, 0),
    ):
        _require_equal(reason, found, expected)
    # 5
    if said.deadline < at:
        detail = f"worth nothing after {said.deadline}, and it is {at}"
        raise ResultRejectedError(RejectReason.RESULT_EXPIRED, detail)


def _require_equal(reason: RejectReason, found: bytes | int, expected: bytes | int) -> None:
    if found != expected:
        detail = f"found {_shown(found)}, expected {_shown(expected)}"
        raise ResultRejectedError(reason, detail)


def _shown(value: bytes | int) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
