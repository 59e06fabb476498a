"""Many quotes at once, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock, Thread
from typing import Final, TypeVar

from quotary.errors import QuotaryError

__all__ = ["MAX_THREADS", "judge_all"]

MAX_THREADS: Final = 64
"""More than any machine gains from: only the signature checks run beside each other."""

T = TypeVar("T")
R = TypeVar("R")


def judge_all(judge: Callable[[T], R], items: Sequence[T], threads: int) -> list[R | QuotaryError]:
    """
    Return for each of `items`, in order, what `judge` returns or the `QuotaryError` it raises.

    Whatever else it raises is raised here, once all threads have ended. Raises `ValueError` for a
    number of threads outside 1 to `MAX_THREADS`.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"threads must be 1 to {MAX_THREADS}")
    outcomes: dict[int, R | QuotaryError] = {}
    faults: list[Exception] = []
    numbers = _Numbers(len(items))

    def work() -> None:
        for number in numbers:
            try:
                outcomes[number] = judge(items[number])
            except QuotaryError as refusal:
                outcomes[number] = refusal
            except Exception as fault:  # noqa: BLE001 - raised again where the threads come together
                faults.append(fault)
                numbers.stop()

    others = [Thread(target=work) for _ in range(min(threads, len(items)) - 1)]
    for thread in others:
        thread.start()
    try:
        work()
    finally:
        numbers.stop()
        for thread in others:
            thread.join()
    if faults:
        raise faults[0]
    return [outcomes[number] for number in range(len(items))]


class _Numbers:
    """Gives out each number below a limit to one of the threads that ask."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next = 0
        self._lock = Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                number = self._next
                self._next += 1
            if number >= self._limit:
                return
            yield number

    def stop(self) -> None:
        """Give out no more."""
        self._limit = 0
