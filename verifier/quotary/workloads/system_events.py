"""
The events of RTMR3 that are dstack's own word, and the app's after them.

Only what stands before `system-ready` is the system's: an app may append events with any name, so
one that takes a system event's name is refused, and the rest are shown as the app's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document
from quotary.workloads.eventlog import APP_REGISTER, Event

__all__ = ["KeyProvider", "SystemEvents"]

_APP_ID_BYTES: Final = 20
_HASH_BYTES: Final = 32
_READY: Final = "system-ready"
_REPEATABLE: Final = "init-script-hash"
"""One per init script; the only event dstack itself writes more than once."""
_ORDER: Final = (
    "system-preparing",
    "app-id",
    "compose-hash",
    _REPEATABLE,
    "instance-id",
    "boot-mr-done",
    "os-image-hash",
    "gpu-policy-hash",
    "gpu-attestation",
    "key-provider",
    "storage-fs",
    _READY,
)
_REQUIRED: Final = ("app-id", "compose-hash", "instance-id", "key-provider")


@dataclass(frozen=True, slots=True)
class KeyProvider:
    """Who gives the guest its keys: `kms`, `local-sgx`, `tpm` or `none`, and the provider's id."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class SystemEvents:
    """What dstack wrote before it handed over to the app, and what the app appended."""

    app_id: bytes
    compose_hash: bytes
    instance_id: bytes
    os_image_hash: bytes | None
    key_provider: KeyProvider
    app_events: tuple[Event, ...]

    @classmethod
    def read(cls, events: Iterable[Event]) -> SystemEvents:
        """
        Read a replayed log. Raises `VerificationError`.

        Known events must come in dstack's order, each once; unknown ones may stand among them.
        """
        runtime = [event for event in events if event.register == APP_REGISTER]
        names = [event.name for event in runtime]
        if _READY not in names:
            raise _invalid(_READY, "in RTMR3", "none")
        end = names.index(_READY) + 1
        system = _system_payloads(runtime[:end])
        for event in runtime[end:]:
            _require_own_name(event, system)
        has_image = "os-image-hash" in system
        return cls(
            app_id=_payload(system, "app-id", _APP_ID_BYTES),
            compose_hash=_payload(system, "compose-hash", _HASH_BYTES),
            instance_id=system["instance-id"],
            os_image_hash=_payload(system, "os-image-hash", _HASH_BYTES) if has_image else None,
            key_provider=_key_provider(system["key-provider"]),
            app_events=tuple(runtime[end:]),
        )


def _require_own_name(event: Event, system: Mapping[str, bytes]) -> None:
    # The digest does not separate name from payload: "app-id:x" could be read as `app-id`.
    head = event.name.partition(":")[0]
    if head in system or head in _ORDER:
        raise VerificationError(
            Reason.SYSTEM_EVENT_DUPLICATE,
            ascii(event.name)[:80],
            expected=f"before {_READY}, once",
            found=f"after {_READY}",
        )


def _system_payloads(events: list[Event]) -> dict[str, bytes]:
    system: dict[str, bytes] = {}
    position = 0
    for event in events:
        name = event.name
        if ":" in name:
            raise _invalid(ascii(name)[:80], "a name without colon")
        if name in system and name != _REPEATABLE:
            raise VerificationError(
                Reason.SYSTEM_EVENT_DUPLICATE, ascii(name)[:80], expected="once", found="again"
            )
        if name in _ORDER:
            if _ORDER.index(name) < position:
                raise _invalid(name, f"before {_ORDER[position]}")
            position = _ORDER.index(name)
        system[name] = event.payload
    for name in _REQUIRED:
        if name not in system:
            raise _invalid(name, f"before {_READY}", "none")
    return system


def _payload(system: Mapping[str, bytes], name: str, length: int) -> bytes:
    payload = system[name]
    if len(payload) != length:
        raise _invalid(name, f"{length} bytes", f"{len(payload)} bytes")
    return payload


def _key_provider(payload: bytes) -> KeyProvider:
    try:
        fields = Document.parse(payload, "key-provider")
        return KeyProvider(fields.text("name"), fields.text("id"))
    except ParseError as error:
        raise _invalid("key-provider", "JSON with name and id") from error


def _invalid(item: str, expected: str, found: str | None = None) -> VerificationError:
    return VerificationError(Reason.SYSTEM_EVENT_INVALID, item, expected=expected, found=found)
