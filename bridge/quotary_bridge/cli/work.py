"""`quotary work`: long work that nobody should have to wait for."""

from __future__ import annotations

import os
import threading
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta

from quotary.cli.collateral import add_filing, add_platform, filing, platform
from quotary.cli.output import ExitCode

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import add_output_flags, identifier
from quotary_bridge.cli.registrations import write_text
from quotary_bridge.cli.zk import (
    add_evidence_flags,
    add_service_flags,
    add_time_limit,
    guest_input,
    remote_prover,
)
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Timestamp
from quotary_bridge.relayer import stop_on_signals
from quotary_bridge.store import Task, TaskBook, TaskReport, TaskState, location
from quotary_bridge.work import ENGINES, Engine, Handlers, engine_for
from quotary_bridge.work.collateral import COLLATERAL, collateral_handler, collateral_task
from quotary_bridge.work.proofs import (
    PROOF,
    come_back_later,
    proof_handler,
    proof_task,
    receipt_in,
)
from quotary_bridge.zk import Job
from quotary_bridge.zk.prover import Limits

__all__ = ["register"]

DEFAULT_DATABASE = "quotary.sqlite"
KINDS = (COLLATERAL, PROOF)


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    work = subparsers.add_parser("work", help="long work: proofs, fresh collateral")
    commands = work.add_subparsers(dest="work_command", required=True, metavar="COMMAND")
    _add_proof(commands)
    _add_collateral(commands)
    _add_run(commands)
    _add_list(commands)
    _add_show(commands)


def _add_proof(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        PROOF,
        help="have a verdict proven, and do not wait",
        description="Write down that a verdict is to be proven; `quotary work run` has it done. "
        "The same verdict twice is one task.",
        epilog="example: quotary work proof --quote quote.bin --collateral collateral.json "
        "--image-id 0x…",
    )
    add_evidence_flags(parser)
    parser.add_argument(
        "--image-id", type=identifier, required=True, metavar="HEX", help="the guest's"
    )
    add_time_limit(parser)
    _add_common(parser)
    parser.set_defaults(run=_proof)


def _add_collateral(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        COLLATERAL,
        help="keep a platform's collateral fresh",
        description="Write down that collateral is to be looked at again and again, and renewed "
        "before it ends; `quotary work run` has it done.",
        epilog="example: quotary work collateral --fmspc b0c06f000000 --every 6",
    )
    add_platform(parser)
    parser.add_argument(
        "--every", type=_hours, default=timedelta(hours=6), metavar="HOURS", help="look (6)"
    )
    parser.add_argument(
        "--margin",
        type=_days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="renew what ends within (7)",
    )
    _add_common(parser)
    parser.set_defaults(run=_collateral)


def _add_run(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="do what is written down, until stopped",
        description="Do the steps that are due, until stopped. Many processes may run at once; one "
        "that is killed loses nothing.",
        epilog="example: quotary work run --kind collateral --pccs https://pccs.example",
    )
    parser.add_argument(
        "--kind", action="append", choices=KINDS, help="only this kind of work; repeatable (all)"
    )
    parser.add_argument("--once", action="store_true", help="what is due now, then stop")
    add_service_flags(parser.add_argument_group("proofs"))
    add_filing(parser)
    _add_common(parser)
    parser.set_defaults(run=_run)


def _add_list(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "list", help="show all tasks", epilog="example: quotary work list --json"
    )
    _add_common(parser)
    parser.set_defaults(run=_list)


def _add_show(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "show", help="show one task", epilog="example: quotary work show proof KEY --out receipt"
    )
    parser.add_argument("kind", choices=KINDS, help="of which kind it is")
    parser.add_argument("key", help="as quotary work list shows it")
    parser.add_argument("--out", metavar="FILE", help="a proof's receipt goes here")
    _add_common(parser)
    parser.set_defaults(run=_show)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        default=os.environ.get("QUOTARY_DATABASE", DEFAULT_DATABASE),
        metavar="FILE|URL",
        help=f"the record: a file ({DEFAULT_DATABASE}) or postgresql://USER@HOST/NAME",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="who hands out the steps; one for all that share a database (%(default)s)",
    )
    add_output_flags(parser)


