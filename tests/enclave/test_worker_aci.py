"""ACI artifacts, byte for byte as the specification's own vectors have them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from quotary_enclave.keys import Ed25519Signer, WorkerKeys
from quotary_enclave.worker import RefusalError, WorkerReason, aci
from quotary_enclave.worker.aci import Exchange, ReceiptAlgorithm

from tests.enclave.worker_parts import NOW, SEED


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((shared / "vectors/aci/vectors.json").read_text())
    return document


def test_the_keyset_digest(vectors: dict[str, Any]) -> None:
    """However a keyset was written, its digest is over its JCS form."""
    keyset = json.loads(vectors["keyset_jcs"])
    shuffled = dict(reversed(keyset.items()))
    assert aci.canonical(shuffled).decode() == vectors["keyset_jcs"]
    assert aci.digest_of(shuffled) == vectors["workload_keyset_digest"]


@pytest.mark.parametrize("suffix", ["", "_without_nonce"])
def test_the_statement_and_its_report_data(vectors: dict[str, Any], suffix: str) -> None:
    """Challenged and unchallenged."""
    digest = vectors["workload_keyset_digest"]
    nonce = None if suffix else vectors["nonce"]
    assert aci.statement(digest, nonce).decode() == vectors[f"statement{suffix}"]
    slot = aci.report_data(digest, nonce)
    assert slot.hex() == vectors[f"report_data{suffix}"] + "00" * 32


def test_a_receipt(vectors: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The aggregator's receipt of the vectors, under their key, signature included."""
    expected = json.loads(vectors["receipt_document"])
    signer = Ed25519Signer(
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vectors["receipt_key_seed"]))
    )
    assert signer.public_key.hex() == vectors["receipt_public_key"]
    keys = WorkerKeys(SEED)
    keys.receipt = signer
    monkeypatch.setattr(ReceiptAlgorithm, "key_id", "receipt-1")
    request, response = vectors["request_body"].encode(), vectors["response_body"].encode()
    assert expected["event_log"][0]["body_hash"] == aci.body_hash(request)
    assert expected["event_log"][-1]["body_hash"] == aci.body_hash(response)
    exchange = Exchange(
        receipt_id="rcpt-0001",
        chat_id="chatcmpl-123",
        model="demo-model",
        keyset_digest=vectors["workload_keyset_digest"],
        endpoint="/v1/chat/completions",
        method="POST",
        served_at=1750000000,
        events=expected["event_log"],
    )
    unsigned = aci.canonical(exchange.document("receipt-1"))
    assert unsigned.decode() == vectors["receipt_signing_input"]
    assert sha256(unsigned).hexdigest() == vectors["receipt_signing_input_sha256"]
    receipt = aci.Receipts(keys).sign(exchange, ReceiptAlgorithm.ED25519)
    assert receipt["signature"] == vectors["receipt_signature"]
    assert aci.canonical(receipt).decode() == vectors["receipt_document"]


def test_a_keyset_changes_with_its_period_only() -> None:
    """Stable within a period, and never valid for less than one nor more than two of them."""
    keys = WorkerKeys(SEED)
    start = NOW - NOW % aci.KEYSET_PERIOD_SECONDS
    last = start + aci.KEYSET_PERIOD_SECONDS - 1
    first, same, after = (aci.keyset_for(keys, at) for at in (start, last, last + 1))
    assert aci.digest_of(first) == aci.digest_of(same) != aci.digest_of(after)
    assert first["not_after"] - last > aci.KEYSET_PERIOD_SECONDS
    assert first["not_after"] - start == 2 * aci.KEYSET_PERIOD_SECONDS


@pytest.mark.parametrize("nonce", ["", "00", "0X" + "00" * 31, "AB" * 32, "00" * 33, "é" * 64])
def test_only_one_form_of_nonce_is_taken(nonce: str) -> None:
    """Anything else than 64 lowercase hex characters could smuggle text into the statement."""
    with pytest.raises(RefusalError) as caught:
        aci.read_nonce(nonce)
    assert caught.value.reason == WorkerReason.BAD_NONCE
