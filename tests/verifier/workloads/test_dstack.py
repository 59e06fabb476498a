"""dstack guests: what their event logs prove, and every way to lie with one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary import RawCollateral, verify
from quotary.errors import ParseError, QuotaryError, Reason, VerificationError
from quotary.quote import Quote
from quotary.workloads import (
    DstackEvidence,
    Expectations,
    Gap,
    Proof,
    Quoted,
    parse_event_log,
    replay,
    verify_dstack,
)

from tests.verifier.workloads.guests import (
    IMAGE,
    Guest,
    app_compose,
    event,
    hardware,
    system_events,
)

GENUINE = ("quote-report", "tdx-lite-getquote")


def refusal(guest: Guest, expected: Expectations | None = None) -> Reason:
    quoted = hardware(guest.quote())
    with pytest.raises(QuotaryError) as caught:
        verify_dstack(guest.evidence(), quoted, expected)
    return caught.value.reason


def genuine(shared: Path, name: str) -> bytes:
    return (shared / "vectors" / "dstack" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_logs_replay_to_the_registers(shared: Path, name: str) -> None:
    """All four registers, of guests that log digests and of those that do not."""
    document = json.loads(genuine(shared, name))
    events = parse_event_log(json.loads(document["event_log"]))
    body = Quote.parse(bytes.fromhex(document["quote"])).body
    assert replay(events) == (body.rtmr0, body.rtmr1, body.rtmr2, body.rtmr3)


@pytest.mark.parametrize(
    ("name", "app_id", "provider", "os_image", "app_events"),
    [
        (
            "quote-report",
            "3763bc34552cf3a27ff71ad5f7a90471562a1a2d",
            "local-sgx",
            None,
            ["LIUM_MINER_HOTKEY"],
        ),
        (
            "tdx-lite-getquote",
            "86b0e55f2fa8e4fb69d890f14f54d5612707646e",
            "kms",
            "07a2388c7a6a1b6a646d443f1517990a4ec294471d63146cda9d56972765051d",
            [],
        ),
    ],
)
def test_genuine_guests(
    shared: Path,
    name: str,
    app_id: str,
    provider: str,
    *,
    os_image: str | None,
    app_events: list[str],
) -> None:
    """What two real guests say, under a compose hash pinned by the caller."""
    evidence = DstackEvidence.parse(genuine(shared, name))
    quoted = Quoted.unverified(evidence.quote)
    compose_hash = next(e.payload for e in evidence.event_log if e.name == "compose-hash")
    workload = verify_dstack(evidence, quoted, Expectations(compose_hash=compose_hash))
    assert workload.app_id.hex() == app_id == compose_hash.hex()[:40]
    assert workload.key_provider.name == provider
    assert (workload.os_image_hash and workload.os_image_hash.hex()) == os_image
    assert [entry.name for entry in workload.app_events] == app_events
    assert {Gap.HARDWARE, Gap.IMAGES_UNKNOWN} <= set(workload.gaps)
    assert (Gap.COMPOSE_IN_CONFIG in workload.gaps) == (name == "quote-report")


def test_a_guest_in_order() -> None:
    """Everything is read out of the measured evidence."""
    guest = Guest(appended=(event("note", b"hello"),))
    evidence = guest.evidence()
    workload = verify_dstack(evidence, hardware(evidence.quote))
    digest = sha256(guest.compose).digest()
    assert (workload.app_id, workload.compose_hash) == (digest[:20], digest)
    assert workload.os_image_hash == b"\x02" * 32
    assert workload.compose is not None
    assert [image.reference for image in workload.compose.images] == [IMAGE]
    assert [entry.payload for entry in workload.app_events] == [b"hello"]
    assert set(workload.proofs) == {
        Proof.GENUINE_TEE,
        Proof.EVENT_LOG,
        Proof.COMPOSE_HASH,
        Proof.IMAGES_PINNED,
    }
    assert set(workload.gaps) == {Gap.OS_IDENTITY, Gap.CODE_INTENT}
    assert all(statement.text for statement in workload.proves + workload.does_not_prove)


def test_the_os_is_proven_when_all_its_registers_are_given() -> None:
    """MRTD and RTMR0-2 together, and not before."""
    guest = Guest()
    rtmr0, rtmr1, rtmr2, _ = guest.rtmrs
    evidence, quoted = guest.evidence(), hardware(guest.quote())
    some = Expectations(mr_td=b"\x07" * 48, rtmr0=rtmr0, rtmr1=rtmr1)
    assert Gap.OS_IDENTITY in verify_dstack(evidence, quoted, some).gaps
    workload = verify_dstack(evidence, quoted, replace(some, rtmr2=rtmr2))
    assert Gap.OS_IDENTITY not in workload.gaps
    assert Proof.OS_MEASUREMENTS in workload.proofs


def without(*names: str) -> tuple[dict[str, Any], ...]:
    return tuple(entry for entry in system_events(app_compose()) if entry["event"] not in names)


def swapped(name: str, **changes: Any) -> tuple[dict[str, Any], ...]:
    return tuple(
        {**entry, **changes} if entry["event"] == name else entry
        for entry in system_events(app_compose())
    )


SYSTEM = tuple(system_events(app_compose()))
OTHER = app_compose(name="another app")

LIES: dict[str, tuple[Guest, Reason]] = {
    "a second app-id after system-ready": (
        Guest(appended=(event("app-id", b"\x09" * 20),)),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "a second compose-hash after system-ready": (
        Guest(appended=(event("compose-hash", sha256(OTHER).digest()),)),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "a second system-ready": (
        Guest(appended=(event("system-ready"),)),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "a system event the guest did not log, added by the app": (
        Guest(log=without("os-image-hash"), appended=(event("os-image-hash", b"\x02" * 32),)),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "an app event that can be split into a system event": (
        Guest(appended=(event("app-id:", b"x"),)),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "a compose hash logged twice": (
        Guest(log=(*SYSTEM[:6], event("compose-hash", b"\x05" * 32), *SYSTEM[6:])),
        Reason.SYSTEM_EVENT_DUPLICATE,
    ),
    "a system name with a colon": (
        Guest(log=(*SYSTEM[:6], event("x:y", b""), *SYSTEM[6:])),
        Reason.SYSTEM_EVENT_INVALID,
    ),
    "system events out of order": (
        Guest(log=(*SYSTEM[:4], SYSTEM[5], SYSTEM[4], *SYSTEM[6:])),
        Reason.SYSTEM_EVENT_INVALID,
    ),
    "an app id of another length": (
        Guest(log=(*SYSTEM[:4], event("app-id", b"\x01" * 32), *SYSTEM[5:])),
        Reason.SYSTEM_EVENT_INVALID,
    ),
    "a key provider that is no JSON": (
        Guest(log=(*SYSTEM[:9], event("key-provider", b"kms"), SYSTEM[10])),
        Reason.SYSTEM_EVENT_INVALID,
    ),
    "a foreign MRCONFIGID": (Guest(mr_config_id=b"\x02" * 48), Reason.COMPOSE_HASH_MISMATCH),
    "another compose hash in MRCONFIGID": (
        Guest(mr_config_id=b"\x01" + sha256(OTHER).digest() + bytes(15)),
        Reason.COMPOSE_HASH_MISMATCH,
    ),
    "garbage after the compose hash in MRCONFIGID": (
        Guest(mr_config_id=b"\x01" + sha256(app_compose()).digest() + b"\x01" * 15),
        Reason.COMPOSE_HASH_MISMATCH,
    ),
    "a foreign MROWNER": (Guest(mr_owner=b"\x01" * 48), Reason.MEASUREMENT_MISMATCH),
    "another compose document": (
        Guest(log=SYSTEM, compose=OTHER, mr_config_id=bytes(48)),
        Reason.COMPOSE_HASH_MISMATCH,
    ),
    "a tag instead of a digest": (
        Guest(compose=app_compose("services:\n  a:\n    image: acme/gateway:latest\n")),
        Reason.IMAGE_NOT_PINNED,
    ),
    "a raw extension of RTMR3 under a system name": (
        Guest(log=swapped("app-id", event_type=4)),
        Reason.EVENT_LOG_INVALID,
    ),
    "a changed payload under the measured digest": (
        Guest(log=swapped("instance-id", event_payload="05" * 20)),
        Reason.EVENT_DIGEST_MISMATCH,
    ),
    **{
        f"no {name}": (Guest(log=without(name)), Reason.SYSTEM_EVENT_INVALID)
        for name in ("app-id", "compose-hash", "instance-id", "key-provider", "system-ready")
    },
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused_for_its_reason(lie: str) -> None:
    """The quote is genuine and measured just this log: only the rule named can refuse it."""
    guest, reason = LIES[lie]
    assert refusal(guest) == reason


@pytest.mark.parametrize("change", ["drop", "repeat", "reorder", "forge"])
def test_a_log_that_was_not_measured(change: str) -> None:
    """The log must replay; a forged event with its own right digest does not."""
    guest = Guest()
    document = guest.document()
    log = guest.events
    log = {
        "drop": log[:-1],
        "repeat": [*log, log[-1]],
        "reorder": [*log[:-2], log[-1], log[-2]],
        "forge": [*log[:6], event("instance-id", b"\x08" * 20), *log[7:]],
    }[change]
    document["event_log"] = log
    evidence = DstackEvidence.parse(json.dumps(document), guest.compose)
    with pytest.raises(VerificationError) as caught:
        verify_dstack(evidence, hardware(evidence.quote))
    assert caught.value.reason == Reason.EVENT_LOG_MISMATCH


def test_init_scripts_may_be_several() -> None:
    """The one event dstack itself repeats."""
    scripts = (event("init-script-hash", b"\x01" * 32), event("init-script-hash", b"\x02" * 32))
    guest = Guest(log=(*SYSTEM[:6], *scripts, *SYSTEM[6:]))
    evidence = guest.evidence()
    assert verify_dstack(evidence, hardware(evidence.quote)).instance_id == b"\x01" * 20


WRONG: dict[str, tuple[Expectations, Reason]] = {
    "app id": (Expectations(app_id=bytes(20)), Reason.WORKLOAD_MISMATCH),
    "compose hash": (Expectations(compose_hash=bytes(32)), Reason.WORKLOAD_MISMATCH),
    "instance": (Expectations(instance_id=bytes(20)), Reason.WORKLOAD_MISMATCH),
    "OS image": (Expectations(os_image_hash=bytes(32)), Reason.WORKLOAD_MISMATCH),
    "provider": (Expectations(key_provider="none"), Reason.WORKLOAD_MISMATCH),
    "provider id": (Expectations(key_provider_id="beef"), Reason.WORKLOAD_MISMATCH),
    "MRTD": (Expectations(mr_td=bytes(48)), Reason.MEASUREMENT_MISMATCH),
    "RTMR0": (Expectations(rtmr0=bytes(48)), Reason.MEASUREMENT_MISMATCH),
    "RTMR1": (Expectations(rtmr1=bytes(48)), Reason.MEASUREMENT_MISMATCH),
    "RTMR2": (Expectations(rtmr2=bytes(48)), Reason.MEASUREMENT_MISMATCH),
    "report data": (Expectations(report_data=bytes(63) + b"\x01"), Reason.REPORT_DATA_MISMATCH),
}


@pytest.mark.parametrize("item", WRONG)
def test_what_was_expected_is_demanded(item: str) -> None:
    """Each expectation refuses alone."""
    expected, reason = WRONG[item]
    assert refusal(Guest(), expected) == reason


def test_unpinned_images_can_be_allowed_knowingly() -> None:
    """The result then names the gap instead of the proof."""
    guest = Guest(compose=app_compose("services:\n  a:\n    image: acme/gateway:1\n"))
    evidence = guest.evidence()
    workload = verify_dstack(evidence, hardware(evidence.quote), Expectations(allow_unpinned=True))
    assert Gap.IMAGES_UNPINNED in workload.gaps
    assert Proof.IMAGES_PINNED not in workload.proofs


def test_without_compose_document_its_hash_must_be_known() -> None:
    """Some compose document always exists: nobody's is not an answer."""
    evidence = replace(Guest().evidence(), app_compose=None)
    with pytest.raises(VerificationError) as caught:
        verify_dstack(evidence, hardware(evidence.quote))
    assert caught.value.reason == Reason.COMPOSE_MISSING


