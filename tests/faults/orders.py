"""
The campaigns there are, each carried out in a process of its own, and what is told of each.

A campaign ends well only where no promise was broken and every point that lives passed, but those
that hardly any did, was one that some died at. A relayer that is broken on purpose is caught only
by a promise it broke: a harness that fails has caught nobody.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from quotary_bridge.chain.contracts import ONE_WORKER

from tests.bridge.postgres import running_postgres
from tests.faults.campaign import Campaign
from tests.faults.crowd import QUORUM
from tests.faults.daemons import daemons_killed
from tests.faults.mutants import CAUGHT, JOBS_PER_KILL
from tests.faults.odds import BAD_DAY, Manners
from tests.faults.plans import Plan, Record
from tests.faults.points import seldom
from tests.faults.proxy import proxied
from tests.faults.steady import steady
from tests.faults.world import world

PUSHED, CLAIMED = "pushed", "claimed"
"""Who brings the answers of a batch to the chain: the relayer, or who asked for them."""

MORE_KILLS = 150
"""How many kills a campaign has beyond its plan for points that nobody died at yet."""

DAEMON = "the daemon"
BEHIND_A_PROXY = "one worker, a bad node"
TWINS = "one worker, two relayers"
PATIENCE_SECONDS = 2.0
"""How long a relayer waits for a node that may hang."""

TOO_FEW = 2
"""
A point that no more lives came by could not be aimed at: the first one found it.

Each one after it was to die there, and so many kills were added for that alone.
"""

LEAST_POINTS = {"one worker": 60, "three of five": 70, "batches": 78}
"""How many points lives have passed that were killed often enough to come by all."""

MEMORY = Path("/dev/shm")  # noqa: S108 (everything lies in a folder of its own there)
MEMORY_FREE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Order:
    """
    One campaign to carry out; `strict` where the oracle refuses duplicates.

    With `rounds`, three of five workers must agree, and half of those there are do not behave. With
    `batches`, answers come by the batch, and are claimed by the relayer where that says `PUSHED`,
    else by who asked. With `twins`, two relayers share a store, one of them with two accounts.
    Where it is `proxied`, the node breaks every promise that a node can break. With `daemon`,
    `quotary relay run` is killed. With `steady`, nobody is killed: one relayer answers a request in
    each of so many blocks, and is measured. With a `mutant`, a relayer that is broken in this way,
    which must not go unnoticed.
    """

    seed: int
    kills: int
    strict: bool
    postgres: bool = False
    rounds: bool = False
    batches: str = ""
    mutant: str = ""
    daemon: bool = False
    proxied: bool = False
    twins: bool = False
    steady: int = 0

    @property
    def plan(self) -> Plan:
        """What is done; a round costs more than an answer, so there are fewer of them."""
        plan = Plan(
            self.seed,
            self.kills,
            pushes=self.batches == PUSHED,
            twins=self.twins,
            # An oracle that trusts everybody knows no reservations.
            reserved=self.strict and self.rounds,
            more_kills=1 if self.proxied else MORE_KILLS,
            least_points=0
            if self.proxied
            else LEAST_POINTS.get(self.answered_by.partition(",")[0], 0),
        )
        if self.mutant:
            how = CAUGHT[self.mutant]
            return replace(
                plan,
                jobs_per_kill=JOBS_PER_KILL,
                weather=how.weather,
                sabotage=how.sabotage,
                more_kills=0,
            )
        return replace(plan, jobs_per_kill=0.3, open_requests=4) if self.rounds else plan

    @property
    def answered_by(self) -> str:
        """Who answers, as the report says it."""
        if self.daemon:
            return DAEMON
        if self.twins:
            return TWINS
        if self.proxied:
            return BEHIND_A_PROXY
        if self.batches:
            return f"batches, {self.batches}"
        return "three of five" if self.rounds else "one worker"


def carry_out(order: Order) -> dict[str, Any]:
    """
    Carry a campaign out and return its figures; what breaks it is a figure, too.

    Stores lie in memory where there is room: a kill takes nothing from the kernel that a disk would
    have kept, and relayers need not wait for one.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_BYTES
    tempfile.tempdir = str(MEMORY) if in_memory else None
    figures: dict[str, Any] = {**asdict(order), "in_memory": in_memory}
    figures["answered_by"] = order.answered_by
    if order.steady:
        with tempfile.TemporaryDirectory() as folder:
            return figures | {"broken": [], "measured": steady(order.steady, Path(folder))}
    try:
        record = _record(order)
    except AssertionError as error:
        figures |= {"kills": 0, "broken": [f"a relayer ended by itself: {error}"]}
        caught = False
    else:
        figures |= _told(record)
        caught = bool(figures["broken"])
        if not order.mutant:
            figures["broken"] += uncovered(record, order.plan)
    spent = os.times()
    # All that it started has ended and been waited for, but PostgreSQL, which is no child of ours.
    figures["core_seconds"] = round(sum(spent[:4]), 1)
    if order.mutant:
        figures["caught_by"] = figures["broken"]
        missed = [f"a relayer that {order.mutant} was not caught", *figures["broken"]]
        figures["broken"] = [] if caught else missed
    return figures


def uncovered(record: Record, plan: Plan) -> list[str]:
    """Say where points were passed and nobody died, or hardly any were passed."""
    spared = [name for name in record.spared if record.lives[name] > TOO_FEW and not seldom(name)]
    few = len(record.points) < plan.least_points
    return [
        *([f"nobody was killed at {', '.join(spared)}"] if spared else []),
        *([f"only {len(record.points)} of {plan.least_points} points were passed"] if few else []),
    ]


def _record(order: Order) -> Record:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where: Any = folder / "store.sqlite"
        if order.postgres:
            where = stack.enter_context(running_postgres()).database()
        quorum = QUORUM if order.rounds else ONE_WORKER
        if order.daemon:
            place = stack.enter_context(world(strict=order.strict))
            return daemons_killed(place, folder, order.seed, order.kills)
        chain = world(strict=order.strict, quorum=quorum, batches=bool(order.batches))
        place = stack.enter_context(chain)
        plan = order.plan
        if order.proxied:
            url = stack.enter_context(proxied(place.node.url, Manners(order.seed, BAD_DAY)))
            plan = replace(plan, url=url, rpc_seconds=PATIENCE_SECONDS)
        return Campaign(place, where, plan, folder).run()


def _told(record: Record) -> dict[str, Any]:
    if record.verdict is None:
        raise RuntimeError("a campaign ended without a verdict")
    return {
        "kills": record.kills,
        "seconds": round(record.seconds, 1),
        "points": len(record.points),
        "points_killed_at": len(record.points) - len(record.spared),
        "spared": record.spared,
        "first_questions": record.first_questions,
        "died_at": dict(record.died_at),
        "happened": dict(record.happened),
        **asdict(record.verdict),
        "broken": list(record.verdict.broken),
    }
