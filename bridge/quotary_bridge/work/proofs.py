"""Waiting for proofs, one look at a time: no process stands still while a prover works."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import NoReturn

from quotary_bridge.store import Claim, Task
from quotary_bridge.work.step import Done, Handler, Later, Outcome
from quotary_bridge.zk import GuestInput, Job, Prover, Receipt

__all__ = ["PROOF", "ProofPending", "come_back_later", "proof_handler", "proof_task", "receipt_in"]

PROOF = "proof"
LOOK_SECONDS = 5

Sleep = Callable[[float], None]


class ProofPending(Exception):  # noqa: N818 (no error: the prover is at work)
    """The prover would have to be waited for."""


def come_back_later(_seconds: float) -> NoReturn:
    """Stand in for sleeping: leave, as the job on disk is ready to go on at any time."""
    raise ProofPending


def proof_task(job: Job, give_up_at: int) -> Task:
    """Return the task of proving `job`; the same job is the same task."""
    given = {"image_id": job.image_id.hex(), "input": b64encode(job.given.encode()).decode()}
    return Task(PROOF, job.key, given, give_up_at)


def proof_handler(prover: Prover, look_seconds: int = LOOK_SECONDS) -> Handler:
    """Return what takes a proof one step further; `prover` leaves where it would wait."""

    def _look(held: Claim) -> Outcome:
        given = held.task.given
        job = Job(bytes.fromhex(given["image_id"]), GuestInput.decode(b64decode(given["input"])))
        try:
            receipt = prover.prove(job)
        except ProofPending:
            return Later(look_seconds)
        return Done({"receipt": receipt.to_json()})

    return _look


def receipt_in(result: object) -> Receipt | None:
    """Return the receipt in a finished task's result, or None where there is none."""
    text = result.get("receipt") if isinstance(result, dict) else None
    return Receipt.from_json(text) if isinstance(text, str) else None
