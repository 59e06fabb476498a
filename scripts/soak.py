"""
Kill relayers by the thousand, or for hours, and write down what came of it: docs/reliability.md.

By default what CI asks for: 1,000 kills for each of three seeds on SQLite (two of them on an oracle
that refuses no duplicate) and 300 on PostgreSQL; 100 on each in the middle of rounds of several
workers, and 100 on each where answers come by the batch; and relayers that are broken on purpose.
Ends with 1 where any promise was broken, or where one of those was not caught.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

from quotary_bridge.chain.contracts import ONE_WORKER  # noqa: E402

from tests.bridge.postgres import running_postgres  # noqa: E402 (the project's own folders first)
from tests.faults.campaign import Campaign, Plan, Record  # noqa: E402
from tests.faults.crowd import QUORUM  # noqa: E402
from tests.faults.mutants import CAUGHT, JOBS_PER_KILL, KILLS_BEFORE_CAUGHT  # noqa: E402
from tests.faults.world import world  # noqa: E402

REPORT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "build" / "faults.json"
HEADING = (
    "| store | answered by | contract refuses duplicates | seed | kills | points | killed at "
    "| requests | lost | doubled | reverted | seconds | core seconds |"
)
KILLS_AT_A_TIME = 1_000
"""A soak begins a new world now and then: Anvil's blocks cost more the more requests there were."""

PUSHED, CLAIMED = "pushed", "claimed"
"""Who brings the answers of a batch to the chain: the relayer, or who asked for them."""

MEMORY = Path("/dev/shm")  # noqa: S108 (everything lies in a folder of its own there)
MEMORY_FREE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Order:
    """
    One campaign to carry out; `strict` where the oracle refuses duplicates.

    With `rounds`, three of five workers must agree, and half of those there are do not behave. With
    `batches`, answers come by the batch, and are claimed by the relayer where that says `PUSHED`,
    else by who asked. With a `mutant`, a relayer that is broken in this way, which must not go
    unnoticed.
    """

    seed: int
    kills: int
    strict: bool
    postgres: bool = False
    rounds: bool = False
    batches: str = ""
    mutant: str = ""

    @property
    def plan(self) -> Plan:
        """What is done; a round costs more than an answer, so there are fewer of them."""
        plan = Plan(self.seed, self.kills, pushes=self.batches == PUSHED)
        if self.mutant:
            how = CAUGHT[self.mutant]
            return replace(
                plan, jobs_per_kill=JOBS_PER_KILL, weather=how.weather, sabotage=how.sabotage
            )
        return replace(plan, jobs_per_kill=0.3, open_requests=4) if self.rounds else plan

    @property
    def answered_by(self) -> str:
        """Who answers, as the report says it."""
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
    try:
        record = _record(order)
    except AssertionError as error:
        figures |= {"kills": 0, "broken": [f"a relayer ended by itself: {error}"]}
    else:
        figures |= _told(record)
    spent = os.times()
    # All that it started has ended and been waited for, but PostgreSQL, which is no child of ours.
    figures["core_seconds"] = round(sum(spent[:4]), 1)
    if order.mutant:
        missed = f"a relayer that {order.mutant} was not caught"
        figures["broken"] = [] if figures["broken"] else [missed]
    return figures


def _record(order: Order) -> Record:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where: Any = folder / "store.sqlite"
        if order.postgres:
            where = stack.enter_context(running_postgres()).database()
        quorum = QUORUM if order.rounds else ONE_WORKER
        chain = world(strict=order.strict, quorum=quorum, batches=bool(order.batches))
        place = stack.enter_context(chain)
        return Campaign(place, where, order.plan, folder).run()


def _told(record: Record) -> dict[str, Any]:
    if record.verdict is None:
        raise RuntimeError("a campaign ended without a verdict")
    return {
        "kills": record.kills,
        "seconds": round(record.seconds, 1),
        "points": len(record.points),
        "points_killed_at": sum(1 for name in record.points if record.died_at[name]),
        "died_at": dict(record.died_at),
        "happened": dict(record.happened),
        **asdict(record.verdict),
        "broken": list(record.verdict.broken),
    }


