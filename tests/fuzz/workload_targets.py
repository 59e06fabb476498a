"""Targets for what runs above the hardware: dstack guests, chat gateways and ACI services."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256

from quotary.workloads import (
    AppCompose,
    ChatReport,
    ChatSignature,
    DstackEvidence,
    Quoted,
    parse_event_log,
    replay,
    verify_chat,
    verify_dstack,
)
from quotary.workloads._document import Document, parse_json
from quotary.workloads.aci import AciReceipt, AciReport, Session, verify_receipt, verify_report
from quotary.workloads.aci._canonical import canonical
from quotary.workloads.aci.report import Identity
from quotary.workloads.system_events import SystemEvents

from tests.fuzz.target import Target
from tests.verifier.workloads import services
from tests.verifier.workloads.guests import AT, Guest, app_compose, system_events
from tests.verifier.workloads.services import Service
from tests.verifier.workloads.test_chat import REQUEST, STREAM, report, signature

__all__ = ["WORKLOAD_TARGETS"]

_TOKENS = (b'"event_type"', b'"digest"', b"null", b"true", b"1e999", b"\\ud800", b"[[[[[[", b"{}")
_YAML_TOKENS = (b"&a ", b"*a", b"<<: ", b"!!python/object:", b"- ", b": ", b"\\n", b"image: ")


def _seed(make: Callable[[], object]) -> Callable[[], Iterator[bytes]]:
    @cache
    def text() -> bytes:
        document = make()
        return document if isinstance(document, bytes) else json.dumps(document).encode()

    return lambda: iter((text(),))


def _event_log(data: bytes) -> None:
    events = parse_event_log(parse_json(data, "event log"))
    assert all(len(register) == 48 for register in replay(events))
    SystemEvents.read(events)


def _dstack(data: bytes) -> None:
    evidence = DstackEvidence.parse(data, app_compose())
    verify_dstack(evidence, Quoted.unverified(evidence.quote))


def _compose(data: bytes) -> None:
    AppCompose.parse(data).require_pinned()


def _chat_report(data: bytes) -> None:
    parsed = ChatReport.parse(data)
    verify_chat(parsed, _chat_signature(), REQUEST, STREAM, Quoted.unverified)


@cache
def _chat_signature() -> ChatSignature:
    return ChatSignature.parse(json.dumps(signature()))


@cache
def _good_chat_report() -> ChatReport:
    return ChatReport.parse(json.dumps(report()))


def _signature(data: bytes) -> None:
    parsed = ChatSignature.parse(data)
    verify_chat(_good_chat_report(), parsed, REQUEST, STREAM, Quoted.unverified)


def _aci_report(data: bytes) -> None:
    verify_report(AciReport.parse(data), Quoted.unverified, nonce=services.NONCE, at=AT)


@cache
def _identity() -> Identity:
    text = json.dumps(Service(serving="aggregator").report())
    return verify_report(AciReport.parse(text), Quoted.unverified, nonce=services.NONCE, at=AT)


def _receipt(data: bytes) -> None:
    receipt = AciReceipt.parse(data)
    record = json.dumps(services.session()).encode()
    request, response = services.REQUEST, services.RESPONSE
    verify_receipt(receipt, _identity(), request, response, session=record)


def _session(data: bytes) -> None:
    """The id is computed, so that what follows it is reached."""
    values = Document.parse(data, "session").values
    Session.parse(data, sha256(canonical(values, "session")).hexdigest())


WORKLOAD_TARGETS: tuple[Target, ...] = (
    Target("event-log", _event_log, _seed(lambda: system_events(app_compose())), _TOKENS),
    Target("dstack", _dstack, _seed(lambda: Guest().document()), _TOKENS),
    Target("compose", _compose, _seed(app_compose), (*_TOKENS, *_YAML_TOKENS)),
    Target("chat-report", _chat_report, _seed(report), _TOKENS),
    Target("chat-signature", _signature, _seed(signature), _TOKENS),
    Target("aci-report", _aci_report, _seed(lambda: Service().report()), _TOKENS),
    Target(
        "aci-receipt", _receipt, _seed(lambda: Service(serving="aggregator").receipt()), _TOKENS
    ),
    Target("aci-session", _session, _seed(services.session), _TOKENS),
)