def test_the_verdict_must_be_about_this_quote() -> None:
    """A verdict of another guest lends nothing."""
    other = Guest(report_data=b"\x01" * 64)
    with pytest.raises(VerificationError) as caught:
        verify_dstack(Guest().evidence(), hardware(other.quote()))
    assert caught.value.reason == Reason.QUOTE_MISMATCH
    verdict = hardware(other.quote()).verdict
    assert verdict is not None
    with pytest.raises(VerificationError) as caught:
        Quoted.verified(Guest().quote(), verdict)
    assert caught.value.reason == Reason.QUOTE_MISMATCH


def test_report_data_is_all_64_bytes() -> None:
    """Half of it has two meanings, so half of it cannot be asked for."""
    with pytest.raises(ValueError, match="64 bytes"):
        Expectations(report_data=bytes(32))


def test_the_log_of_an_sgx_quote_is_refused() -> None:
    """Only TDs have RTMRs."""
    quote = Quoted(bytes(32), Quoted.unverified(Guest().quote()).tee_type, b"", b"", None)
    sgx = replace(quote, tee_type=type(quote.tee_type)(1), measurement=bytes(304))
    with pytest.raises(VerificationError) as caught:
        _ = sgx.rtmrs
    assert caught.value.reason == Reason.TEE_TYPE_NOT_ALLOWED


