"""
Kill relayers by the thousand, or for hours, and write down what came of it: docs/reliability.md.

By default what CI asks for: 1,000 kills for each of three seeds on SQLite (two of them on an oracle
that refuses no duplicate) and 300 on PostgreSQL, a hundred on each of both behind a node that
breaks every promise, and a hundred of those on PostgreSQL of two relayers that share it; 100 on
each in the middle of rounds of several workers, and 200 on each where answers come by the batch;
and relayers that are broken on purpose. More where a point was never killed at.
Ends with 1 where any promise was broken, or where one of those was not caught.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

from tests.faults.mutants import CAUGHT, KILLS_BEFORE_CAUGHT  # noqa: E402 (the folders first)
from tests.faults.orders import CLAIMED, PUSHED, Order, carry_out  # noqa: E402
from tests.faults.points import SELDOM  # noqa: E402

REPORT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "build" / "faults.json"
HEADING = (
    "| store | answered by | contract refuses duplicates | seed | kills | points | killed at "
    "| requests | lost | doubled | reverted | seconds | core seconds |"
)
KILLS_AT_A_TIME = 1_000
"""A soak begins a new world now and then: Anvil's blocks cost more the more requests there were."""

FOUND_ONCE = "one life or two of a campaign came by it, and none of those meant for it"
MINUTES_ASKED = 6.0
"""Within which what CI asks for has to be done, on two cores that do nothing else."""


def report(figures: list[dict[str, Any]], minutes: float) -> str:
    """Return docs/reliability.md; what CI asks for took so many `minutes`."""
    ran = [run for run in figures if "jobs" in run and not run["mutant"]]
    kinds = ("daemon", "batches", "rounds", "proxied", "twins", "postgres", "seed")
    ran.sort(key=lambda run: [run[kind] for kind in kinds])
    kills = sum(run["kills"] for run in ran)
    broken = [text for run in figures for text in run["broken"]]
    happened = Counter[str]()
    for run in ran:
        happened.update(run["happened"])
    weather = ", ".join(f"{count:,} {name}" for name, count in sorted(happened.items()))
    spared = sorted({name for run in ran for name in run["spared"]})
    mutants = [run for run in figures if run["mutant"]]
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
            "relayer or claimed by who asked. The daemon is `quotary relay run` itself, killed at",
            "any moment, behind a node that lies, drops and delays, and so is the relayer with",
            '"a bad node", whose pool also is full at times and takes no nonce out of turn.',
            "",
            f"{kills:,} kills; on the chain meanwhile: {weather or 'nothing'}.",
            "",
            HEADING,
            f"|{' --- |' * (HEADING.count('|') - 1)}",
            *map(_row, ran),
            "",
            f"Broken promises: {'; '.join(broken) if broken else 'none'}.",
            "",
            *_on_starts(ran),
            *_on_steady([run["measured"] for run in figures if "measured" in run]),
            *_on_points(spared),
            *_on_mutants(mutants),
            *_on_time(minutes),
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


def _on_starts(runs: list[dict[str, Any]]) -> tuple[str, ...]:
    """How long a daemon that was killed takes to be at work again."""
    seconds = sorted(each for run in runs for each in run["first_questions"])
    if not seconds:
        return ()
    return (
        f"`quotary relay run`, started again, asks the node after {seconds[len(seconds) // 2]:.1f}",
        f"seconds in the middle of {len(seconds)} starts, and {seconds[-1]:.1f} at worst.",
        "",
    )


def _on_steady(measured: list[dict[str, Any]]) -> tuple[str, ...]:
    """What a relayer needs that nothing happens to; of several, the one whose memory grew most."""
    if not measured:
        return ()
    most = max(measured, key=lambda each: float(each["rss_end"] / each["rss_warm"]))
    grown = 100 * (most["rss_end"] / most["rss_warm"] - 1)
    return (
        f"A relayer that nobody kills, with a request in each of {most['cycles']:,} blocks, holds",
        f"{most['rss_end'] / 2**20:.0f} MiB at the end, {grown:.1f} % more than after a quarter of",
        f"them (with what the harness keeps). An answer is found final {most['blocks_median']}",
        f"blocks after its request in the middle, {most['blocks_p99']} for 99 of 100; 6 on top of",
        "its own make it final.",
        "",
    )


def _on_points(spared: list[str]) -> tuple[str, ...]:
    """Why a campaign may have spared points that it came by."""
    listed = [f"- {name}: {SELDOM.get(name.rpartition(',')[0], FOUND_ONCE)}" for name in spared]
    if not listed:
        return ("Every point that lives came by is one that some died at.", "")
    return (
        "Every point that lives came by is one that some died at, but for these, which hardly any",
        "life comes by:",
        "",
        *listed,
        "",
    )


