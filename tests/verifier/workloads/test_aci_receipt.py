"""ACI receipts and sessions: what a service signed about one exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary.errors import ParseError, QuotaryError, Reason
from quotary.workloads import Gap, Proof
from quotary.workloads._document import Document
from quotary.workloads.aci import (
    AciReceipt,
    AciReport,
    ClaimStatus,
    Exchange,
    Identity,
    Keyset,
    ReceiptPolicy,
    RequiredClaim,
    Session,
    verify_receipt,
    verify_report,
)

from tests.verifier.workloads.guests import AT, hardware
from tests.verifier.workloads.services import (
    NONCE,
    NOW,
    REQUEST,
    RESPONSE,
    Service,
    body_hash,
    events,
    failed,
    session,
    session_id,
    verified,
)

DIRECT = Service()
AGGREGATOR = Service(serving="aggregator")
RECORD = session()
ID = session_id(RECORD)


def identity_of(service: Service) -> Identity:
    return verify_report(
        AciReport.parse(json.dumps(service.report())), hardware, nonce=NONCE, at=AT
    )


IDENTITIES = {"direct": identity_of(DIRECT), "aggregator": identity_of(AGGREGATOR)}


def check(
    receipt: dict[str, Any],
    serving: str = "direct",
    *,
    request: bytes = REQUEST,
    response: bytes = RESPONSE,
    record: dict[str, Any] | None = None,
    policy: ReceiptPolicy | None = None,
) -> Exchange:
    return verify_receipt(
        AciReceipt.parse(json.dumps(receipt)),
        IDENTITIES[serving],
        request,
        response,
        session=None if record is None else json.dumps(record).encode(),
        policy=policy,
    )


def refusal(receipt: dict[str, Any], serving: str = "direct", **changes: Any) -> Reason:
    with pytest.raises(QuotaryError) as caught:
        check(receipt, serving, **changes)
    return caught.value.reason


def test_the_specifications_receipt(shared: Path) -> None:
    """Canonical form and signature of the vectors' receipt, under the vectors' keyset."""
    vectors = json.loads((shared / "vectors/aci/vectors.json").read_text())
    receipt = AciReceipt.parse(vectors["receipt_document"])
    assert receipt.signed.decode() == vectors["receipt_signing_input"]
    keyset = Keyset.read(Document.parse(vectors["keyset_jcs"], "keyset"))
    assert keyset.digest == receipt.keyset_digest
    keyset.receipt_key(receipt.key_id).verify(receipt.signed, receipt.signature)
    assert receipt.received == body_hash(vectors["request_body"].encode())
    assert receipt.returned == body_hash(vectors["response_body"].encode())
    assert receipt.upstream is not None
    record = Session.parse(vectors["session_jcs"], str(receipt.upstream.session_id))
    record.require_served(receipt.served_at)
    assert record.session_id == vectors["session_id"]
    assert record.evidence == b"example-evidence"


@pytest.mark.parametrize("algorithm", ["ed25519", "secp256k1-eip191"])
def test_a_direct_exchange(algorithm: str) -> None:
    """Under the baseline, and under the algorithm a contract can check."""
    exchange = check(DIRECT.receipt(algorithm))
    assert {Proof.KEYSET_BOUND, Proof.RECEIPT_SIGNED, Proof.FORWARDED_UNCHANGED} <= set(
        exchange.proofs
    )
    assert {Gap.MODEL, Gap.RECEIPT_TIME} <= set(exchange.gaps)
    assert exchange.session is None
    assert all(statement.text for statement in exchange.proves + exchange.does_not_prove)


def test_a_stream_has_no_fields_to_restate() -> None:
    """Its bytes count as they were on the wire."""
    stream = b'data: {"id":"other"}\n\ndata: [DONE]\n\n'
    receipt = DIRECT.receipt(event_log=events(response=stream))
    assert Proof.RECEIPT_SIGNED in check(receipt, response=stream).proofs
    assert refusal(receipt, response=stream[:-1]) == Reason.BODY_HASH_MISMATCH


def test_a_rewritten_request_is_told() -> None:
    """Local policy may mind; nobody is left to find out by himself."""
    log = events()
    log[1] = {"type": "request.forwarded", "body_hash": body_hash(b"rewritten")}
    exchange = check(DIRECT.receipt(event_log=log))
    assert Gap.REWRITTEN in exchange.gaps
    assert Proof.FORWARDED_UNCHANGED not in exchange.proofs


def test_a_refusal_is_told() -> None:
    """The prompt was not forwarded, and the body served is an error."""
    log = [events()[0], events()[-1]]
    assert Proof.REFUSAL_SIGNED in check(DIRECT.receipt(event_log=log)).proofs


def test_unknown_events_are_ignored() -> None:
    """Services may add types of their own."""
    log = [*events()[:2], {"type": "acme.routing", "node": 3}, events()[-1]]
    assert Proof.RECEIPT_SIGNED in check(DIRECT.receipt(event_log=log)).proofs


RECEIVED, FORWARDED, RETURNED = events()

LIES: dict[str, tuple[dict[str, Any], Reason]] = {
    "another version": ({"api_version": "aci/2"}, Reason.API_VERSION_UNSUPPORTED),
    "another keyset": (
        {"workload_keyset_digest": "sha256:" + "00" * 32},
        Reason.KEYSET_DIGEST_MISMATCH,
    ),
    "an unknown key": ({"key_id": "r-9"}, Reason.KEY_UNKNOWN),
    "a key of an unknown algorithm": ({"key_id": "r-3"}, Reason.KEY_UNKNOWN),
    "another key's id": ({"key_id": "r-2"}, Reason.SIGNATURE_INVALID),
    "another request": ({"event_log": events(request=b"x")}, Reason.BODY_HASH_MISMATCH),
    "another response": ({"event_log": events(response=b"x")}, Reason.BODY_HASH_MISMATCH),
    "no events": ({"event_log": []}, Reason.RECEIPT_INVALID),
    "no request": ({"event_log": [FORWARDED, RETURNED]}, Reason.RECEIPT_INVALID),
    "no response": ({"event_log": [RECEIVED, FORWARDED]}, Reason.RECEIPT_INVALID),
    "the request later": ({"event_log": [FORWARDED, RECEIVED, RETURNED]}, Reason.RECEIPT_INVALID),
    "two requests": (
        {"event_log": [RECEIVED, RECEIVED, FORWARDED, RETURNED]},
        Reason.RECEIPT_INVALID,
    ),
    "two responses": (
        {"event_log": [RECEIVED, FORWARDED, RETURNED, RETURNED]},
        Reason.RECEIPT_INVALID,
    ),
    "forwarded after the response": (
        {"event_log": [RECEIVED, RETURNED, FORWARDED]},
        Reason.RECEIPT_INVALID,
    ),
    "an upstream behind a direct service": (
        {"event_log": events(verified(ID))},
        Reason.RECEIPT_INVALID,
    ),
    "another model than was asked for": ({"model": "m-2"}, Reason.RECEIPT_INVALID),
    "another chat than was answered": ({"chat_id": "chatcmpl-2"}, Reason.RECEIPT_INVALID),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused_for_its_reason(lie: str) -> None:
    """The service itself signed this: only the rule named can refuse it."""
    changes, reason = LIES[lie]
    assert refusal(DIRECT.receipt(**changes)) == reason


@pytest.mark.parametrize("algorithm", ["ed25519", "secp256k1-eip191"])
def test_a_changed_receipt(algorithm: str) -> None:
    """Every field is signed, unknown ones included."""
    for change in ({"served_at": NOW + 1}, {"receipt_id": "x"}, {"added": 1}):
        receipt = DIRECT.receipt(algorithm) | change
        assert refusal(receipt) == Reason.MESSAGE_SIGNATURE_INVALID


def test_an_aggregated_exchange() -> None:
    """The session is the one cited, its claims are read, and they stay the aggregator's word."""
    receipt = AGGREGATOR.receipt(event_log=events(failed(), verified(ID)))
    exchange = check(receipt, "aggregator", record=RECORD)
    assert exchange.session is not None
    statuses = {claim.name: claim.status for claim in exchange.session.claims}
    assert statuses["tee_attested"] is ClaimStatus.ASSERTED
    assert statuses["tcb_up_to_date"] is ClaimStatus.REFUTED
    assert statuses["gpu_attested"] is ClaimStatus.UNKNOWN
    assert statuses["os_known_good"] is ClaimStatus.UNKNOWN
    assert Proof.SESSION_RECORD in exchange.proofs
    assert {Gap.UPSTREAM, Gap.CLAIMS} <= set(exchange.gaps)