def test_runtime_digests_are_recomputed() -> None:
    """Where the log gives none, what the guest measured is computed."""
    entry = event("storage-fs", b"zfs")
    (with_digest,) = parse_event_log([entry])
    (without_digest,) = parse_event_log([{**entry, "digest": ""}])
    assert with_digest == without_digest
    assert without_digest.digest == sha384(b"\x01\x00\x00\x08:storage-fs:zfs").digest()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["imr", "event_type", "digest", "event", "event_payload"]), _JSON)
def test_hostile_events_raise_only_our_errors(name: str, value: object) -> None:
    """Whatever stands in a field, the answer is an event or a reason."""
    with suppress(ParseError, VerificationError):
        parse_event_log([{**event("x", b"y"), name: value}])


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"quote":1}', b"\xff", b'{"a":1,"a":2}', b"[" * 100_000]
)
def test_hostile_documents_raise_only_our_errors(data: bytes) -> None:
    """Evidence comes from anybody."""
    with pytest.raises(ParseError):
        DstackEvidence.parse(data)


@pytest.mark.parametrize(
    ("name", "collateral", "at"),
    [
        ("quote-report", "90c06f000000-tdx-platform-eval18-2026-01-12-42826dde", 1769529299),
        ("tdx-lite-getquote", "90c06f000000-tdx-platform-eval18-2026-03-16-2cee024b", 1776252513),
    ],
)
def test_genuine_guests_from_intels_root_down(
    shared: Path, name: str, collateral: str, at: int
) -> None:
    """Real hardware, real collateral, real log: the whole chain at a time it was all valid."""
    evidence = DstackEvidence.parse(genuine(shared, name))
    path = shared / "vectors" / "tdx" / "collateral" / f"{collateral}.json"
    verdict = verify(
        evidence.quote,
        RawCollateral.from_json(path.read_bytes()),
        at=datetime.fromtimestamp(at, UTC),
    )
    compose_hash = next(e.payload for e in evidence.event_log if e.name == "compose-hash")
    workload = verify_dstack(
        evidence,
        Quoted.verified(evidence.quote, verdict),
        Expectations(compose_hash=compose_hash),
    )
    assert Proof.GENUINE_TEE in workload.proofs
    assert Gap.HARDWARE not in workload.gaps


