"""
Kill relayers by the thousand, or for hours, and write down what came of it: docs/reliability.md.

By default what CI asks for: 1,000 kills for each of three seeds on SQLite (two of them on an oracle
that refuses no duplicate) and 300 on PostgreSQL; and 100 on each in the middle of rounds of several
workers. Ends with 1 where any promise was broken.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

from quotary_bridge.chain.contracts import ONE_WORKER  # noqa: E402

from tests.bridge.postgres import running_postgres  # noqa: E402 (the project's own folders first)
from tests.faults.campaign import Campaign, Plan  # noqa: E402
from tests.faults.crowd import QUORUM  # noqa: E402
from tests.faults.world import world  # noqa: E402

REPORT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "build" / "faults.json"
HEADING = (
    "| store | answered by | contract refuses duplicates | seed | kills | points | requests | lost "
    "| doubled | reverted | seconds |"
)
KILLS_AT_A_TIME = 2_000
"""A soak begins a new world now and then: a request may lie ahead by thirty days at most."""


@dataclass(frozen=True, slots=True)
class Order:
    """
    One campaign to carry out; `strict` where the oracle refuses duplicates.

    With `rounds`, three of five workers must agree, and half of those there are do not behave.
    """

    seed: int
    kills: int
    strict: bool
    postgres: bool
    rounds: bool = False

    @property
    def plan(self) -> Plan:
        """What is done; a round costs more than an answer, so there are fewer of them."""
        few = {"jobs_per_kill": 0.3, "open_requests": 4} if self.rounds else {}
        return Plan(self.seed, self.kills, **few)


def carry_out(order: Order) -> dict[str, Any]:
    """Carry a campaign out and return its figures; what breaks it is a figure, too."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where: Any = folder / "store.sqlite"
        if order.postgres:
            where = stack.enter_context(running_postgres()).database()
        quorum = QUORUM if order.rounds else ONE_WORKER
        place = stack.enter_context(world(strict=order.strict, quorum=quorum))
        try:
            record = Campaign(place, where, order.plan, folder).run()
        except AssertionError as error:
            return {**asdict(order), "kills": 0, "broken": [f"a relayer ended by itself: {error}"]}
    if record.verdict is None:
        raise RuntimeError("a campaign ended without a verdict")
    return {
        **asdict(order),
        "kills": record.kills,
        "seconds": round(record.seconds, 1),
        "points": len(record.points),
        "points_killed_at": len(record.died_at),
        "happened": dict(Counter(record.happened)),
        **asdict(record.verdict),
        "broken": list(record.verdict.broken),
    }


def report(figures: list[dict[str, Any]]) -> str:
    """Return docs/reliability.md."""
    rows = [
        f"| {'PostgreSQL' if run['postgres'] else 'SQLite'} "
        f"| {'three of five' if run['rounds'] else 'one worker'} "
        f"| {'yes' if run['strict'] else 'no'} "
        f"| {run['seed']} | {run['kills']:,} | {run['points']} | {run['jobs']:,} | {run['lost']} "
        f"| {run['doubled']} | {run['reverted']} | {run['seconds']:.0f} |"
        for run in figures
        if "jobs" in run
    ]
    kills = sum(run["kills"] for run in figures)
    broken = [text for run in figures for text in run["broken"]]
    happened = Counter[str]()
    for run in figures:
        happened.update(run.get("happened", {}))
    weather = ", ".join(f"{count:,} {name}" for name, count in sorted(happened.items()))
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
            "sides of every exchange with a worker, too.",
            "",
            f"{kills:,} kills; on the chain meanwhile: {weather or 'nothing'}.",
            "",
            HEADING,
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Broken promises: {'; '.join(broken) if broken else 'none'}.",
            "",
            "Not shown by this: power loss (SIGKILL keeps what the kernel has; `synchronous=FULL`",
            "and `synchronous_commit=on` are for the rest), reorgs deeper than finality (the",
            "relayer stops at them), and a second owner of the key.",
            "",
        )
    )


def orders(args: argparse.Namespace) -> list[Order]:
    """What one round carries out."""
    seeds = range(args.seed, args.seed + args.seeds)
    found = [
        Order(seed, args.kills, index % 3 == 1, postgres=False) for index, seed in enumerate(seeds)
    ]
    if args.postgres:
        found.append(Order(args.seed, args.postgres, strict=False, postgres=True))
    if args.rounds:
        found.append(Order(args.seed, args.rounds, strict=True, postgres=False, rounds=True))
        found.append(Order(args.seed, args.rounds, strict=False, postgres=True, rounds=True))
    return found


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
    parser.add_argument("--hours", type=float, default=0.0, help="repeat with new seeds so long")
    parser.add_argument("--processes", type=int, default=2)
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
            for figure in pool.imap(carry_out, orders(args)):
                figures.append(figure)
                print(json.dumps(figure), flush=True)
                # Written as it comes: what a run of hours has found must not be lost with it.
                _write(figures, report_too=args.report)
            args.seed += args.seeds
    return 1 if any(figure["broken"] for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