UPSTREAMS: dict[str, tuple[list[dict[str, Any]], Reason]] = {
    "no upstream event": ([], Reason.UPSTREAM_UNVERIFIED),
    "a failed upstream": ([failed(required=False)], Reason.UPSTREAM_UNVERIFIED),
    "best effort": ([verified(ID, required=False)], Reason.UPSTREAM_UNVERIFIED),
    "verified, then failed": ([verified(ID), failed()], Reason.RECEIPT_INVALID),
    "verified twice": ([verified(ID), verified(ID)], Reason.RECEIPT_INVALID),
    "an id that is none": ([verified("12")], Reason.SCHEMA_INVALID),
}


@pytest.mark.parametrize("case", UPSTREAMS)
def test_upstreams_that_prove_nothing(case: str) -> None:
    """Verified serving is what is required unless the caller says otherwise."""
    upstream, reason = UPSTREAMS[case]
    receipt = AGGREGATOR.receipt(event_log=events(*upstream))
    assert refusal(receipt, "aggregator", record=RECORD) == reason


def test_an_unverified_upstream_can_be_allowed_knowingly() -> None:
    """Then the result says so."""
    receipt = AGGREGATOR.receipt(event_log=events(failed(required=False)))
    policy = ReceiptPolicy(allow_unverified_upstream=True)
    assert Gap.UPSTREAM_UNVERIFIED in check(receipt, "aggregator", policy=policy).gaps