def _on_mutants(runs: list[dict[str, Any]]) -> tuple[str, ...]:
    if not runs:
        return ()
    found: dict[str, set[str]] = {}
    for run in runs:
        found.setdefault(run["mutant"], set()).update(text[:3] for text in run.get("caught_by", ()))
    return (
        f"Relayers broken on purpose must break a promise within {KILLS_BEFORE_CAUGHT} kills, a",
        "harness that fails counting for nothing:",
        "",
        *(
            f"- one that {mutant}: {', '.join(sorted(promises)) or 'not caught'}"
            for mutant, promises in sorted(found.items())
        ),
        "",
    )


def _on_time(minutes: float) -> tuple[str, ...]:
    slow = f": MORE than the {MINUTES_ASKED:.0f} asked for" if minutes > MINUTES_ASKED else ""
    cores, load = os.cpu_count(), os.getloadavg()[1]
    return (
        f"What CI asks for took {minutes:.1f} minutes{slow}, on {cores} cores with as much as",
        f"{load:.1f} processes to run.",
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
    if found:
        found[-1:] = _partly_proxied(found[-1], args.proxied)
    if args.postgres:
        order = Order(args.seed, args.postgres, strict=False, postgres=True)
        rest, *proxied = _partly_proxied(order, args.proxied)
        twins = rest.kills // 2
        found += [replace(rest, kills=rest.kills - twins), replace(rest, kills=twins, twins=True)]
        found += proxied
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


def further_orders(args: argparse.Namespace) -> list[Order]:
    """What takes too long for CI: the daemon itself, and a relayer that is measured."""
    found = []
    if args.daemon:
        found.append(Order(args.seed, args.daemon, strict=False, daemon=True))
    if args.steady:
        found.append(Order(args.seed, 0, strict=True, steady=args.steady))
    return found


def _partly_proxied(order: Order, kills: int) -> list[Order]:
    """Have so many of an order's kills, but no more than half, happen behind a node that is bad."""
    behind = min(kills, order.kills // 2)
    rest = replace(order, kills=order.kills - behind)
    return [rest, replace(order, kills=behind, proxied=True)] if behind else [order]


def _line(figure: dict[str, Any]) -> str:
    """A campaign in one line, without what is counted by point."""
    return json.dumps({key: value for key, value in figure.items() if key != "died_at"})


def _write(figures: list[dict[str, Any]], minutes: float, *, report_too: bool) -> None:
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    if report_too:
        REPORT.write_text(report(figures, minutes))


def main() -> int:
    """Carry out, write down, and tell whether all promises were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="per seed on SQLite")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--postgres", type=int, default=300, help="kills on PostgreSQL")
    parser.add_argument(
        "--proxied", type=int, default=100, help="kills of those behind a bad node, per store"
    )
    parser.add_argument("--rounds", type=int, default=100, help="per store, in rounds of workers")
    parser.add_argument(
        "--batches", type=int, default=200, help="per store, with answers by the batch"
    )
    parser.add_argument("--daemon", type=int, default=0, help="kills of `quotary relay run`")
    parser.add_argument(
        "--steady", type=int, default=0, help="blocks in which a relayer that nobody kills answers"
    )
    parser.add_argument("--hours", type=float, default=0.0, help="repeat with new seeds so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    args = parser.parse_args()
    if args.hours:
        args.kills = min(args.kills, KILLS_AT_A_TIME)
    began = time.monotonic()
    end = began + args.hours * 3600
    figures: list[dict[str, Any]] = []
    # Each campaign is a process of its own, which forks relayers: threads would not survive that.
    context = multiprocessing.get_context("spawn")
    minutes = 0.0
    with ProcessPoolExecutor(args.processes, context, max_tasks_per_child=1) as pool:
        while not figures or time.monotonic() < end:
            for wanted in (orders(args), further_orders(args)):
                for done in as_completed([pool.submit(carry_out, order) for order in wanted]):
                    figures.append(figure := done.result())
                    print(_line(figure), flush=True)
                    # Written as it comes: what hours have found must not be lost with them.
                    _write(figures, minutes, report_too=args.report)
                minutes = minutes or (time.monotonic() - began) / 60
            args.seed += args.seeds
    _write(figures, minutes, report_too=args.report)
    print(" ".join(_on_time(minutes)))
    return 1 if any(figure["broken"] for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
