"""
Reading jobs: how far they are every time, what they ask once.

A request never changes in one block, and neither does an errand: what was read of them is kept by
key and block, and a job that is read again, as every step of it is, costs its few short columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import JobKey
from quotary_bridge.store.claims import chunked
from quotary_bridge.store.queries import of_keys
from quotary_bridge.store.rows import PROGRESS, job_from, job_further

__all__ = ["KnownJobs"]

JOBS_REMEMBERED = 1 << 11
"""More than one cycle works on; inputs may be large."""

_Place = tuple[bytes, bytes]
"""A job's key, and the hash of the block that its request is in."""

_WHOLE = of_keys()


class KnownJobs:
    """Reads the jobs of one store; safe to use from several threads."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[_Place, Job] = {}

    def read(
        self, connection: Connection, query: Select[Any], wanted: Mapping[str, Any]
    ) -> list[Job]:
        """Return the jobs that `query`, which selects whole ones, finds for `wanted`, in order."""
        rows = connection.execute(_of_progress(query), wanted).all()
        known = [self._known.get((row[0], row[1])) for row in rows]
        unknown = [row[0] for row, job in zip(rows, known, strict=True) if job is None]
        read = {job.key: job for job in self._whole(connection, unknown)}
        return [
            read[row[0]] if job is None else job_further(job, row)
            for row, job in zip(rows, known, strict=True)
        ]

    def _whole(self, connection: Connection, keys: Sequence[JobKey]) -> Iterator[Job]:
        for some in chunked(keys):
            for row in connection.execute(_WHOLE, {"keys": some}).all():
                job = job_from(row)
                # What one thread forgets another may have forgotten already.
                while len(self._known) >= JOBS_REMEMBERED:
                    self._known.pop(next(iter(self._known), (b"", b"")), None)
                self._known[job.key, job.request.block.hash] = job
                yield job


@cache
def _of_progress(query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(*PROGRESS)
