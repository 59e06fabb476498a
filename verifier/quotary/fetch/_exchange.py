"""
One request and its answer, without any input or output: which to send, when to ask again.

The clients drive `exchange`: they send what it yields, or sleep, and hand it what came back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from quotary.errors import Reason
from quotary.fetch.errors import FetchError
from quotary.fetch.settings import Retries

__all__ = ["FetchEvent", "FetchState", "Pause", "Progress", "Request", "Response", "exchange"]

_TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_LOST: Final = frozenset({Reason.FETCH_FAILED, Reason.FETCH_TIMEOUT})
_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_NOT_FOUND: Final = 404
_LONGEST_RETRY_AFTER_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Request:
    """One GET: `item` names the document to people, `max_bytes` bounds the answer's body."""

    item: str
    url: str
    max_bytes: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole. Header names are in lower case; where one came twice, the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before asking again."""

    seconds: float


class FetchState(StrEnum):
    """What is happening to a document."""

    ASKING = "asking"
    WAITING = "waiting"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class FetchEvent:
    """Progress for people: `detail` says from where, why and how long, or how much."""

    item: str
    state: FetchState
    detail: str


Progress = Callable[[FetchEvent], None]


def exchange(
    request: Request, retries: Retries, progress: Progress
) -> Generator[Request | Pause, Response | FetchError | None, Response]:
    """
    Yield `request` until an answer is final; return the answer, which has status 200.

    Expects the `Response`, or the `FetchError` the sending ended in, for each request, and None for
    each pause. Raises `FetchError`: a redirect, a status, an unknown platform, or the last loss.
    """
    failures = 0
    while True:
        progress(FetchEvent(request.item, FetchState.ASKING, request.url.partition("?")[0]))
        answer = yield request
        if answer is None:
            raise TypeError("a request is answered with a response or an error")
        failures += 1
        if failures >= retries.attempts or not _worth_another_try(answer):
            break
        wait = retries.wait(failures, _retry_after(answer))
        reason = answer.reason if isinstance(answer, FetchError) else f"status {answer.status}"
        detail = f"{reason}, asking again in {wait:.1f} s"
        progress(FetchEvent(request.item, FetchState.WAITING, detail))
        yield Pause(wait)
    if isinstance(answer, FetchError):
        raise answer
    _require_ok(request, answer)
    progress(FetchEvent(request.item, FetchState.RECEIVED, f"{len(answer.body):,} bytes"))
    return answer


def _worth_another_try(answer: Response | FetchError) -> bool:
    if isinstance(answer, FetchError):
        return answer.reason in _LOST
    return answer.status in _TRY_AGAIN


def _retry_after(answer: Response | FetchError) -> float | None:
    """Seconds a Retry-After header asks for; dates, which need a clock, are not followed."""
    if isinstance(answer, FetchError):
        return None
    text = answer.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_RETRY_AFTER_DIGITS:
        return None
    return float(text)


def _require_ok(request: Request, response: Response) -> None:
    if response.status == _OK:
        return
    if response.status in _REDIRECTS:
        raise FetchError(
            Reason.REDIRECT_REFUSED, request.item, expected="200", found=str(response.status)
        )
    reason = Reason.PLATFORM_UNKNOWN if response.status == _NOT_FOUND else Reason.FETCH_STATUS
    raise FetchError(reason, request.item, expected="200", found=str(response.status))
