"""First-generation chat gateways: what their reports and signatures prove."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary.errors import QuotaryError, Reason
from quotary.workloads import (
    ChatProof,
    ChatReport,
    ChatSignature,
    Expectations,
    Gap,
    Proof,
    Quoted,
    verify_chat,
)

from tests.verifier.workloads.guests import Guest, hardware

NONCE = bytes(range(32))
REQUEST = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
STREAM = b'data: {"id":"chatcmpl-1"}\n\ndata: [DONE]\n\n'
WALLET = Account.from_key(b"\x11" * 32)
EDWARDS = Ed25519PrivateKey.from_private_bytes(b"\x12" * 32)
ADDRESS = bytes.fromhex(WALLET.address[2:])
EDWARDS_KEY = EDWARDS.public_key().public_bytes_raw()


def report(
    algorithm: str = "ecdsa", report_data: bytes | None = None, **changes: Any
) -> dict[str, Any]:
    identity = ADDRESS if algorithm == "ecdsa" else EDWARDS_KEY
    guest = Guest(report_data=report_data or identity.ljust(32, b"\0") + NONCE)
    return {
        "signing_address": WALLET.address if algorithm == "ecdsa" else EDWARDS_KEY.hex(),
        "signing_algo": algorithm,
        "request_nonce": NONCE.hex(),
        "intel_quote": guest.quote().hex(),
        "nvidia_payload": json.dumps({"nonce": NONCE.hex(), "evidence_list": [{}], "arch": "H"}),
        "event_log": json.dumps(guest.events),
        "info": {"app_id": "0" * 40, "tcb_info": {"app_compose": guest.compose.decode()}},
    } | changes


def signature(
    algorithm: str = "ecdsa", request: bytes = REQUEST, response: bytes = STREAM, **changes: Any
) -> dict[str, Any]:
    text = f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"
    signed = changes.get("text", text)
    if algorithm == "ecdsa":
        made = "0x" + bytes(WALLET.sign_message(encode_defunct(text=signed)).signature).hex()
    else:
        made = EDWARDS.sign(signed.encode()).hex()
    return {
        "text": text,
        "signature": made,
        "signing_address": WALLET.address if algorithm == "ecdsa" else EDWARDS_KEY.hex(),
        "signing_algo": algorithm,
    } | changes


def check(
    report_document: dict[str, Any],
    signature_document: dict[str, Any],
    *,
    nonce: bytes | None = NONCE,
    response: bytes = STREAM,
    expected: Expectations | None = None,
) -> ChatProof:
    return verify_chat(
        ChatReport.parse(json.dumps(report_document)),
        ChatSignature.parse(json.dumps(signature_document)),
        REQUEST,
        response,
        hardware,
        nonce=nonce,
        expected=expected,
    )


@pytest.mark.parametrize("algorithm", ["ecdsa", "ed25519"])
def test_an_exchange_in_order(algorithm: str) -> None:
    """Both algorithms; the stream counts byte for byte; the GPU is shown and not believed."""
    proof = check(report(algorithm), signature(algorithm))
    assert proof.signer.identity == (ADDRESS if algorithm == "ecdsa" else EDWARDS_KEY)
    assert proof.signer.workload is not None
    assert proof.signer.gpu is not None
    assert proof.signer.gpu.devices == 1
    assert {Proof.GENUINE_TEE, Proof.SIGNER_IN_TEE, Proof.FRESH, Proof.BODIES_SIGNED} <= set(
        proof.proofs
    )
    assert {
        Gap.MODEL,
        Gap.REQUEST_IDENTITY,
        Gap.TIME,
        Gap.CALLER_HASH,
        Gap.GPU,
        Gap.CHANNEL,
    } <= set(proof.gaps)
    assert not {Gap.FRESHNESS, Gap.HARDWARE, Gap.CODE, Gap.OTHER_NODES} & set(proof.gaps)
    assert all(statement.text for statement in proof.proves + proof.does_not_prove)


def test_several_nodes() -> None:
    """The node that signed is judged, wherever it stands; the others are not spoken for."""
    other = report("ed25519")
    document = {**other, "all_attestations": [other, report()]}
    proof = check(document, signature())
    assert proof.signer.identity == ADDRESS
    assert Gap.OTHER_NODES in proof.gaps


def test_without_a_nonce_of_ones_own() -> None:
    """A report somebody else asked for proves no freshness."""
    proof = check(report(), signature(), nonce=None)
    assert Gap.FRESHNESS in proof.gaps
    assert Proof.FRESH not in proof.proofs


def test_without_event_log() -> None:
    """The key is in some TEE; which code holds it is open, and cannot be demanded."""
    document = report(event_log=None)
    assert Gap.CODE in check(document, signature()).gaps
    with pytest.raises(QuotaryError) as caught:
        check(document, signature(), expected=Expectations(app_id=bytes(20)))
    assert caught.value.reason == Reason.EVENT_LOG_INVALID


def test_unchecked_hardware_is_said_aloud() -> None:
    """The first gap named."""
    proof = verify_chat(
        ChatReport.parse(json.dumps(report())),
        ChatSignature.parse(json.dumps(signature())),
        REQUEST,
        STREAM,
        Quoted.unverified,
        nonce=NONCE,
    )
    assert proof.gaps[0] == Gap.HARDWARE
    assert Proof.GENUINE_TEE not in proof.proofs


PADDED = ADDRESS.ljust(32, b"\0")
STRANGER = Account.from_key(b"\x13" * 32)

LIES: dict[str, tuple[dict[str, Any], dict[str, Any], Reason]] = {
    "another nonce in the quote": (
        {"report_data": PADDED + bytes(32)},
        {},
        Reason.REPORT_DATA_MISMATCH,
    ),
    "an identity padded on the left": (
        {"report_data": bytes(12) + ADDRESS + NONCE},
        {},
        Reason.REPORT_DATA_MISMATCH,
    ),
    "something in the padding": (
        {"report_data": ADDRESS + bytes(11) + b"\x01" + NONCE},
        {},
        Reason.REPORT_DATA_MISMATCH,
    ),
    "an answer to another challenge": (
        {"report_data": PADDED + bytes(32), "request_nonce": "00" * 32},
        {},
        Reason.NONCE_MISMATCH,
    ),
    "a signer the report does not know": (
        {},
        {"signing_address": STRANGER.address},
        Reason.SIGNER_MISMATCH,
    ),
    "the same key under another algorithm": (
        {},
        {"signing_algo": "ed25519", "signing_address": PADDED.hex()},
        Reason.SIGNER_MISMATCH,
    ),
    "other bodies": ({}, {"text": f"{'0' * 64}:{'0' * 64}"}, Reason.BODY_HASH_MISMATCH),
    "bodies in the wrong order": (
        {},
        {"text": f"{sha256(STREAM).hexdigest()}:{sha256(REQUEST).hexdigest()}"},
        Reason.BODY_HASH_MISMATCH,
    ),
    "somebody else's signature": (
        {},
        {"signature": bytes(STRANGER.sign_message(encode_defunct(b"x")).signature).hex()},
        Reason.MESSAGE_SIGNATURE_INVALID,
    ),
    "no signature": ({}, {"signature": ""}, Reason.SIGNATURE_INVALID),
    "a short address": ({"signing_address": "0x1234"}, {}, Reason.SCHEMA_INVALID),
    "an unknown algorithm": ({"signing_algo": "rsa"}, {}, Reason.SCHEMA_INVALID),
    "a log of another guest": (
        {"event_log": json.dumps(Guest().events[:-1])},
        {},
        Reason.EVENT_LOG_MISMATCH,
    ),
    "no attestations": ({"all_attestations": []}, {}, Reason.SCHEMA_INVALID),
    "a quote that is none": ({"intel_quote": "00"}, {}, Reason.QUOTE_TRUNCATED),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused_for_its_reason(lie: str) -> None:
    """Nothing else is wrong with the evidence."""
    report_changes, signature_changes, reason = LIES[lie]
    with pytest.raises(QuotaryError) as caught:
        check(report(**report_changes), signature(**signature_changes))
    assert caught.value.reason == reason


def test_an_ed25519_signature_of_another_text() -> None:
    """The key is right, the text is not."""
    document = signature("ed25519") | {"signature": EDWARDS.sign(b"x").hex()}
    with pytest.raises(QuotaryError) as caught:
        check(report("ed25519"), document)
    assert caught.value.reason == Reason.MESSAGE_SIGNATURE_INVALID


@pytest.mark.parametrize("response", [STREAM[:-1], STREAM.replace(b"\n\n", b"\r\n\r\n"), b""])
def test_a_stream_is_its_exact_bytes(response: bytes) -> None:
    """Framing and the last line included."""
    with pytest.raises(QuotaryError) as caught:
        check(report(), signature(), response=response)
    assert caught.value.reason == Reason.BODY_HASH_MISMATCH


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(report())),
    st.none() | st.integers() | st.text(max_size=40) | st.lists(st.none(), max_size=2),
)
def test_hostile_reports_raise_only_our_errors(name: str, value: object) -> None:
    """Whatever a gateway answers, the reader gets a proof or a reason."""
    try:
        proof = check(report() | {name: value}, signature())
    except QuotaryError:
        return
    assert name in {"nvidia_payload", "info", "event_log"}
    assert Proof.BODIES_SIGNED in proof.proofs


def test_the_compose_document_in_either_form() -> None:
    """Some gateways send `tcb_info` as text; some leave the document out, and it can be given."""
    document = report()
    document["info"]["tcb_info"] = json.dumps(document["info"]["tcb_info"])
    assert check(document, signature()).workload is not None
    document["info"] = {}
    with pytest.raises(QuotaryError) as caught:
        check(document, signature())
    assert caught.value.reason == Reason.COMPOSE_MISSING
    proof = verify_chat(
        ChatReport.parse(json.dumps(document)),
        ChatSignature.parse(json.dumps(signature())),
        REQUEST,
        STREAM,
        hardware,
        app_compose=Guest().compose,
    )
    assert proof.workload is not None


@pytest.mark.parametrize("payload", ["{", "[]", '{"arch": 5}'])
def test_unreadable_gpu_evidence_is_shown_as_empty(payload: str) -> None:
    """It proves nothing either way, so it refuses nothing."""
    gpu = check(report(nvidia_payload=payload), signature()).signer.gpu
    assert gpu is not None
    assert gpu.devices == 0
