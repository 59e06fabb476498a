"""What a campaign is to do, and what is kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from quotary_bridge.relayer import Relayer

from tests.faults.chaos import Weather
from tests.faults.verdict import Verdict

OPEN_REQUESTS = 10
RPC_SECONDS = 10.0

Sabotage = Callable[[Relayer], None]
"""What a mutant changes in a relayer before it runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a campaign does; the same plan chooses the same points.

    The node is asked at `url`, where that is not the world's own, and waited for `rpc_seconds`.
    Where some are `reserved`, every fourth request is for workers that there are not.
    With `twins`, two relayers live at a time on one store, the first with two accounts.
    Answers of batches are claimed by the relayer where it `pushes`, else by who asked for them.
    With `more_kills`, so many may follow the `kills` while there is a point that lives passed and
    none died at, or as long as they have passed fewer than `least_points`.
    """

    seed: int
    kills: int
    jobs_per_kill: float = 0.5
    open_requests: int = OPEN_REQUESTS
    weather: Weather = field(default_factory=Weather)
    sabotage: Sabotage | None = None
    pushes: bool = False
    twins: bool = False
    reserved: bool = False
    url: str | None = None
    rpc_seconds: float = RPC_SECONDS
    more_kills: int = 0
    least_points: int = 0


@dataclass(slots=True)
class Record:
    """
    What happened in a campaign, and the verdict. `lives` counts those that came by a point.

    `first_questions` is how many seconds daemons needed from their start to ask the node anything.
    """

    seed: int
    kills: int = 0
    seconds: float = 0.0
    points: Counter[str] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    lives: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    first_questions: list[float] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def spared(self) -> list[str]:
        """The points that lives passed and none died at."""
        return sorted(name for name in self.points if not self.died_at[name])
