"""
The questions a cycle asks, built once.

Each is answered by an index that holds open rows only, so that its cost does not grow with what is
finished. That is why the conditions of these indexes stand here as text: SQLite uses a partial
index only where the question repeats its condition, and a bound value does not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    text,
    tuple_,
)

from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import JobKind
from quotary_bridge.store.claims import FREE
from quotary_bridge.store.tables import attempt, cursor, job, result, slot

__all__ = [
    "ATTEMPTS",
    "AWAITING",
    "COUNTS",
    "CURSOR",
    "OPEN_COUNTS",
    "ORPHANED",
    "OVERDUE",
    "RECENT",
    "RESULTS",
    "SLOT",
    "UNFINISHED",
    "UNRESOLVED",
    "in_state",
    "of_keys",
    "page",
]

_OURS = (job.c.chain_id == bindparam("chain")) & (job.c.oracle == bindparam("oracle_"))
_OPEN = text("NOT job.terminal")
_OLDEST_FIRST = (job.c.block_number, job.c.request_id)
_PATH = (
    *(JobState.SEEN, JobState.DISPATCHED, JobState.SIGNED),
    *(JobState.QUEUED, JobState.BROADCAST, JobState.MINED),
)
"""What becomes of a job that goes well, until it is final."""
# Everybody's oldest, then everybody's second: who asks a hundred times waits for its own turns.
_TURN = func.row_number().over(partition_by=job.c.requester, order_by=_OLDEST_FIRST)


def _words(*values: str) -> list[Any]:
    return [literal_column(f"'{value}'") for value in values]


_REQUESTS = job.c.kind.in_(_words(JobKind.ANSWER, JobKind.QUORUM))


def in_state(
    *states: JobState,
    without_slot: bool = False,
    kind: JobKind | None = None,
    free: bool = False,
) -> Select[Any]:
    """
    Return the question for open jobs in `states`, or in any, with a limit.

    The oldest come first; those that are `free` in turns, each requester's oldest before anybody's
    second: a request waits for no more than one of every other requester for each turn of its own.
    What a requester has beyond `states` already, and not final, are turns that it had: else whoever
    asked first would have every place that becomes free, one after the other.
    """
    query = select(job).where(_OURS, _OPEN)
    if free:
        query = query.where(FREE)
    if kind is not None:
        query = query.where(job.c.kind.in_(_words(kind)))
    if states:
        query = query.where(job.c.state.in_(_words(*states)))
    if without_slot:
        query = query.where(job.c.slot.is_(None))
    if free:
        query, turn = _with_turns(query, states)
        query = query.order_by(turn)
    return query.order_by(*_OLDEST_FIRST).limit(bindparam("most"))


def _with_turns(
    query: Select[Any], states: Collection[JobState]
) -> tuple[Select[Any], ColumnElement[int]]:
    """Return `query` for jobs in `states`, and the turn of each, those begun before counted."""
    reached = max((_PATH.index(state) for state in states if state in _PATH), default=len(_PATH))
    beyond = _words(*_PATH[reached + 1 :])
    if not beyond:
        return query, _TURN
    other = job.alias("other")
    begun = (
        select(other.c.requester, func.count().label("turns"))
        .where(
            other.c.chain_id == bindparam("chain"),
            other.c.oracle == bindparam("oracle_"),
            text("NOT other.terminal"),
            other.c.state.in_(beyond),
        )
        .group_by(other.c.requester)
        .subquery("begun")
    )
    joined = query.outerjoin(begun, begun.c.requester == job.c.requester)
    return joined, _TURN + func.coalesce(begun.c.turns, 0)


def page(
    state: JobState | None = None, *, answered: bool = False, errands: bool = False
) -> Select[Any]:
    """Return the question for a page of requests, or of errands, by key."""
    query = select(job).where(job.c.key > bindparam("after"), ~_REQUESTS if errands else _REQUESTS)
    if state is not None:
        query = query.where(job.c.state == literal_column(f"'{state.value}'"))
    if answered:
        query = query.where(job.c.result.is_not(None))
    return query.order_by(job.c.key).limit(bindparam("most"))


def of_keys(*states: JobState) -> Select[Any]:
    """Return the question for jobs by their keys, those in `states` or all."""
    query = select(job).where(job.c.key.in_(bindparam("keys", expanding=True)))
    return query.where(job.c.state.in_(_words(*states))) if states else query


RECENT = select(job).where(_OURS, _OPEN, _REQUESTS, job.c.block_number > bindparam("after"))
ORPHANED = select(job).where(_OURS, _OPEN, _REQUESTS, job.c.state.in_(_words(JobState.ORPHANED)))
AWAITING = (
    select(job)
    .where(
        _OURS,
        _OPEN,
        job.c.state == literal_column(f"'{JobState.AWAITING.value}'"),
        tuple_(*_OLDEST_FIRST) > tuple_(bindparam("block"), bindparam("request")),
    )
    .order_by(*_OLDEST_FIRST)
    .limit(bindparam("most"))
)
OVERDUE = (
    select(job)
    .where(
        _OURS,
        _OPEN,
        _REQUESTS,
        job.c.deadline < bindparam("now"),
        job.c.state.in_(
            _words(
                *(JobState.AWAITING, JobState.SEEN, JobState.DISPATCHED, JobState.SIGNED),
                *(JobState.QUEUED, JobState.BROADCAST),
            )
        ),
    )
    .order_by(job.c.deadline)
    .limit(bindparam("most"))
)
UNFINISHED = select(exists().where(_OURS, _OPEN))
OPEN_COUNTS = select(job.c.state, func.count()).where(_OPEN).group_by(job.c.state)
COUNTS = select(job.c.state, func.count()).where(_OURS).group_by(job.c.state)

RESULTS = select(result).where(result.c.job_key.in_(bindparam("keys", expanding=True)))

SLOT = select(slot).where(slot.c.id == bindparam("the_slot"))
UNRESOLVED = (
    select(slot)
    .where(
        (slot.c.chain_id == bindparam("chain")) & (slot.c.signer == bindparam("account")),
        text("slot.state IN ('open', 'mined')"),
    )
    .order_by(slot.c.nonce)
)
ATTEMPTS = (
    select(attempt)
    .where(attempt.c.slot_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempt.c.slot_id, attempt.c.ordinal)
)

CURSOR = select(cursor).where(
    (cursor.c.chain_id == bindparam("chain")) & (cursor.c.oracle == bindparam("oracle_"))
)
