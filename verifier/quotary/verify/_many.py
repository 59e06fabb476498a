"""Many quotes at once, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Final, TypeVar

from quotary.errors import QuotaryError

__all__ = ["MAX_THREADS", "judge_all"]

MAX_THREADS: Final = 64
"""More than any machine gains from: only the signature checks run beside each other."""

T = TypeVar("T")
R = TypeVar("R")


def judge_all(
    judge: Callable[[T], R], items: Sequence[T], threads: int
) -> list[R | QuotaryError]:
    """
    Return for each of `items`, in order, what `judge` returns or the `QuotaryError` it raises.

    Whatever else it raises is raised here, once all threads have ended. Raises `ValueError` for a
    number of threads outside 1 to `MAX_THREADS`.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"threads must be 1 to {MAX_THREADS}")
    outcomes: dict[int, R | QuotaryError] = {}
    faults: list[Exception] = []
    numbered = enumerate(items)
    arguments = (judge, numbered, outcomes, faults)
    others = [Thread(target=_work, args=arguments) for _ in range(min(threads, len(items)) - 1)]
    for thread in others:
        thread.start()
    _work(*arguments)
    for thread in others:
        thread.join()
    if faults:
        raise faults[0]
    return [outcomes[number] for number in range(len(items))]


def _work(
    judge: Callable[[T], R],
    numbered: Iterator[tuple[int, T]],
    outcomes: dict[int, R | QuotaryError],
    faults: list[Exception],
) -> None:
    for number, item in numbered:
        try:
            outcomes[number] = judge(item)
        except QuotaryError as refusal:
            outcomes[number] = refusal
        except Exception as fault:  # noqa: BLE001 - raised again where all threads come together
            faults.append(fault)
        if faults:
            return
