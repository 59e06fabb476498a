"""
One step of a task: run its handler, and write down what came of it.

    Done(result)               the task ends
    Later(seconds, progress)   the next step, with what this one found out
    Transient                  the same step again, after a pause that doubles, until `give_up_at`
    Permanent, QuotaryError    the task ends with the reason
    Fatal, anything else       raised: a person must look, and the task stays as it was
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from quotary import QuotaryError
from structlog.typing import FilteringBoundLogger

from quotary_bridge.errors import Permanent, Transient
from quotary_bridge.store import Claim, TaskBook

__all__ = ["CLAIM_SECONDS", "Done", "Handler", "Handlers", "Later", "Outcome", "do_step"]

CLAIM_SECONDS = 600
"""How long a step may take before another process does it again: longer than any handler waits."""

FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Done:
    """The task is done; `result` holds JSON values."""

    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Later:
    """Go on in `seconds`; `progress` holds JSON values, for the next step to read."""

    seconds: int
    progress: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Later

Handler = Callable[[Claim], Outcome]
"""Does one step. It may be run again where a process died: what it does must bear that."""

Handlers = Mapping[str, Handler]


def do_step(book: TaskBook, handlers: Handlers, held: Claim) -> None:
    """Do the step of a claimed task; whoever lost the claim meanwhile writes nothing."""
    log: FilteringBoundLogger = structlog.get_logger("quotary.work")
    log = log.bind(kind=held.task.kind, key=held.task.key)
    try:
        outcome = handlers[held.task.kind](held)
    except Transient as error:
        kept = _again(book, held, error)
        log.warning("repeated", reason=error.reason.value, detail=str(error), kept=kept)
    except Permanent as error:
        kept = book.fail(held, f"{error.reason.value}: {error}")
        log.warning("failed", reason=error.reason.value, detail=str(error), kept=kept)
    except QuotaryError as error:
        kept = book.fail(held, str(error))
        log.warning("failed", reason=error.reason.value, detail=str(error), kept=kept)
    else:
        kept = _write(book, held, outcome)
        log.info("stepped", outcome=type(outcome).__name__.lower(), kept=kept)


def _write(book: TaskBook, held: Claim, outcome: Outcome) -> bool:
    if isinstance(outcome, Done):
        return book.done(held, outcome.result)
    return book.later(held, outcome.progress, outcome.seconds)


def _again(book: TaskBook, held: Claim, error: Transient) -> bool:
    limit = held.task.give_up_at
    if limit is not None and book.now() >= limit:
        return book.fail(held, f"{error.reason.value}: {error}")
    pause = min(FIRST_PAUSE_SECONDS << min(held.failures, 20), LONGEST_PAUSE_SECONDS)
    return book.later(held, held.progress, pause, failed=True)
