"""ACI services for tests: written from the specification, not with the code under test."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.datatypes import PrivateKey

from tests.verifier.workloads.guests import AT, DIGEST, Guest

NONCE = bytes(range(32))
NOW = int(AT.timestamp())
REQUEST = b'{"model":"m-1","messages":[]}'
RESPONSE = b'{"id":"chatcmpl-1","choices":[]}'
EDWARDS = Ed25519PrivateKey.from_private_bytes(b"\x21" * 32)
EDWARDS_HEX = EDWARDS.public_key().public_bytes_raw().hex()
WALLET = PrivateKey(b"\x22" * 32)
WALLET_HEX = "04" + WALLET.public_key.to_bytes().hex()


def keyset(**changes: Any) -> dict[str, Any]:
    return {
        "subject": None,
        "not_after": NOW + 3600,
        "receipt_signing_keys": [
            {"key_id": "r-1", "algo": "ed25519", "public_key": EDWARDS_HEX},
            {"key_id": "r-2", "algo": "secp256k1-eip191", "public_key": WALLET_HEX},
            {"key_id": "r-3", "algo": "ml-dsa-65", "public_key": "00"},
        ],
        "e2ee_public_keys": [],
        "tls_public_keys": [{"spki_sha256": "c0" * 32, "domain": "api.example.com"}],
    } | changes


def digest_of(document: dict[str, Any]) -> str:
    return "sha256:" + sha256(rfc8785.dumps(document)).hexdigest()


def body_hash(body: bytes) -> str:
    return "sha256:" + sha256(body).hexdigest()


@dataclass(frozen=True)
class Service:
    """A service; the defaults are in order."""

    keyset: dict[str, Any] = field(default_factory=keyset)
    nonce: bytes | None = NONCE
    serving: str = "direct"
    provenance: dict[str, Any] = field(default_factory=lambda: {"image_digest": DIGEST})
    custody: dict[str, Any] | None = None
    report_data: bytes | None = None
    guest: Guest = field(default_factory=Guest)

    @property
    def digest(self) -> str:
        """The keyset's digest."""
        return digest_of(self.keyset)

    @property
    def slot(self) -> bytes:
        """What the quote carries."""
        nonce = "null" if self.nonce is None else f'"{self.nonce.hex()}"'
        text = f'{{"keyset_digest":"{self.digest}","nonce":{nonce},"purpose":"aci.report_data.v1"}}'
        return self.report_data or sha256(text.encode()).digest() + bytes(32)

    def report(self) -> dict[str, Any]:
        """The answer of `GET /v1/aci/attestation`."""
        guest = Guest(
            compose=self.guest.compose, appended=self.guest.appended, report_data=self.slot
        )
        evidence = {
            "quote": guest.quote().hex(),
            "quote_report_data": self.slot.hex(),
            "event_log": json.dumps(guest.events),
            "app_compose": guest.compose.decode(),
            "vm_config": "{}",
            "key_custody": self.custody,
        }
        return {
            "api_version": "aci/1",
            "workload_keyset_digest": self.digest,
            "attestation": {
                "tee_type": "tdx",
                "workload_keyset": self.keyset,
                "report_data": self.slot[:32].hex(),
                "source_provenance": self.provenance,
                "evidence": evidence,
            },
            "service_capabilities": {"serving": self.serving},
        }

    def receipt(self, algorithm: str = "ed25519", **changes: Any) -> dict[str, Any]:
        """A signed receipt of one exchange; `changes` are made before signing."""
        document = {
            "api_version": "aci/1",
            "receipt_id": "rcpt-1",
            "chat_id": "chatcmpl-1",
            "model": "m-1",
            "workload_keyset_digest": self.digest,
            "endpoint": "/v1/chat/completions",
            "method": "POST",
            "served_at": NOW,
            "event_log": events(),
            "key_id": {"ed25519": "r-1", "secp256k1-eip191": "r-2"}[algorithm],
        } | changes
        text = rfc8785.dumps(document)
        if algorithm == "ed25519":
            signature = EDWARDS.sign(text)
        else:
            account = Account.from_key(WALLET.to_bytes())
            signature = bytes(account.sign_message(encode_defunct(text)).signature)
        return {**document, "signature": signature.hex()}


def events(
    *upstream: dict[str, Any], request: bytes = REQUEST, response: bytes = RESPONSE
) -> list[dict[str, Any]]:
    return [
        {"type": "request.received", "body_hash": body_hash(request)},
        {"type": "request.forwarded", "body_hash": body_hash(request)},
        *upstream,
        {"type": "response.returned", "body_hash": body_hash(response)},
    ]


def verified(session_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "upstream.verified",
        "result": "verified",
        "required": True,
        "model_id": "m-1",
        "session_id": session_id,
    } | changes


def failed(**changes: Any) -> dict[str, Any]:
    return {
        "type": "upstream.verified",
        "result": "failed",
        "required": True,
        "model_id": "m-1",
        "reason": "quote expired",
    } | changes


def session(**changes: Any) -> dict[str, Any]:
    evidence = b"upstream evidence"
    return {
        "api_version": "aci/1",
        "upstream_name": "up",
        "endpoint": "https://up.example.com",
        "verifier_id": "acme/1",
        "established_at": NOW - 60,
        "expires_at": NOW + 60,
        "channel_binding": [
            {
                "type": "tls_spki_sha256",
                "origin": "https://up.example.com",
                "spki_sha256": "d1" * 32,
            }
        ],
        "claims": {
            "tee_attested": {"status": "asserted", "source": "hardware_proven", "reason": "quote"},
            "tcb_up_to_date": {"status": "refuted", "source": "hardware_proven", "reason": "old"},
            "gpu_attested": {"status": "unknown"},
            "extra": {"tcb_status": "OutOfDate", "ratio": 0.5},
        },
        "evidence": {
            "digest": body_hash(evidence),
            "data": "data:text/plain;base64," + base64.b64encode(evidence).decode(),
        },
    } | changes


def session_id(document: dict[str, Any]) -> str:
    return sha256(rfc8785.dumps(document)).hexdigest()