def report(figures: list[dict[str, Any]]) -> str:
    """Return docs/reliability.md."""
    ran = [run for run in figures if "jobs" in run and not run["mutant"]]
    ran.sort(key=lambda run: (run["batches"], run["rounds"], run["postgres"], run["seed"]))
    kills = sum(run["kills"] for run in ran)
    broken = [text for run in figures for text in run["broken"]]
    happened = Counter[str]()
    for run in ran:
        happened.update(run["happened"])
    weather = ", ".join(f"{count:,} {name}" for name, count in sorted(happened.items()))
    caught = sorted({f"one that {run['mutant']}" for run in figures if run["mutant"]})
    where = "in memory" if all(run["in_memory"] for run in figures) else "on a disk"
    return "\n".join(
        (
            "# Reliability",
            "",
            "Written by `scripts/soak.py`; do not edit. A relayer is killed (SIGKILL) before and",
            "after every commit and every exchange with the node, while reorgs, dropped pools and",
            "base-fee jumps happen between any two of its steps. Then one that nobody kills has to",
            "finish. What is judged, on the chain and in the store, stands at the top of",
            "`tests/faults/verdict.py`. Where three of five workers must agree, half of eighteen",
            "lie, stall, swap their answers, copy, equivocate or are dead, and kills fall on both",
            "sides of every exchange with a worker, too. Where answers come by the batch, an",
            "oracle takes a root as often as it is brought, and answers are either pushed by the",
            "relayer or claimed by who asked.",
            "",
            f"{kills:,} kills; on the chain meanwhile: {weather or 'nothing'}.",
            "",
            HEADING,
            f"|{' --- |' * (HEADING.count('|') - 1)}",
            *map(_row, ran),
            "",
            f"Broken promises: {'; '.join(broken) if broken else 'none'}.",
            "",
            *_on_mutants(caught),
            f"The stores lay {where}. Core seconds are those of relayers, harness and Anvil.",
            "",
            "Not shown by this: power loss (SIGKILL keeps what the kernel has; `synchronous=FULL`",
            "and `synchronous_commit=on` are for the rest), reorgs deeper than finality (the",
            "relayer stops at them), and a second owner of the key.",
            "",
        )
    )


def _row(run: dict[str, Any]) -> str:
    return (
        f"| {'PostgreSQL' if run['postgres'] else 'SQLite'} "
        f"| {run['answered_by']} "
        f"| {'yes' if run['strict'] else 'no'} "
        f"| {run['seed']} | {run['kills']:,} | {run['points']} | {run['points_killed_at']} "
        f"| {run['jobs']:,} | {run['lost']} | {run['doubled']} | {run['reverted']} "
        f"| {run['seconds']:.0f} | {run['core_seconds']:.0f} |"
    )


def _on_mutants(caught: list[str]) -> tuple[str, ...]:
    if not caught:
        return ()
    return (
        f"Relayers broken on purpose must be caught within {KILLS_BEFORE_CAUGHT} kills:",
        f"{' and '.join(caught)}.",
        "",
    )


def orders(args: argparse.Namespace) -> list[Order]:
    """What one round carries out."""
    seeds = range(args.seed, args.seed + args.seeds)
    found = [
        Order(seed, args.kills, strict=index % 3 == 1)
        for index, seed in enumerate(seeds)
        if args.kills
    ]
    if args.postgres:
        found.append(Order(args.seed, args.postgres, strict=False, postgres=True))
    if args.rounds:
        found.append(Order(args.seed, args.rounds, strict=True, rounds=True))
        found.append(Order(args.seed, args.rounds, strict=False, postgres=True, rounds=True))
    # Each store has both, and both an oracle that refuses a second claim and one that does not.
    for batches in (PUSHED, CLAIMED) if args.batches else ():
        for postgres in (False, True):
            strict = postgres is (batches == PUSHED)
            kills = (args.batches + 1) // 2
            # Another seed, as the same one falls at the same points whatever the store.
            seed = args.seed + postgres
            found.append(Order(seed, kills, strict, postgres=postgres, batches=batches))
    return found + [
        Order(
            args.seed,
            KILLS_BEFORE_CAUGHT,
            strict=False,
            batches=PUSHED if how.batches else "",
            mutant=mutant,
        )
        for mutant, how in CAUGHT.items()
    ]


def _line(figure: dict[str, Any]) -> str:
    """A campaign in one line, without what is counted by point."""
    return json.dumps({key: value for key, value in figure.items() if key != "died_at"})


def _write(figures: list[dict[str, Any]], *, report_too: bool) -> None:
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    if report_too:
        REPORT.write_text(report(figures))


def main() -> int:
    """Carry out, write down, and tell whether all promises were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="per seed on SQLite")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--postgres", type=int, default=300, help="kills on PostgreSQL")
    parser.add_argument("--rounds", type=int, default=100, help="per store, in rounds of workers")
    parser.add_argument(
        "--batches", type=int, default=100, help="per store, with answers by the batch"
    )
    parser.add_argument("--hours", type=float, default=0.0, help="repeat with new seeds so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    args = parser.parse_args()
    if args.hours:
        args.kills = min(args.kills, KILLS_AT_A_TIME)
    end = time.monotonic() + args.hours * 3600
    figures: list[dict[str, Any]] = []
    # Each campaign is a process of its own, which forks relayers: threads would not survive that.
    context = multiprocessing.get_context("spawn")
    with context.Pool(args.processes, maxtasksperchild=1) as pool:
        while not figures or time.monotonic() < end:
            for figure in pool.imap_unordered(carry_out, orders(args)):
                figures.append(figure)
                print(_line(figure), flush=True)
                # Written as it comes: what a run of hours has found must not be lost with it.
                _write(figures, report_too=args.report)
            args.seed += args.seeds
    return 1 if any(figure["broken"] for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
