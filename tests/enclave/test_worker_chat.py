"""Chats, and the two generations of proof that go with them, over HTTP."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.datatypes import PublicKey
from httpx import Response
from quotary_enclave.worker import Limits, WorkerConfig
from starlette.testclient import TestClient

from tests.enclave.worker_parts import client_of, make_worker, report_data_of

CHAT = "/v1/chat/completions"
QUESTION = {"model": "counting-model", "messages": [{"role": "user", "content": "Why?"}]}
NONCE = "0f" * 32


@pytest.fixture
def client() -> TestClient:
    return client_of(make_worker())


def post(client: TestClient, **changes: Any) -> tuple[bytes, Response]:
    """Send a chat with peculiar spacing, so that only raw bytes hash right."""
    body = json.dumps(QUESTION | changes, indent=3).encode()
    response = client.post(CHAT, content=body, headers={"X-Request-Hash": "00" * 32})
    assert response.status_code == 200, response.text
    return body, response


def chat_id_of(response: Response) -> str:
    text = response.text.removeprefix("data: ").split("\n")[0]
    return str(json.loads(text)["id"])


def test_a_completion_has_openais_form(client: TestClient) -> None:
    """What OpenAI's clients read is there, usage included."""
    _, response = post(client)
    document = response.json()
    assert document["object"] == "chat.completion"
    assert document["id"].startswith("chatcmpl-")
    (choice,) = document["choices"]
    assert choice["message"] == {"role": "assistant", "content": "4 characters"}
    assert choice["finish_reason"] == "stop"
    assert document["usage"] == {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def test_a_stream_carries_the_same_answer(client: TestClient) -> None:
    """Deltas add up to the answer; usage comes when asked for; the end is marked."""
    _, response = post(client, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, done = response.text.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    documents = [json.loads(event.removeprefix("data: ")) for event in events]
    assert len({document["id"] for document in documents}) == 1
    deltas = [choice["delta"] for document in documents for choice in document["choices"]]
    assert deltas[0] == {"role": "assistant"}
    assert "".join(delta.get("content", "") for delta in deltas) == "4 characters"
    assert documents[-1]["usage"]["total_tokens"] == 6


def test_a_model_list_names_the_files_by_hash(client: TestClient) -> None:
    """A client sees what is served, and under which weights root."""
    (model,) = client.get("/v1/models").json()["data"]
    assert model["id"] == "counting-model"
    assert model["quotary"]["weightsRoot"] == "0x" + sha256(b"weights").hexdigest()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("algorithm", [None, "ecdsa", "ed25519"])
def test_chat_signatures_cover_the_bytes_on_the_wire(
    client: TestClient, algorithm: str | None, *, stream: bool
) -> None:
    """First generation: both algorithms, plain and streamed, checked by independent code."""
    body, response = post(client, stream=stream)
    query = f"?signing_algo={algorithm}" if algorithm else ""
    signed = client.get(f"/v1/signature/{chat_id_of(response)}{query}").json()
    expected = f"{sha256(body).hexdigest()}:{sha256(response.content).hexdigest()}"
    assert signed["text"] == expected
    assert signed["signing_algo"] == (algorithm or "ecdsa")
    signature = bytes.fromhex(signed["signature"].removeprefix("0x"))
    if algorithm == "ed25519":
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["signing_address"]))
        key.verify(signature, expected.encode())
    else:
        assert len(signature) == 65
        recovered = Account.recover_message(encode_defunct(text=expected), signature=signature)
        assert recovered == signed["signing_address"]