@command
def _proof(args: Namespace) -> int:
    job = Job(args.image_id, guest_input(args))
    with _book(args) as book:
        return _put(args, book, proof_task(job, book.now() + args.time_limit))


@command
def _collateral(args: Namespace) -> int:
    task = collateral_task(platform(args), args.channel, every=args.every, margin=args.margin)
    with _book(args) as book:
        return _put(args, book, task)


def _put(args: Namespace, book: TaskBook, task: Task) -> int:
    added = _engine(args, book).put(task)
    known = "written down" if added else "known already"
    fields = {"kind": task.kind, "key": task.key, "added": added}
    answer(args, fields, f"{known}: {task.kind} {task.key}")
    return ExitCode.OK


@command
def _run(args: Namespace) -> int:
    stop = threading.Event()
    with _book(args) as book, _handlers(args, book) as handlers, stop_on_signals(stop):
        steps = _engine(args, book).run(handlers, stop, once=args.once)
        failed = sum(report.state is TaskState.FAILED for report in book.reports())
    answer(args, {"steps": steps, "failed": failed}, f"stopped: {steps} steps, {failed} failed")
    return ExitCode.OK


@command
def _list(args: Namespace) -> int:
    with _existing_book(args) as book:
        reports = book.reports()
    lines = "\n".join(_line(report) for report in reports) or "no tasks"
    answer(args, {"tasks": [_fields(report) for report in reports]}, lines)
    return ExitCode.OK


@command
def _show(args: Namespace) -> int:
    with _existing_book(args) as book:
        report = book.report(args.kind, args.key)
    if report is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"there is no task {args.kind} {args.key}",
            "list them with `quotary work list`",
        )
    receipt = receipt_in(report.progress)
    if args.out is not None:
        if receipt is None:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID, "the task has no receipt", "wait until it is done"
            )
        write_text(args.out, receipt.to_json())
    answer(args, _fields(report), _line(report))
    return ExitCode.OK


@contextmanager
def _book(args: Namespace) -> Iterator[TaskBook]:
    with closing(TaskBook.open(location(args.database), _now)) as book:
        yield book


@contextmanager
def _existing_book(args: Namespace) -> Iterator[TaskBook]:
    """Open the book to look at it: others may be at work with it, so nothing is changed."""
    with closing(TaskBook.open_existing(location(args.database), _now)) as book:
        yield book


def _engine(args: Namespace, book: TaskBook) -> Engine:
    return engine_for(args.engine, book, location(args.database))


@contextmanager
def _handlers(args: Namespace, book: TaskBook) -> Iterator[Handlers]:
    """Open what the chosen kinds of work need; a kind that is not set up is not ours to do."""
    kinds = args.kind or [COLLATERAL, *([PROOF] if args.program else [])]
    handlers = {}
    with ExitStack() as stack:
        if PROOF in kinds:
            # The task has its own limit, from when it was written down.
            limits = Limits(job_seconds=1 << 31)
            prover = stack.enter_context(remote_prover(args, limits, come_back_later))
            handlers[PROOF] = proof_handler(prover)
        if COLLATERAL in kinds:
            handlers[COLLATERAL] = collateral_handler(filing(args), book.now)
        yield handlers


def _line(report: TaskReport) -> str:
    due = datetime.fromtimestamp(report.due_at, UTC).strftime("%F %T")
    when = f"due {due}" if report.state is TaskState.OPEN else ""
    why = report.reason or ""
    return f"{report.task.kind:<11}{report.state:<7}{report.task.key}  {when}{why}"


def _fields(report: TaskReport) -> dict[str, object]:
    return {
        "kind": report.task.kind,
        "key": report.task.key,
        "state": report.state,
        "due_at": report.due_at,
        "failures": report.failures,
        "reason": report.reason,
        "progress": report.progress,
    }


def _now() -> Timestamp:
    return Timestamp(int(time.time()))  # noqa: TID251 (the edge: when tasks are due)


def _hours(text: str) -> timedelta:
    return _positive(timedelta(hours=float(text)))


def _days(text: str) -> timedelta:
    return _positive(timedelta(days=float(text)))


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta():
        raise ValueError("not positive")
    return span
