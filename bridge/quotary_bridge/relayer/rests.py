"""How long jobs are left alone that could not be worked on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from quotary_bridge.model import Address, JobKey

__all__ = ["Rests"]

REST_CYCLES_LIMIT = 32
_NOBODY: Mapping[Address, int] = {}


@dataclass(slots=True)
class _Rest:
    until: int = 0
    times: int = 0
    refused: Counter[Address] = field(default_factory=Counter)


class Rests:
    """
    Rests of jobs, in cycles (not blocks: a quiet local chain makes none), longer every time.

    In memory only: forgetting one costs no more than one early question.
    """

    def __init__(self) -> None:
        """Begin with every job rested."""
        self._cycles = 0
        self._rests: dict[JobKey, _Rest] = {}

    def turn(self) -> None:
        """Begin another cycle."""
        self._cycles += 1
        # Who has had no rest for so long has ended, or is at work.
        oldest = self._cycles - 2 * REST_CYCLES_LIMIT
        self._rests = {key: rest for key, rest in self._rests.items() if rest.until > oldest}

    def rest(self, key: JobKey, refused: Address | None = None) -> None:
        """Leave a job alone for a while; `refused` is whose answer to it came to nothing."""
        rest = self._rests.setdefault(key, _Rest())
        rest.until = self._cycles + min(REST_CYCLES_LIMIT, 1 << min(rest.times, 5))
        rest.times += 1
        if refused is not None:
            rest.refused[refused] += 1

    def forget(self, key: JobKey) -> None:
        """Let a job begin anew, as something has changed."""
        self._rests.pop(key, None)

    def times(self, key: JobKey) -> int:
        """Return how often a job had to rest lately."""
        return self._rests[key].times if key in self._rests else 0

    def refused(self, key: JobKey) -> Mapping[Address, int]:
        """Return whose answers to a job came to nothing lately, and how often."""
        return self._rests[key].refused if key in self._rests else _NOBODY

    @property
    def resting(self) -> set[JobKey]:
        """The jobs that are to be left alone in this cycle."""
        return {key for key, rest in self._rests.items() if rest.until > self._cycles}
