"""One refusal for each reason that the layers above the hardware can give."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from quotary import Reason
from quotary.workloads import (
    ChatReport,
    ChatSignature,
    DstackEvidence,
    Expectations,
    verify_chat,
    verify_dstack,
)
from quotary.workloads.aci import (
    AciPolicy,
    AciReceipt,
    AciReport,
    Channel,
    Identity,
    verify_receipt,
    verify_report,
)

from tests.verifier.workloads import services, test_chat
from tests.verifier.workloads.guests import AT, Guest, app_compose, event, hardware, system_events
from tests.verifier.workloads.services import NONCE, NOW, Service, events, keyset, session

__all__ = ["WORKLOAD_REFUSALS"]

COMPOSE = app_compose()


def guest(
    made: Guest | None = None,
    expected: Expectations | None = None,
    *,
    compose: bytes | None = COMPOSE,
    **changes: Any,
) -> object:
    """Verify a guest whose answer was changed after its quote was made."""
    document = (made or Guest()).document() | changes
    evidence = DstackEvidence.parse(json.dumps(document), compose)
    return verify_dstack(evidence, hardware(evidence.quote), expected)


def another_guests_quote() -> object:
    """A verdict about one guest's quote, the evidence of another."""
    verdict = hardware(Guest(report_data=b"\1" * 64).quote())
    return verify_dstack(Guest().evidence(), verdict)


def changed_payload() -> object:
    """Another payload under the digest that was measured."""
    log = system_events(COMPOSE)
    log[4] = log[4] | {"event_payload": "00" * 20}
    return guest(event_log=json.dumps(log))


def unpinned() -> object:
    """A compose document that names an image by tag."""
    tagged = app_compose("services:\n  a:\n    image: ghcr.io/acme/gateway:latest\n")
    return guest(Guest(compose=tagged), compose=tagged)


def unclear() -> object:
    """A compose document that Docker Compose might read differently."""
    extending = app_compose("services:\n  a:\n    extends: b\n")
    return guest(Guest(compose=extending), compose=extending)


def chat(signature: dict[str, Any] | None = None, nonce: bytes = NONCE, **changes: Any) -> object:
    """Verify an exchange with a first-generation gateway."""
    return verify_chat(
        ChatReport.parse(json.dumps(test_chat.report(**changes))),
        ChatSignature.parse(json.dumps(signature or test_chat.signature())),
        test_chat.REQUEST,
        test_chat.STREAM,
        hardware,
        nonce=nonce,
    )


def identity(
    service: Service | None = None, policy: AciPolicy | None = None, **options: Any
) -> Identity:
    """Verify the report of an ACI service."""
    report = AciReport.parse(json.dumps((service or Service()).report()))
    arguments = {"nonce": NONCE, "at": AT, "policy": policy} | options
    return verify_report(report, hardware, **arguments)


@cache
def direct() -> Identity:
    """A service in order that answers itself."""
    return identity()


@cache
def aggregator() -> Identity:
    """A service in order that asks upstreams."""
    return identity(Service(serving="aggregator"))


def receipt(response: bytes = services.RESPONSE, **changes: Any) -> object:
    """Verify a receipt of the direct service."""
    signed = AciReceipt.parse(json.dumps(Service().receipt(**changes)))
    return verify_receipt(signed, direct(), services.REQUEST, response)


def forwarded(
    upstream: dict[str, Any] | None = None, record: dict[str, Any] | None = None
) -> object:
    """Verify a receipt of the aggregator, with the session it cites."""
    service = Service(serving="aggregator")
    document = service.receipt(event_log=events(*([upstream] if upstream else [])))
    return verify_receipt(
        AciReceipt.parse(json.dumps(document)),
        aggregator(),
        services.REQUEST,
        services.RESPONSE,
        session=None if record is None else json.dumps(record).encode(),
    )


def cited(**changes: Any) -> object:
    """A session that is the one cited, and still does not do."""
    record = session(**changes)
    return forwarded(services.verified(services.session_id(record)), record)


def other_session() -> object:
    """Another record than the one the receipt cites."""
    return forwarded(
        services.verified(services.session_id(session())), session(upstream_name="other")
    )


WORKLOAD_REFUSALS: dict[Reason, Callable[[], object]] = {
    Reason.EVENT_LOG_INVALID: partial(guest, event_log="{}"),
    Reason.EVENT_DIGEST_MISMATCH: changed_payload,
    Reason.EVENT_LOG_MISMATCH: partial(guest, event_log=json.dumps(system_events(COMPOSE)[1:])),
    Reason.SYSTEM_EVENT_INVALID: lambda: guest(
        Guest(log=tuple(entry for entry in system_events(COMPOSE) if entry["event"] != "app-id"))
    ),
    Reason.SYSTEM_EVENT_DUPLICATE: lambda: guest(Guest(appended=(event("app-id", bytes(20)),))),
    Reason.COMPOSE_MISSING: partial(guest, compose=None),
    Reason.COMPOSE_INVALID: unclear,
    Reason.COMPOSE_HASH_MISMATCH: lambda: guest(compose=app_compose(name="other")),
    Reason.IMAGE_NOT_PINNED: unpinned,
    Reason.WORKLOAD_MISMATCH: lambda: guest(None, Expectations(app_id=bytes(20))),
    Reason.QUOTE_MISMATCH: another_guests_quote,
    Reason.NONCE_MISMATCH: partial(chat, nonce=bytes(32)),
    Reason.SIGNER_MISMATCH: lambda: chat(test_chat.signature("ed25519")),
    Reason.BODY_HASH_MISMATCH: partial(receipt, response=b"other"),
    Reason.MESSAGE_SIGNATURE_INVALID: lambda: chat(
        test_chat.signature() | {"signature": "0x" + "11" * 64 + "1b"}
    ),
    Reason.API_VERSION_UNSUPPORTED: partial(receipt, api_version="aci/2"),
    Reason.KEYSET_INVALID: lambda: identity(Service(keyset=keyset() | {"root_keys": []})),
    Reason.KEYSET_DIGEST_MISMATCH: partial(receipt, workload_keyset_digest="sha256:" + "00" * 32),
    Reason.KEYSET_EXPIRED: lambda: identity(Service(keyset=keyset(not_after=NOW))),
    Reason.KEY_UNKNOWN: partial(receipt, key_id="r-9"),
    Reason.PROVENANCE_UNBACKED: lambda: identity(Service(provenance={})),
    Reason.CUSTODY_UNPROVEN: lambda: identity(
        None, AciPolicy(kms_roots=frozenset({b"\2" + bytes(32)}))
    ),
    Reason.CHANNEL_NOT_BOUND: lambda: identity(channel=Channel(b"\xc0" * 32, "another.example")),
    Reason.RECEIPT_INVALID: partial(receipt, event_log=[]),
    Reason.UPSTREAM_UNVERIFIED: partial(forwarded, services.failed()),
    Reason.SESSION_MISSING: lambda: forwarded(services.verified(services.session_id(session()))),
    Reason.SESSION_MISMATCH: other_session,
    Reason.SESSION_EXPIRED: partial(cited, expires_at=NOW - 1),
    Reason.CLAIM_NOT_ASSERTED: partial(cited, claims={}),
}
