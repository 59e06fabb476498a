"""
Claims: who works on a job, where several relayers with accounts of their own share a store.

A claim names an account and the token of its lease. It holds as long as that very lease does, so
nobody has to prolong it, and one of a relayer that died, or lost its lease, ends by itself. On
PostgreSQL rows that another relayer is taking at this moment are passed over, not waited for.

A claim saves work and guards nothing: that a job is delivered once is held by its row, its nonce
and the lease (`quotary_bridge.store.writer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, exists, select, update

from quotary_bridge.model import JobKey, Timestamp
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.tables import job, lease

__all__ = ["FREE", "chunked", "claim", "claimant"]

_Item = TypeVar("_Item")

KEYS_PER_QUERY = 500
"""Databases bound how many parameters one statement may have; this many all of them take."""

FREE = (
    job.c.claimant.is_(None)
    | ((job.c.claimant == bindparam("me")) & (job.c.claim_token == bindparam("my_token")))
    | ~exists().where(
        lease.c.chain_id == job.c.chain_id,
        lease.c.signer == job.c.claimant,
        lease.c.token == job.c.claim_token,
        lease.c.expires_at > bindparam("now"),
    )
)
"""That nobody else alive works on a job; asks for what `claimant` returns."""

_OF_KEYS = job.c.key.in_(bindparam("keys", expanding=True))
_TAKE = select(job.c.key).where(_OF_KEYS, FREE).with_for_update(skip_locked=True, of=job)
_MARK = update(job).where(_OF_KEYS)


def claimant(held: Lease, now: Timestamp) -> dict[str, Any]:
    """Return what `FREE` asks for."""
    return {"me": held.signer, "my_token": held.token, "now": now}


def claim(
    connection: Connection, held: Lease, keys: Iterable[JobKey], now: Timestamp
) -> frozenset[JobKey]:
    """Take the jobs of `keys` that are free for the holder of the lease; returns which."""
    taken: set[JobKey] = set()
    for some in chunked(sorted(keys)):
        found = connection.execute(_TAKE, {"keys": some, **claimant(held, now)})
        free = [JobKey(key) for key in found.scalars().all()]
        if free:
            mark = _MARK.values(claimant=held.signer, claim_token=held.token)
            connection.execute(mark, {"keys": free})
            taken.update(free)
    return frozenset(taken)


def chunked(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield `items` in pieces that every database takes in one statement."""
    for start in range(0, len(items), KEYS_PER_QUERY):
        yield items[start : start + KEYS_PER_QUERY]
