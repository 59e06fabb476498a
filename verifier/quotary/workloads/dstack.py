"""
dstack guests on Intel TDX: from a quote to the app it runs.

Steps:
  1. the event log replays to the quote's RTMR0-3, runtime digests recomputed;
  2. the system's events stand before `system-ready`, in order, once each; no later event of RTMR3
     takes a system event's name;
  3. MRCONFIGID, where it carries a compose hash, and the measured compose hash agree; MROWNER and
     MROWNERCONFIG are zero;
  4. app-compose.json has the measured hash, and names every image by digest;
  5. the expectations hold: app, compose hash, instance, OS image, key provider, measurements,
     report data.

INTEGRATOR RESPONSIBILITIES. The events are the word of the guest's OS: who does not compare MRTD
and RTMR0-2 with an image they reproduced trusts whatever OS was booted. What the pinned images do
is for the reader to judge. See `Workload.does_not_prove`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document, read_hex
from quotary.workloads.compose import AppCompose
from quotary.workloads.eventlog import Event, parse_event_log, replay
from quotary.workloads.quoted import Quoted
from quotary.workloads.statements import Gap, Proof, Statement
from quotary.workloads.system_events import KeyProvider, SystemEvents

__all__ = [
    "DstackEvidence",
    "Expectations",
    "KeyProvider",
    "Workload",
    "verify_dstack",
]

_REPORT_DATA_BYTES: Final = 64
_COMPOSE_IN_CONFIG: Final = 0x01


@dataclass(frozen=True, slots=True)
class DstackEvidence:
    """
    What a guest answers to `GetQuote`, taken apart; nothing in it is proven yet.

    `os_image_claim` is the OS image hash in `vm_config`, which the host writes.
    """

    quote: bytes
    event_log: tuple[Event, ...]
    os_image_claim: bytes | None = None
    app_compose: bytes | None = None

    @classmethod
    def parse(cls, data: bytes | str, app_compose: bytes | None = None) -> DstackEvidence:
        """
        Read the JSON answer of `GetQuote`; `app_compose` are the bytes of app-compose.json.

        Raises `ParseError`, or `VerificationError` for a wrong digest in the log.
        """
        return cls.read(Document.parse(data, "evidence"), app_compose)

    @classmethod
    def read(cls, fields: Document, app_compose: bytes | None = None) -> DstackEvidence:
        """Read the same fields out of a larger document; raises as `parse` does."""
        if app_compose is None and fields.has("app_compose"):
            app_compose = _utf8(fields.text("app_compose"), "app_compose")
        return cls.of(
            fields.octets("quote"),
            fields.embedded("event_log"),
            fields.embedded("vm_config"),
            app_compose,
        )

    @classmethod
    def of(
        cls, quote: bytes, event_log: object, vm_config: object, app_compose: bytes | None
    ) -> DstackEvidence:
        """Put evidence together from its parts, the log and the configuration as JSON values."""
        claim = None
        if isinstance(vm_config, dict) and vm_config.get("os_image_hash") is not None:
            claim = read_hex(vm_config["os_image_hash"], "vm_config.os_image_hash")
        return cls(quote, parse_event_log(event_log), claim, app_compose)


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the caller demands; None demands nothing. Unpinned images must be allowed knowingly."""

    app_id: bytes | None = None
    compose_hash: bytes | None = None
    instance_id: bytes | None = None
    os_image_hash: bytes | None = None
    key_provider: str | None = None
    key_provider_id: str | None = None
    mr_td: bytes | None = None
    rtmr0: bytes | None = None
    rtmr1: bytes | None = None
    rtmr2: bytes | None = None
    report_data: bytes | None = None
    allow_unpinned: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for report data that is not 64 bytes: all of them count."""
        if self.report_data is not None and len(self.report_data) != _REPORT_DATA_BYTES:
            raise ValueError("expected report data is 64 bytes")

    @property
    def pin_os(self) -> bool:
        """Whether firmware, kernel, command line and initrd are all pinned."""
        return None not in (self.mr_td, self.rtmr0, self.rtmr1, self.rtmr2)


@dataclass(frozen=True, slots=True)
class Workload:
    """
    An app inside a dstack guest, as measured.

    `os_image_hash` is the OS's own event, None in guests that log none. `app_events` is what the
    app appended to the log: the app's word, under names of its choice.
    """

    app_id: bytes
    compose_hash: bytes
    instance_id: bytes
    os_image_hash: bytes | None
    os_image_claim: bytes | None
    key_provider: KeyProvider
    compose: AppCompose | None
    app_events: tuple[Event, ...]
    quoted: Quoted
    proofs: tuple[Proof, ...]
    gaps: tuple[Gap, ...]

    @property
    def proves(self) -> tuple[Statement, ...]:
        """What holds, in words."""
        return tuple(map(Statement, self.proofs))

    @property
    def does_not_prove(self) -> tuple[Statement, ...]:
        """What nobody should read into it."""
        return tuple(map(Statement, self.gaps))


def verify_dstack(
    evidence: DstackEvidence, quoted: Quoted, expected: Expectations | None = None
) -> Workload:
    """
    Return the workload that `evidence` proves; `quoted` must be about the evidence's quote.

    Raises `ParseError` or `VerificationError` with the reason. Needs PyYAML (extra `dstack`) when
    the evidence includes app-compose.json.
    """
    expected = expected or Expectations()
    if Quoted.unverified(evidence.quote).quote_hash != quoted.quote_hash:
        raise VerificationError(Reason.QUOTE_MISMATCH, "verdict", expected="this quote's")
    # 1
    _require_replay(evidence.event_log, quoted)
    # 2
    system = SystemEvents.read(evidence.event_log)
    # 3
    in_config = _require_config(quoted, system.compose_hash)
    # 4
    compose = _require_compose(evidence.app_compose, system.compose_hash, expected)
    # 5
    _require_system(system, expected)
    _require_measured(quoted, expected)
    return Workload(
        app_id=system.app_id,
        compose_hash=system.compose_hash,
        instance_id=system.instance_id,
        os_image_hash=system.os_image_hash,
        os_image_claim=evidence.os_image_claim,
        key_provider=system.key_provider,
        compose=compose,
        app_events=system.app_events,
        quoted=quoted,
        proofs=tuple(_proofs(quoted, compose, expected)),
        gaps=tuple(_gaps(evidence, system, compose, expected, quoted, in_config=in_config)),
    )


def _require_replay(events: tuple[Event, ...], quoted: Quoted) -> None:
    for index, (found, expected) in enumerate(zip(replay(events), quoted.rtmrs, strict=True)):
        if found != expected:
            raise VerificationError(
                Reason.EVENT_LOG_MISMATCH,
                f"RTMR{index}",
                expected=f"{expected.hex()} (quote)",
                found=f"{found.hex()} (log)",
            )


def _require_config(quoted: Quoted, compose_hash: bytes) -> bool:
    """Check what the host fixed before boot; returns whether it fixed the compose hash."""
    if any(quoted.mr_owner):
        raise VerificationError(
            Reason.MEASUREMENT_MISMATCH,
            "MROWNER and MROWNERCONFIG",
            expected="zero, as dstack leaves them",
            found=quoted.mr_owner.hex(),
        )
    config = quoted.mr_config_id
    if not any(config):
        return False
    if config != bytes([_COMPOSE_IN_CONFIG]) + compose_hash + bytes(15):
        raise VerificationError(
            Reason.COMPOSE_HASH_MISMATCH,
            "MRCONFIGID",
            expected=f"01 and the measured compose hash {compose_hash.hex()}",
            found=config.hex(),
        )
    return True


def _require_compose(
    data: bytes | None, compose_hash: bytes, expected: Expectations
) -> AppCompose | None:
    if data is None:
        if expected.compose_hash is None:
            raise VerificationError(
                Reason.COMPOSE_MISSING, "app-compose", expected="the document or its hash"
            )
        return None
    compose = AppCompose.parse(data)
    if compose.hash != compose_hash:
        raise VerificationError(
            Reason.COMPOSE_HASH_MISMATCH,
            "app-compose",
            expected=f"{compose_hash.hex()} (measured)",
            found=compose.hash.hex(),
        )
    if not expected.allow_unpinned:
        compose.require_pinned()
    return compose


def _require_system(system: SystemEvents, expected: Expectations) -> None:
    found = (
        ("app id", system.app_id, expected.app_id),
        ("compose hash", system.compose_hash, expected.compose_hash),
        ("instance id", system.instance_id, expected.instance_id),
        ("OS image hash", system.os_image_hash, expected.os_image_hash),
        ("key provider", system.key_provider.name, expected.key_provider),
        ("key provider id", system.key_provider.id, expected.key_provider_id),
    )
    for item, value, wanted in found:
        if wanted is not None and value != wanted:
            raise VerificationError(
                Reason.WORKLOAD_MISMATCH, item, expected=_shown(wanted), found=_shown(value)
            )


def _require_measured(quoted: Quoted, expected: Expectations) -> None:
    wanted_rtmrs = (expected.rtmr0, expected.rtmr1, expected.rtmr2)
    registers = [("MRTD", quoted.mr_td, expected.mr_td)]
    for index, wanted in enumerate(wanted_rtmrs):
        registers.append((f"RTMR{index}", quoted.rtmrs[index], wanted))
    for item, value, wanted in registers:
        if wanted is not None and value != wanted:
            raise VerificationError(
                Reason.MEASUREMENT_MISMATCH, item, expected=wanted.hex(), found=value.hex()
            )
    if expected.report_data not in (None, quoted.report_data):
        raise VerificationError(
            Reason.REPORT_DATA_MISMATCH,
            "report data",
            expected=_shown(expected.report_data),
            found=quoted.report_data.hex(),
        )


def _proofs(quoted: Quoted, compose: AppCompose | None, expected: Expectations) -> Iterator[Proof]:
    yield from quoted.proofs
    yield Proof.EVENT_LOG
    yield Proof.COMPOSE_HASH
    if compose is not None and all(image.pinned for image in compose.images):
        yield Proof.IMAGES_PINNED
    if expected.pin_os:
        yield Proof.OS_MEASUREMENTS
    if expected.report_data is not None:
        yield Proof.EXPECTED_REPORT_DATA


def _gaps(
    evidence: DstackEvidence,
    system: SystemEvents,
    compose: AppCompose | None,
    expected: Expectations,
    quoted: Quoted,
    *,
    in_config: bool,
) -> Iterator[Gap]:
    yield from quoted.gaps
    if not expected.pin_os:
        yield Gap.OS_IDENTITY
    if evidence.os_image_claim not in (None, system.os_image_hash):
        yield Gap.OS_IMAGE_CLAIM
    if not in_config:
        yield Gap.COMPOSE_IN_CONFIG
    if compose is None:
        yield Gap.IMAGES_UNKNOWN
    else:
        if not all(image.pinned for image in compose.images):
            yield Gap.IMAGES_UNPINNED
        if compose.scripts:
            yield Gap.SCRIPTS
        if compose.allowed_envs:
            yield Gap.ENVIRONMENT
    if system.key_provider.name == "none":
        yield Gap.KEYS_NOT_PERSISTENT
    yield Gap.CODE_INTENT


def _shown(value: bytes | str | None) -> str:
    if value is None:
        return "none"
    return value.hex() if isinstance(value, bytes) else ascii(value)[:80]


def _utf8(text: str, item: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ParseError(Reason.SCHEMA_INVALID, item, expected="UTF-8") from error
