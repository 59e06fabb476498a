"""
ACI artifacts, `aci/1`: the keyset, the attestation statement, and receipts.

Source: Dstack-TEE/private-ai-gateway, spec/aci.md; sections are cited per item. What a receipt
proves is which bytes went in and out under which keyset; not that the answer is right, nor when
(`served_at` is the worker's own word).

Beside the Ed25519 baseline our keysets list one further algorithm, `secp256k1-eip191`, so that a
contract can check a receipt with one recovery: the public key is the uncompressed point (65
bytes), the signature is `r || s || v` (65 bytes) over the EIP-191 personal message whose text is
the receipt's JCS form. Verifiers that do not know it skip it (appendix B).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import rfc8785

from quotary_enclave.keys import WorkerKeys
from quotary_enclave.worker.errors import RefusalError, WorkerReason

__all__ = [
    "API_VERSION",
    "KEYSET_PERIOD_SECONDS",
    "Exchange",
    "ReceiptAlgorithm",
    "Receipts",
    "body_hash",
    "digest_of",
    "keyset_for",
    "read_nonce",
    "report_data",
    "statement",
]

API_VERSION: Final = "aci/1"

KEYSET_PERIOD_SECONDS: Final = 7 * 24 * 3600
"""A keyset lives one to two periods: short enough to outlast no incident, long enough to cache."""

_NONCE: Final = re.compile(r"[0-9a-f]{64}")


class ReceiptAlgorithm(StrEnum):
    """How a receipt may be signed; Ed25519 is what every verifier knows."""

    ED25519 = "ed25519"
    SECP256K1 = "secp256k1-eip191"

    @property
    def key_id(self) -> str:
        """The id under which the keyset lists this algorithm's key."""
        return f"receipt-{self.value}"


def canonical(document: Mapping[str, Any]) -> bytes:
    """The JCS form (RFC 8785)."""
    return rfc8785.dumps(dict(document))


def body_hash(body: bytes) -> str:
    """`sha256:` and the hex digest of `body` (appendix A)."""
    return "sha256:" + sha256(body).hexdigest()


def digest_of(keyset: Mapping[str, Any]) -> str:
    """The keyset's digest (section 3.1)."""
    return body_hash(canonical(keyset))


def keyset_for(keys: WorkerKeys, now: int) -> dict[str, Any]:
    """
    The keyset current at `now`, Unix seconds (section 3.1).

    It ends at the close of the period after the current one, so it changes once a period and is
    never younger than its expiry allows. TLS is not terminated here, and no E2EE version is
    spoken: both lists are empty, for a listed key is a promise.
    """
    return {
        "subject": None,
        "not_after": (now // KEYSET_PERIOD_SECONDS + 2) * KEYSET_PERIOD_SECONDS,
        "receipt_signing_keys": [
            {
                "key_id": ReceiptAlgorithm.ED25519.key_id,
                "algo": ReceiptAlgorithm.ED25519.value,
                "public_key": keys.receipt.public_key.hex(),
            },
            {
                "key_id": ReceiptAlgorithm.SECP256K1.key_id,
                "algo": ReceiptAlgorithm.SECP256K1.value,
                "public_key": keys.receipt_evm.public_key.hex(),
            },
        ],
        "e2ee_public_keys": [],
        "tls_public_keys": [],
    }


def read_nonce(text: str | None) -> str | None:
    """The nonce of a query (section 3.2). Raises `RefusalError(BAD_NONCE)`."""
    if text is not None and not _NONCE.fullmatch(text):
        raise RefusalError(
            WorkerReason.BAD_NONCE, "nonce must be 64 lowercase hex characters", param="nonce"
        )
    return text


def statement(keyset_digest: str, nonce: str | None) -> bytes:
    """The exact bytes that the quote commits to (section 3.2)."""
    quoted = "null" if nonce is None else f'"{nonce}"'
    head = f'{{"keyset_digest":"{keyset_digest}","nonce":{quoted}'
    return f'{head},"purpose":"aci.report_data.v1"}}'.encode()


def report_data(keyset_digest: str, nonce: str | None) -> bytes:
    """The quote's 64 bytes: the statement's digest, then zeros (section 3.2)."""
    return sha256(statement(keyset_digest, nonce)).digest() + bytes(32)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, reduced to what a receipt says of them (section 7.3)."""

    receipt_id: str
    chat_id: str | None
    model: str | None
    keyset_digest: str
    endpoint: str
    method: str
    served_at: int
    events: Sequence[Mapping[str, Any]]

    @classmethod
    def direct(
        cls,
        *,
        receipt_id: str,
        chat_id: str,
        model: str,
        keyset_digest: str,
        endpoint: str,
        served_at: int,
        request: bytes,
        response: bytes,
    ) -> Exchange:
        """What a service that infers by itself logs: the request is used as it came."""
        events = (
            {"type": "request.received", "body_hash": body_hash(request)},
            {"type": "request.forwarded", "body_hash": body_hash(request)},
            {"type": "response.returned", "body_hash": body_hash(response)},
        )
        return cls(receipt_id, chat_id, model, keyset_digest, endpoint, "POST", served_at, events)

    def document(self, key_id: str) -> dict[str, Any]:
        """The receipt without its signature."""
        return {
            "api_version": API_VERSION,
            "receipt_id": self.receipt_id,
            "chat_id": self.chat_id,
            "model": self.model,
            "workload_keyset_digest": self.keyset_digest,
            "endpoint": self.endpoint,
            "method": self.method,
            "served_at": self.served_at,
            "event_log": [dict(event) for event in self.events],
            "key_id": key_id,
        }


@dataclass(frozen=True, slots=True)
class Receipts:
    """Signs receipts with the keys that the keyset lists."""

    _keys: WorkerKeys

    def sign(self, exchange: Exchange, algorithm: ReceiptAlgorithm) -> dict[str, Any]:
        """The receipt of `exchange` (section 7.2). Equal arguments give equal bytes."""
        document = exchange.document(algorithm.key_id)
        text = canonical(document)
        if algorithm is ReceiptAlgorithm.ED25519:
            signature = self._keys.receipt.sign(text)
        else:
            signature = self._keys.receipt_evm.sign_text(text)
        return {**document, "signature": signature.hex()}
