"""
What a dstack guest measures at boot, as values: the event log and the registers it replays to.

Used by the simulated TEE, so that its reports pass the same replay as genuine ones. Source of the
rules: Dstack-TEE/dstack, event log of the guest; runtime events have type 0x08000001.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Final

__all__ = ["RUNTIME_EVENT", "Event", "GuestMeasurements", "replay"]

RUNTIME_EVENT: Final = 0x08000001

_REGISTERS: Final = 4
_APP_REGISTER: Final = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One extension of one runtime measurement register (RTMR)."""

    register: int
    event_type: int
    name: str
    payload: bytes

    @property
    def digest(self) -> bytes:
        """What extends the register."""
        tag = self.event_type.to_bytes(4, "little")
        return sha384(b":".join((tag, self.name.encode(), self.payload))).digest()

    def as_json(self) -> dict[str, object]:
        """The event as dstack writes it."""
        return {
            "imr": self.register,
            "event_type": self.event_type,
            "digest": self.digest.hex(),
            "event": self.name,
            "event_payload": self.payload.hex(),
        }


def replay(events: Iterable[Event]) -> tuple[bytes, bytes, bytes, bytes]:
    """The four registers after `events`: each starts as zeros and becomes SHA384(old || digest)."""
    registers = [bytes(48)] * _REGISTERS
    for event in events:
        registers[event.register] = sha384(registers[event.register] + event.digest).digest()
    first, second, third, fourth = registers
    return first, second, third, fourth


@dataclass(frozen=True, slots=True)
class GuestMeasurements:
    """A guest that runs `app_compose`; everything else stands for a fixed OS image."""

    app_compose: str
    instance_id: bytes = bytes(20)

    @property
    def compose_hash(self) -> bytes:
        """SHA-256 of the manifest."""
        return sha256(self.app_compose.encode()).digest()

    @property
    def app_id(self) -> bytes:
        """The head of the compose hash: a first deployment's id."""
        return self.compose_hash[:20]

    @property
    def os_image_hash(self) -> bytes:
        """Stands for the OS image."""
        return sha256(b"quotary simulated OS image 1").digest()

    @property
    def mr_td(self) -> bytes:
        """Stands for the firmware's measurement."""
        return sha384(b"quotary simulated firmware 1").digest()

    @property
    def mr_config_id(self) -> bytes:
        """What the host fixes before boot: dstack puts the compose hash there, after a 1."""
        return b"\x01" + self.compose_hash + bytes(15)

    def events(self) -> tuple[Event, ...]:
        """The boot of this guest, in the order dstack logs it."""
        boot = (
            Event(0, RUNTIME_EVENT, "simulated-virtual-hardware", b""),
            Event(1, RUNTIME_EVENT, "simulated-kernel", self.os_image_hash),
            Event(2, RUNTIME_EVENT, "simulated-command-line-and-initrd", self.os_image_hash),
        )
        provider = json.dumps({"name": "none", "id": ""}, separators=(",", ":")).encode()
        system = (
            ("system-preparing", b""),
            ("app-id", self.app_id),
            ("compose-hash", self.compose_hash),
            ("instance-id", self.instance_id),
            ("boot-mr-done", b""),
            ("os-image-hash", self.os_image_hash),
            ("key-provider", provider),
            ("system-ready", b""),
        )
        return boot + tuple(Event(_APP_REGISTER, RUNTIME_EVENT, *event) for event in system)

    def event_log(self) -> str:
        """The events as dstack writes them: a JSON array."""
        return json.dumps([event.as_json() for event in self.events()], separators=(",", ":"))

    def vm_config(self) -> str:
        """The virtual machine as dstack describes it: a JSON object."""
        config = {"os_image_hash": self.os_image_hash.hex(), "cpu_count": 1, "simulated": True}
        return json.dumps(config, separators=(",", ":"))