SESSIONS: dict[str, tuple[dict[str, Any], Reason]] = {
    "another version": ({"api_version": "aci/2"}, Reason.API_VERSION_UNSUPPORTED),
    "expired": ({"expires_at": NOW - 1}, Reason.SESSION_EXPIRED),
    "not begun": ({"established_at": NOW + 1}, Reason.SESSION_EXPIRED),
    "evidence of another digest": (
        {"evidence": {"digest": body_hash(b""), "data": "data:text/plain;base64,eA=="}},
        Reason.SESSION_MISMATCH,
    ),
    "evidence that is no data URI": (
        {"evidence": {"digest": body_hash(b""), "data": "https://example.com"}},
        Reason.SCHEMA_INVALID,
    ),
    "evidence that is not base64": (
        {"evidence": {"digest": body_hash(b""), "data": "data:x;base64,*"}},
        Reason.SCHEMA_INVALID,
    ),
    "no binding": ({"channel_binding": []}, Reason.SESSION_MISMATCH),
    "a binding of an unknown type": (
        {"channel_binding": [{"type": "trust_me"}]},
        Reason.SESSION_MISMATCH,
    ),
    "no TEE": ({"claims": {}}, Reason.CLAIM_NOT_ASSERTED),
    "a TEE by assertion": (
        {"claims": {"tee_attested": {"status": "asserted", "source": "operator_asserted"}}},
        Reason.CLAIM_NOT_ASSERTED,
    ),
    "a TEE by an unknown source": (
        {"claims": {"tee_attested": {"status": "asserted", "source": ["hardware_proven"]}}},
        Reason.CLAIM_NOT_ASSERTED,
    ),
    "a refuted TEE": (
        {"claims": {"tee_attested": {"status": "refuted", "source": "hardware_proven"}}},
        Reason.CLAIM_NOT_ASSERTED,
    ),
}


