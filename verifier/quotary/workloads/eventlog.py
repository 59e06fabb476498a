"""
Event logs of dstack guests, and their replay into RTMR0-3.

A log proves nothing by itself; replayed to the registers of a quote it is as good as the quote.
For RTMR0-2 only the digests are replayed: nothing is read from those events' names or payloads,
which no digest here covers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha384
from typing import Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document

__all__ = ["APP_REGISTER", "MAX_EVENTS", "RUNTIME_EVENT", "Event", "parse_event_log", "replay"]

RUNTIME_EVENT: Final = 0x08000001
"""The type of the events that dstack itself and apps write (Dstack-TEE/dstack, cc-eventlog)."""
APP_REGISTER: Final = 3
"""The register that only runtime events extend."""
MAX_EVENTS: Final = 4096
"""Genuine logs have about thirty events, and one per app event more; bounds the hashing."""

_REGISTERS: Final = 4
_DIGEST_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Event:
    """
    One extension of one register.

    `digest` is what extends the register. For a runtime event it was recomputed from name and
    payload; for the others it is as given, and name and payload are anybody's word.
    """

    register: int
    event_type: int
    name: str
    payload: bytes
    digest: bytes

    @property
    def runtime(self) -> bool:
        """Whether the digest covers type, name and payload."""
        return self.event_type == RUNTIME_EVENT


def parse_event_log(entries: object) -> tuple[Event, ...]:
    """
    Read the JSON array of a log. Raises `ParseError`; `VerificationError` when a digest is wrong.

    Runtime digests are recomputed: SHA384(type, little-endian ‖ ":" ‖ name ‖ ":" ‖ payload).
    """
    if not isinstance(entries, list) or len(entries) > MAX_EVENTS:
        raise ParseError(
            Reason.EVENT_LOG_INVALID, "event log", expected=f"a list of at most {MAX_EVENTS} events"
        )
    return tuple(_event(entry, f"event {index}") for index, entry in enumerate(entries))


def _event(entry: object, item: str) -> Event:
    fields = Document(entry, item)
    register = fields.number("imr", _REGISTERS - 1)
    event_type = fields.number("event_type", 0xFFFFFFFF)
    name = fields.text("event") if fields.has("event") else ""
    payload = fields.octets("event_payload") if fields.has("event_payload") else b""
    digest = fields.octets("digest") if fields.has("digest") else b""
    if event_type == RUNTIME_EVENT:
        return Event(register, event_type, name, payload, _recomputed(name, payload, digest, item))
    if register == APP_REGISTER:
        raise ParseError(
            Reason.EVENT_LOG_INVALID,
            item,
            expected=f"type {RUNTIME_EVENT:#010x} in RTMR3",
            found=f"{event_type:#010x}",
        )
    if len(digest) != _DIGEST_BYTES:
        raise ParseError(Reason.EVENT_LOG_INVALID, f"{item}.digest", expected="48 bytes")
    return Event(register, event_type, name, payload, digest)


def _recomputed(name: str, payload: bytes, given: bytes, item: str) -> bytes:
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise ParseError(Reason.EVENT_LOG_INVALID, f"{item}.event", expected="UTF-8") from error
    tag = RUNTIME_EVENT.to_bytes(4, "little")
    digest = sha384(b":".join((tag, encoded, payload))).digest()
    if given and given != digest:
        raise VerificationError(
            Reason.EVENT_DIGEST_MISMATCH, item, expected=digest.hex(), found=given.hex()[:96]
        )
    return digest


def replay(events: Iterable[Event]) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the four registers after `events`: each starts as zeros, SHA384(old ‖ digest)."""
    registers = [bytes(_DIGEST_BYTES)] * _REGISTERS
    for event in events:
        registers[event.register] = sha384(registers[event.register] + event.digest).digest()
    first, second, third, fourth = registers
    return first, second, third, fourth