@pytest.mark.parametrize("algorithm", ["ecdsa", "ed25519"])
def test_the_first_generations_report_binds_signer_and_nonce(
    client: TestClient, algorithm: str
) -> None:
    """Identity padded right to 32 bytes, then the nonce; the signer is the one that signs."""
    path = f"/v1/attestation/report?signing_algo={algorithm}&nonce={NONCE}"
    report = client.get(path).json()
    identity = bytes.fromhex(report["signing_address"].removeprefix("0x"))
    assert len(identity) == (20 if algorithm == "ecdsa" else 32)
    quote = bytes.fromhex(report["intel_quote"])
    assert report_data_of(quote) == identity.ljust(32, b"\0") + bytes.fromhex(NONCE)
    assert report["request_nonce"] == NONCE
    assert json.loads(report["nvidia_payload"])["nonce"] == NONCE
    assert report["simulated"] is True
    assert report["all_attestations"][0]["intel_quote"] == report["intel_quote"]
    address = report["signing_address"]
    assert client.get(f"{path}&signing_address={address}").status_code == 200
    missing = client.get(f"{path}&signing_address=0x{'00' * 20}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "signer_unknown")


def test_without_a_nonce_each_report_has_its_own(client: TestClient) -> None:
    """The server then chooses, never twice the same."""
    nonces = [client.get("/v1/attestation/report").json()["request_nonce"] for _ in range(2)]
    assert len({*nonces}) == 2
    assert all(len(nonce) == 64 for nonce in nonces)


@pytest.mark.parametrize("nonce", [NONCE, None])
def test_an_aci_report_binds_keyset_and_nonce(client: TestClient, nonce: str | None) -> None:
    """Recomputed from the parsed keyset alone, as a verifier must."""
    query = f"?nonce={nonce}" if nonce else ""
    response = client.get(f"/v1/aci/attestation{query}")
    report = response.json()
    attestation = report["attestation"]
    digest = "sha256:" + sha256(rfc8785.dumps(attestation["workload_keyset"])).hexdigest()
    assert report["workload_keyset_digest"] == digest == response.headers["X-ACI-Keyset-Digest"]
    statement = {"keyset_digest": digest, "nonce": nonce, "purpose": "aci.report_data.v1"}
    expected = sha256(rfc8785.dumps(statement)).digest()
    assert attestation["report_data"] == expected.hex()
    quote = bytes.fromhex(attestation["evidence"]["quote"])
    assert report_data_of(quote) == expected + bytes(32)
    assert report["service_capabilities"]["serving"] == "direct"
    assert report["simulated"] is True
    assert response.headers["X-ACI-Version"] == "aci/1"


@pytest.mark.parametrize("selector", ["", "?algo=ed25519", "?key_id=receipt-ed25519"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_ed25519_receipt(client: TestClient, selector: str, *, stream: bool) -> None:
    """By receipt id or chat id; signature, digest and hashes checked from outside."""
    body, response = post(client, stream=stream)
    receipt = client.get(f"/v1/aci/receipts/{response.headers['X-Receipt-Id']}{selector}").json()
    assert receipt == client.get(f"/v1/aci/receipts/{chat_id_of(response)}{selector}").json()
    keyset = client.get("/v1/aci/attestation").json()["attestation"]["workload_keyset"]
    (entry,) = [key for key in keyset["receipt_signing_keys"] if key["key_id"] == receipt["key_id"]]
    assert entry["algo"] == "ed25519"
    signature = bytes.fromhex(receipt.pop("signature"))
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry["public_key"]))
    key.verify(signature, rfc8785.dumps(receipt))
    assert receipt["workload_keyset_digest"] == response.headers["X-ACI-Keyset-Digest"]
    assert receipt["chat_id"] == chat_id_of(response)
    events = {event["type"]: event["body_hash"] for event in receipt["event_log"]}
    assert list(events) == ["request.received", "request.forwarded", "response.returned"]
    assert events["request.received"] == "sha256:" + sha256(body).hexdigest()
    assert events["request.forwarded"] == events["request.received"]
    assert events["response.returned"] == "sha256:" + sha256(response.content).hexdigest()


@pytest.mark.parametrize("selector", ["algo=secp256k1-eip191", "key_id=receipt-secp256k1-eip191"])
def test_a_receipt_for_the_evm(client: TestClient, selector: str) -> None:
    """One recovery gives the key that the keyset lists."""
    _, response = post(client)
    receipt = client.get(f"/v1/aci/receipts/{chat_id_of(response)}?{selector}").json()
    keyset = client.get("/v1/aci/attestation").json()["attestation"]["workload_keyset"]
    (entry,) = [key for key in keyset["receipt_signing_keys"] if key["key_id"] == receipt["key_id"]]
    signature = bytes.fromhex(receipt.pop("signature"))
    message = encode_defunct(primitive=rfc8785.dumps(receipt))
    point = bytes.fromhex(entry["public_key"])
    assert (len(point), point[0]) == (65, 4)
    listed = PublicKey(point[1:]).to_checksum_address()
    assert Account.recover_message(message, signature=signature) == listed


def test_a_credential_protects_its_receipt(client: TestClient) -> None:
    """With none the receipt is withheld; with another it does not exist."""
    mine = {"Authorization": "Bearer mine"}
    identifier = client.post(CHAT, json=QUESTION, headers=mine).json()["id"]
    for path in (f"/v1/aci/receipts/{identifier}", f"/v1/signature/{identifier}"):
        assert client.get(path, headers=mine).status_code == 200
        assert client.get(path).status_code == 401
        other = client.get(path, headers={"Authorization": "Bearer other"})
        assert other.status_code == 404
        unknown = client.get(path.replace("chatcmpl", "chatcmpm"))
        assert other.json() == unknown.json()


def test_old_receipts_are_forgotten_first() -> None:
    """Memory for proofs is bounded; what is kept is the newest."""
    worker = make_worker(WorkerConfig(limits=Limits(retained=2)))
    client = client_of(worker)
    ids = [client.post(CHAT, json=QUESTION).json()["id"] for _ in range(3)]
    statuses = [client.get(f"/v1/signature/{identifier}").status_code for identifier in ids]
    assert statuses == [404, 200, 200]
    assert len(worker._ledger) == 2
    assert len(worker._ledger._receipt_of_chat) == 2


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"model": "other"}, 404, "model_not_served", "model"),
        ({"model": 1}, 400, "bad_field", "model"),
        ({"messages": []}, 400, "bad_field", "messages"),
        ({"messages": [{"role": "user"}]}, 400, "bad_field", "messages[0].content"),
        ({"messages": [{"content": "x"}]}, 400, "bad_field", "messages[0]"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "question_empty", None),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            400,
            "bad_field",
            "messages[0].content",
        ),
        (
            {"messages": [{"role": "user", "content": "half a pair \ud800"}]},
            400,
            "bad_field",
            "messages[0].content",
        ),
        ({"provider": {"aci_\ud800": 1}}, 400, "bad_field", "provider.aci_\ud800"),
        ({"n": 2}, 400, "bad_field", "n"),
        ({"stream": "yes"}, 400, "bad_field", "stream"),
        ({"provider": {"aci_unknown": 1}}, 400, "bad_field", "provider.aci_unknown"),
        ({"provider": {"aci_verified": 1}}, 400, "bad_field", "provider.aci_verified"),
        (
            {"provider": {"aci_session_ids": ["00" * 32]}},
            412,
            "session_not_accepted",
            "provider.aci_session_ids",
        ),
        (
            {"provider": {"aci_verified": False, "aci_session_ids": ["00" * 32]}},
            400,
            "bad_field",
            "provider.aci_verified",
        ),
    ],
)
def test_bad_requests_are_refused_with_a_code(
    client: TestClient, changes: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """OpenAI-style error objects, the reason as code, the field as param."""
    response = client.post(CHAT, content=json.dumps(QUESTION | changes))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["message"]
    assert error["type"]


@pytest.mark.parametrize(
    "provider", [{"aci_verified": True}, {"aci_verified": False}, {"order": ["x"]}, "x"]
)
def test_constraints_a_direct_service_meets_are_no_obstacle(
    client: TestClient, provider: Any
) -> None:
    """There is no second hop to verify (ACI section 5.3)."""
    assert client.post(CHAT, json=QUESTION | {"provider": provider}).status_code == 200


def test_text_parts_are_read(client: TestClient) -> None:
    """Content may come as a list of text parts."""
    parts = [{"type": "text", "text": "ab"}, {"type": "text", "text": "c"}]
    _, response = post(client, messages=[{"role": "user", "content": parts}])
    assert response.json()["choices"][0]["message"]["content"] == "4 characters"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/attestation/report?nonce=00", "bad_nonce"),
        ("/v1/attestation/report?signing_algo=rsa", "bad_field"),
        (f"/v1/aci/attestation?nonce={'AB' * 32}", "bad_nonce"),
        ("/v1/aci/attestation?nonce=", "bad_nonce"),
        ("/v1/aci/receipts/x?algo=rsa", "bad_field"),
        ("/v1/signature/x?signing_algo=rsa", "bad_field"),
    ],
)
def test_bad_queries_are_refused(client: TestClient, path: str, code: str) -> None:
    """A nonce in another form never reaches the TEE."""
    response = client.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