def gaps_of(guest: Guest, document: dict[str, Any] | None = None) -> set[Gap]:
    data = json.dumps(document or guest.document())
    evidence = DstackEvidence.parse(data, guest.compose)
    return set(verify_dstack(evidence, hardware(evidence.quote)).gaps)


def test_what_digests_do_not_cover_is_told() -> None:
    """Scripts, variables of the operator, keys that die with the guest, words of the host."""
    open_doors = app_compose(init_script="curl x | sh", allowed_envs=["MODEL"])
    assert {Gap.SCRIPTS, Gap.ENVIRONMENT} <= gaps_of(Guest(compose=open_doors))
    provider = event("key-provider", b'{"name":"none","id":""}')
    assert Gap.KEYS_NOT_PERSISTENT in gaps_of(Guest(log=(*SYSTEM[:9], provider, SYSTEM[10])))
    assert Gap.COMPOSE_IN_CONFIG in gaps_of(Guest(mr_config_id=bytes(48)))
    document = Guest().document() | {"vm_config": {"os_image_hash": "03" * 32}}
    assert Gap.OS_IMAGE_CLAIM in gaps_of(Guest(), document)


@pytest.mark.parametrize(
    "log",
    [
        [event("x")] * 5000,
        [{**event("x", imr=0, kind=4), "digest": "00" * 20}],
        [{**event("x", imr=0, kind=4), "digest": ""}],
        [{**event("x"), "event": "\ud800"}],
        [None],
        {},
    ],
    ids=["flood", "SHA-1 digest", "no digest", "surrogate", "null", "object"],
)
def test_logs_that_are_none(log: object) -> None:
    """Refused before anything is replayed."""
    with pytest.raises(ParseError):
        parse_event_log(log)


def test_an_app_compose_that_is_no_text() -> None:
    """A lone surrogate has no bytes to hash."""
    document = Guest().document() | {"app_compose": "\ud800"}
    with pytest.raises(ParseError):
        DstackEvidence.parse(json.dumps(document))