@pytest.mark.parametrize("case", SESSIONS)
def test_sessions_that_do_not_hold(case: str) -> None:
    """The receipt cites just this record: only the rule named can refuse it."""
    changes, reason = SESSIONS[case]
    record = session(**changes)
    receipt = AGGREGATOR.receipt(event_log=events(verified(session_id(record))))
    assert refusal(receipt, "aggregator", record=record) == reason


def test_the_session_must_be_given_and_be_the_one_cited() -> None:
    """Neither another record, nor none, nor one that was not pinned."""
    receipt = AGGREGATOR.receipt(event_log=events(verified(ID)))
    assert refusal(receipt, "aggregator") == Reason.SESSION_MISSING
    other = session(upstream_name="other")
    assert refusal(receipt, "aggregator", record=other) == Reason.SESSION_MISMATCH
    pinned = ReceiptPolicy(session_ids=frozenset({session_id(other)}))
    assert refusal(receipt, "aggregator", record=RECORD, policy=pinned) == Reason.SESSION_MISMATCH


def test_further_claims_can_be_demanded() -> None:
    """By name and source."""
    receipt = AGGREGATOR.receipt(event_log=events(verified(ID)))
    policy = ReceiptPolicy(claims=(RequiredClaim("gpu_attested"),))
    assert refusal(receipt, "aggregator", record=RECORD, policy=policy) == Reason.CLAIM_NOT_ASSERTED


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*DIRECT.receipt(), "event_log.0.type", "event_log.0.body_hash"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.none() | st.dictionaries(st.text(max_size=5), st.integers()), max_size=3),
)
def test_hostile_receipts_raise_only_our_errors(path: str, value: object) -> None:
    """Whatever a service answers, nothing unsigned passes."""
    receipt: Any = json.loads(json.dumps(DIRECT.receipt()))
    target, name = receipt, path
    if "." in path:
        target, name = receipt["event_log"][0], path.rpartition(".")[2]
    unchanged = target[name] == value
    target[name] = value
    try:
        check(receipt)
    except QuotaryError:
        return
    assert unchanged


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([*RECORD]),
    st.none() | st.integers() | st.text(max_size=20) | st.lists(st.none() | st.text(), max_size=3),
)
def test_hostile_sessions_raise_only_our_errors(name: str, value: object) -> None:
    """Aggregators write whatever they like, and hash it correctly."""
    record = session(**{name: value})
    try:
        cited = session_id(record)
    except (ValueError, UnicodeEncodeError):
        return
    try:
        Session.parse(json.dumps(record), cited)
    except QuotaryError:
        return
    assert name in {"upstream_name", "endpoint", "verifier_id", "established_at", "expires_at"}


def test_numbers_beyond_json_are_refused() -> None:
    """What has no canonical form has no digest."""
    for text in ("1e400", "NaN", str(2**60)):
        with pytest.raises(ParseError):
            Session.parse(json.dumps(RECORD).replace("0.5", text), ID)


def test_crowded_sessions_are_refused_before_their_canonical_form_is_written() -> None:
    """Thousands of members cost milliseconds to put in order, and no aggregator writes them."""
    crowd = session(extra={str(number): number for number in range(1000)})
    with pytest.raises(ParseError, match="JSON_INVALID"):
        Session.parse(json.dumps(crowd), session_id(crowd))
    nested = session(extra=[[number] for number in range(500)])
    with pytest.raises(ParseError, match="JSON_INVALID"):
        Session.parse(json.dumps(nested), session_id(nested))
    few = session(extra=[[number] for number in range(300)])
    assert Session.parse(json.dumps(few), session_id(few)).upstream_name
