"""What a transaction makes of a job or a nonce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import Inclusion, JobKey, Nonce, Slot, SlotState
from quotary_bridge.store.rows import attempt_from, job_row, progress_row

__all__ = ["SlotChange", "attempted", "broadcast", "of_job", "opened", "resolved"]

SlotChange = tuple[int, Callable[[Slot | None], Slot]]
"""A slot's id, and what becomes of what was known of it; None where it was given out only now."""


def of_job(before: Job, after: Job) -> dict[str, Any]:
    """Return the columns that say what `before` became, all but the lease token."""
    if after.request is before.request or after.request == before.request:
        was, now = progress_row(before), progress_row(after)
    else:
        was, now = job_row(before), job_row(after)
    return {name: value for name, value in now.items() if value != was[name]}


def opened(slot_id: int, nonce: Nonce, key: JobKey | None) -> SlotChange:
    """A nonce was given out."""
    fresh = Slot(slot_id, nonce, key, SlotState.OPEN, 0, None, ())
    return slot_id, lambda _: fresh


def attempted(row: Mapping[str, Any]) -> SlotChange:
    """A signed transaction was kept, as `row` of the attempts."""
    return row["slot_id"], partial(_attempted, row)


def broadcast(slot_id: int) -> SlotChange:
    """A node took the latest attempt."""
    return slot_id, _broadcast


def resolved(slot_id: int, state: SlotState, inclusion: Inclusion | None) -> SlotChange:
    """A block holds one of the attempts, or none does any more."""
    return slot_id, lambda slot: replace(_known(slot), state=state, inclusion=inclusion)


def _attempted(row: Mapping[str, Any], before: Slot | None) -> Slot:
    slot = _known(before)
    return replace(slot, attempts=(*slot.attempts, attempt_from(row, slot.nonce)))


def _broadcast(before: Slot | None) -> Slot:
    slot = _known(before)
    return replace(slot, broadcasts=slot.broadcasts + 1)


def _known(slot: Slot | None) -> Slot:
    if slot is None:
        raise ValueError("a nonce changed that was never given out")
    return slot
