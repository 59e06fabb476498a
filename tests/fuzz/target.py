"""What a fuzz target is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from quotary import QuotaryError

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """
    One way for strangers' bytes to come in.

    `run` feeds it; only `QuotaryError` may come out, and what is accepted must keep the promises
    `run` asserts. `seeds` are good inputs, `tokens` words worth inserting.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    tokens: tuple[bytes, ...] = field(default=())

    def check(self, data: bytes) -> QuotaryError | None:
        """Feed `data`; returns the refusal, lets everything else escape."""
        try:
            self.run(data)
        except QuotaryError as error:
            str(error)
            return error
        return None
