"""
The guest program: what a zero-knowledge proof of a verdict proves, run here as its executor.

`docs/guest.md` is the specification; this is its reference. Pure: the journal is a function of the
input, whoever runs it, and a guest that refuses writes none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final

from quotary import RawCollateral, TcbStatus, TrustRoot, strict, verify
from quotary.collateral import MAX_COLLATERAL_BYTES

from quotary_bridge.errors import EvidenceRejected, Reason

__all__ = ["INPUT_VERSION", "MAX_INPUT_BYTES", "GuestInput", "execute"]

INPUT_VERSION: Final = 1
MAX_QUOTE_BYTES: Final = 1 << 16
"""Several times the longest quote there is; a guest pays for every byte it hashes."""
MAX_ROOT_BYTES: Final = 1 << 12
MAX_INPUT_BYTES: Final = MAX_COLLATERAL_BYTES + MAX_QUOTE_BYTES + MAX_ROOT_BYTES + 256

_COUNT_BYTES = 4
_TIME_BYTES = 8
# Every status that yields a verdict at all: which of them count is for the chain to say.
_POLICY = strict(allowed_statuses=frozenset(TcbStatus) - {TcbStatus.REVOKED})
_PARTS = tuple(field.name for field in fields(RawCollateral))
# The one part of collateral that may be missing, encoded as empty.
_OPTIONAL = "pck_certificate_chain"


@dataclass(frozen=True, slots=True)
class GuestInput:
    """What the guest reads: a quote, its collateral, the time in Unix seconds, the root's DER."""

    quote: bytes
    collateral: RawCollateral
    at: int
    root: bytes

    def encode(self) -> bytes:
        """
        Return the bytes the guest reads from standard input.

        `version (4) ‖ at (8) ‖ quote ‖ root ‖ the ten parts of collateral`, numbers little-endian,
        each item led by its length in 4 bytes. Raises `ValueError` where `at` is no such number.
        """
        if not 0 <= self.at < 1 << 63:
            raise ValueError("the time is not in Unix seconds")
        parts = [getattr(self.collateral, name) or b"" for name in _PARTS]
        items = b"".join(
            len(item).to_bytes(_COUNT_BYTES, "little") + item
            for item in (self.quote, self.root, *parts)
        )
        version = INPUT_VERSION.to_bytes(_COUNT_BYTES, "little")
        return version + self.at.to_bytes(_TIME_BYTES, "little") + items

    @classmethod
    def decode(cls, data: bytes) -> GuestInput:
        """Read what `encode` wrote; raises `EvidenceRejected` (`GUEST_INPUT_MALFORMED`)."""
        if len(data) > MAX_INPUT_BYTES:
            raise _malformed(f"{len(data)} bytes, more than {MAX_INPUT_BYTES}")
        version, data = _number(data, _COUNT_BYTES)
        if version != INPUT_VERSION:
            raise _malformed(f"version {version}, not {INPUT_VERSION}")
        at, data = _number(data, _TIME_BYTES)
        if at >= 1 << 63:
            raise _malformed("a time beyond all calendars")
        quote, data = _item(data, MAX_QUOTE_BYTES)
        root, data = _item(data, MAX_ROOT_BYTES)
        parts: dict[str, bytes | None] = {}
        for name in _PARTS:
            part, data = _item(data, MAX_COLLATERAL_BYTES)
            parts[name] = None if name == _OPTIONAL and not part else part
        if data:
            raise _malformed(f"{len(data)} bytes after its end")
        return cls(quote, RawCollateral(**parts), at, root)  # type: ignore[arg-type] # by name


def execute(data: bytes) -> bytes:
    """
    Run the guest on `data`: return the journal it commits to.

    Raises what a guest ends on without a journal: `EvidenceRejected` for input that is none, and
    `QuotaryError` with the verifier's reason for evidence it refuses.
    """
    given = GuestInput.decode(data)
    verdict = verify(
        given.quote,
        given.collateral,
        policy=_POLICY,
        at=_time(given.at),
        root=TrustRoot.from_certificate(given.root),
    )
    return verdict.journal()


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _malformed("a time beyond all calendars") from error


def _number(data: bytes, size: int) -> tuple[int, bytes]:
    if len(data) < size:
        raise _malformed("it ends early")
    return int.from_bytes(data[:size], "little"), data[size:]


def _item(data: bytes, limit: int) -> tuple[bytes, bytes]:
    length, data = _number(data, _COUNT_BYTES)
    if length > limit:
        raise _malformed(f"an item of {length} bytes, more than {limit}")
    if len(data) < length:
        raise _malformed("it ends early")
    return data[:length], data[length:]


def _malformed(what: str) -> EvidenceRejected:
    return EvidenceRejected(Reason.GUEST_INPUT_MALFORMED, f"the guest's input is malformed: {what}")
