"""Many quotes at once, their signatures on several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final, NamedTuple

from quotary.errors import QuotaryError

__all__ = ["MAX_THREADS", "Stage", "judge_all"]

MAX_THREADS: Final = 64
"""More than any machine gains from: only the signature checks run beside each other."""

_BATCH: Final = 256
"""So many items pass a stage together: enough for threads to pay, and few enough to hold."""


class Stage(NamedTuple):
    """A part of judging: what it returns is what the next stage is given."""

    judge: Callable[[Any], Any]
    threaded: bool
    """Whether it checks signatures, which is what threads can do beside each other."""


def judge_all(stages: Sequence[Stage], items: Sequence[object], threads: int) -> list[Any]:
    """
    Return for each of `items`, in order, what the last of `stages` returns or one of them refuses.

    The interpreter runs one thread at a time, and handing over takes as long as a quarter of a
    signature. So a batch passes stage by stage: what is not signatures on this thread alone, and
    signatures one after another on all threads.

    Whatever else than a `QuotaryError` a stage raises is raised here, once all threads have ended.
    Raises `ValueError` for a number of threads outside 1 to `MAX_THREADS`.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"threads must be 1 to {MAX_THREADS}")
    outcomes: list[Any] = []
    for start in range(0, len(items), _BATCH):
        batch = list(items[start : start + _BATCH])
        for stage in stages:
            _pass(stage.judge, batch, threads if stage.threaded else 1)
        outcomes += batch
    return outcomes


def _pass(judge: Callable[[Any], Any], batch: list[Any], threads: int) -> None:
    """Replace each of `batch` that is no refusal by what `judge` makes of it, on all `threads`."""
    faults: list[Exception] = []

    def work(first: int) -> None:
        for number in range(first, len(batch), threads):
            if not isinstance(batch[number], QuotaryError) and not faults:
                try:
                    batch[number] = judge(batch[number])
                except QuotaryError as refusal:
                    batch[number] = refusal
                except Exception as fault:  # noqa: BLE001 - raised again where the threads come together
                    faults.append(fault)

    others = [Thread(target=work, args=(first,)) for first in range(1, min(threads, len(batch)))]
    for other in others:
        other.start()
    try:
        work(0)
    finally:
        for other in others:
            other.join()
    if faults:
        raise faults[0]
