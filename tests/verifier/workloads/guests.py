"""Guests for tests: real quotes of simulated platforms over event logs written by hand here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256, sha384
from typing import Any

from quotary import RawCollateral, TrustRoot
from quotary.workloads import DstackEvidence, Quoted, hardware_check
from quotary_enclave.simulator import Simulator, TdReport

AT = datetime(2026, 9, 21, 12, tzinfo=UTC)
RUNTIME = 0x08000001
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"ghcr.io/acme/gateway@{DIGEST}"


@cache
def simulator() -> Simulator:
    return Simulator(AT, seed=b"workload tests")


def collateral() -> dict[str, str]:
    return simulator().collateral(simulator().platform())


def hardware(quote: bytes) -> Quoted:
    """Judge a quote as a user would, trusting the test root."""
    check = hardware_check(
        RawCollateral.from_json(json.dumps(collateral())),
        at=AT,
        root=TrustRoot.from_certificate(simulator().root_der),
    )
    return check(quote)


def event(name: str, payload: bytes = b"", imr: int = 3, kind: int = RUNTIME) -> dict[str, Any]:
    """One event as dstack writes it."""
    digest = sha384(kind.to_bytes(4, "little") + b":" + name.encode() + b":" + payload).hexdigest()
    return {
        "imr": imr,
        "event_type": kind,
        "digest": digest,
        "event": name,
        "event_payload": payload.hex(),
    }


def compose_text(image: str = IMAGE) -> str:
    return f"services:\n  gateway:\n    image: {image}\n"


def app_compose(text: str | None = None, **fields: Any) -> bytes:
    document = {
        "manifest_version": 2,
        "name": "gateway",
        "runner": "docker-compose",
        "docker_compose_file": compose_text() if text is None else text,
        **fields,
    }
    return json.dumps(document).encode()


def system_events(compose: bytes) -> list[dict[str, Any]]:
    """A boot as dstack logs it."""
    digest = sha256(compose).digest()
    provider = json.dumps({"name": "kms", "id": "3059"}).encode()
    return [
        event("firmware", imr=0),
        event("kernel", imr=1, kind=0x80000003),
        event("initrd", imr=2, kind=6),
        event("system-preparing"),
        event("app-id", digest[:20]),
        event("compose-hash", digest),
        event("instance-id", b"\x01" * 20),
        event("boot-mr-done"),
        event("os-image-hash", b"\x02" * 32),
        event("key-provider", provider),
        event("system-ready"),
    ]


@dataclass(frozen=True)
class Guest:
    """A guest and everything its quote measures; the defaults are in order."""

    compose: bytes = field(default_factory=app_compose)
    log: tuple[dict[str, Any], ...] | None = None
    appended: tuple[dict[str, Any], ...] = ()
    report_data: bytes = bytes(64)
    mr_config_id: bytes | None = None
    mr_owner: bytes = bytes(48)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log, as the guest would show it."""
        log = system_events(self.compose) if self.log is None else list(self.log)
        return log + list(self.appended)

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What the log extends the registers to."""
        registers = [bytes(48)] * 4
        for entry in self.events:
            extended = registers[entry["imr"]] + bytes.fromhex(entry["digest"])
            registers[entry["imr"]] = sha384(extended).digest()
        return registers[0], registers[1], registers[2], registers[3]

    def quote(self) -> bytes:
        """A version 4 quote over all of it."""
        config = self.mr_config_id
        if config is None:
            config = b"\x01" + sha256(self.compose).digest() + bytes(15)
        report = TdReport(
            mr_td=b"\x07" * 48,
            mr_config_id=config,
            mr_owner=self.mr_owner,
            rtmrs=self.rtmrs,
            report_data=self.report_data,
        )
        return simulator().platform().quote(report)

    def document(self) -> dict[str, Any]:
        """The guest's answer to `GetQuote`."""
        return {
            "quote": self.quote().hex(),
            "event_log": json.dumps(self.events),
            "report_data": self.report_data.hex(),
            "vm_config": json.dumps({"os_image_hash": "02" * 32, "cpu_count": 2}),
        }

    def evidence(self) -> DstackEvidence:
        """The answer, parsed."""
        return DstackEvidence.parse(json.dumps(self.document()), self.compose)
