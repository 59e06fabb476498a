"""Rounds in the store: what every worker of every round gave, so that a restart goes on from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, text

from quotary_bridge.model import Address, Bytes32, JobKey, SignedResult
from quotary_bridge.rounds import Round, RoundState, Seat
from quotary_bridge.store.rows import result_row, statement_from
from quotary_bridge.store.tables import job, round_, seat
from quotary_bridge.store.upsert import upsert

__all__ = [
    "open_round_counts",
    "put_rounds",
    "read_rounds",
    "round_counts",
    "rounds_of_ended_jobs",
]

_KEYS: Any = bindparam("keys", expanding=True)
_ROUNDS = select(round_).where(round_.c.job_key.in_(_KEYS)).order_by(round_.c.ordinal)
_SEATS = select(seat).where(seat.c.job_key.in_(_KEYS)).order_by(seat.c.place)
# Written out: a partial index is used only where the question repeats its condition.
_OPEN = text("round.state in ('committing', 'revealing', 'agreed')")
_ENDED = (
    select(round_.c.job_key)
    .distinct()
    .join(job, job.c.key == round_.c.job_key)
    .where(
        _OPEN,
        job.c.terminal,
        job.c.chain_id == bindparam("chain"),
        job.c.oracle == bindparam("oracle_"),
    )
    .limit(bindparam("most"))
)
_COUNTS = select(round_.c.state, func.count()).group_by(round_.c.state)
_OPEN_COUNTS = _COUNTS.where(_OPEN)
_CHANGES = ("commitment", "statement", "output", "signature", "fault", "token")


def read_rounds(connection: Connection, keys: Sequence[JobKey]) -> dict[JobKey, list[Round]]:
    """Return all rounds of jobs, oldest first, with their seats."""
    seats: defaultdict[tuple[bytes, int], list[Seat]] = defaultdict(list)
    for row in connection.execute(_SEATS, {"keys": keys}).mappings():
        seats[row["job_key"], row["round"]].append(_seat_from(row))
    found: dict[JobKey, list[Round]] = {}
    for row in connection.execute(_ROUNDS, {"keys": keys}).mappings():
        key, ordinal = JobKey(row["job_key"]), row["ordinal"]
        held = Round(key, ordinal, tuple(seats[key, ordinal]), RoundState(row["state"]))
        found.setdefault(key, []).append(held)
    return found


def rounds_of_ended_jobs(
    connection: Connection, chain_id: int, oracle: Address, most: int
) -> list[JobKey]:
    """Return jobs that can no longer move, and still have an open round."""
    wanted = {"chain": chain_id, "oracle_": oracle, "most": most}
    return [JobKey(key) for key in connection.execute(_ENDED, wanted).scalars()]


def round_counts(connection: Connection) -> dict[RoundState, int]:
    """Return how many rounds there ever were in each state, zero included. Reads them all."""
    found = {RoundState(state): count for state, count in connection.execute(_COUNTS)}
    return {state: found.get(state, 0) for state in RoundState}


def open_round_counts(connection: Connection) -> dict[RoundState, int]:
    """Return how many rounds something can still come of, by state."""
    return {RoundState(state): count for state, count in connection.execute(_OPEN_COUNTS)}


def put_rounds(connection: Connection, held: Iterable[Round], token: int) -> None:
    """Write rounds as they are now, whether or not they were there before."""
    rounds = list(held)
    if not rounds:
        return
    rows = [
        {"job_key": each.job, "ordinal": each.ordinal, "state": each.state.value, "token": token}
        for each in rounds
    ]
    _put(connection, round_, rows, ("job_key", "ordinal"), ("state", "token"))
    seats = [
        _seat_row(each, place, taken) | {"token": token}
        for each in rounds
        for place, taken in enumerate(each.seats)
    ]
    _put(connection, seat, seats, ("job_key", "round", "worker"), _CHANGES)


def _put(
    connection: Connection,
    table: Any,  # noqa: ANN401 (a table)
    rows: list[dict[str, Any]],
    key: Sequence[str],
    changes: Sequence[str],
) -> None:
    if not rows:
        return
    statement = upsert(connection, table)
    changed = {name: statement.excluded[name] for name in changes}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)


def _seat_row(held: Round, place: int, taken: Seat) -> dict[str, Any]:
    said = dict.fromkeys(("statement", "output", "signature"))
    if taken.signed is not None:
        said = {name: value for name, value in result_row(taken.signed).items() if name in said}
    return {
        "job_key": held.job,
        "round": held.ordinal,
        "worker": taken.worker,
        "place": place,
        "url": taken.url,
        "commitment": taken.commitment,
        "fault": taken.fault,
        **said,
    }


def _seat_from(row: RowMapping) -> Seat:
    signed = None
    if row["statement"] is not None:
        signed = SignedResult(statement_from(row["statement"]), row["output"], row["signature"])
    commitment = row["commitment"]
    return Seat(
        worker=Address(row["worker"]),
        url=row["url"],
        commitment=None if commitment is None else Bytes32(commitment),
        signed=signed,
        fault=row["fault"],
    )
