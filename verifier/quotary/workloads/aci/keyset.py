"""The workload keyset, a service's identity, and the statement that a quote binds to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document
from quotary.workloads._secp256k1 import personal_digest, recover
from quotary.workloads.aci._canonical import body_hash, canonical

__all__ = [
    "MAX_LIFETIME_SECONDS",
    "Keyset",
    "ReceiptAlgorithm",
    "ReceiptKey",
    "TlsKey",
    "report_data",
    "statement",
]

MAX_LIFETIME_SECONDS: Final = 2 * 366 * 24 * 3600
"""No keyset may claim to live longer: section 3.1 asks to refuse implausible expiries."""

_MAX_TIME: Final = 253_402_300_799
_MAX_KEYS: Final = 256
_FIELDS: Final = frozenset(
    {"subject", "not_after", "receipt_signing_keys", "e2ee_public_keys", "tls_public_keys"}
)


class ReceiptAlgorithm(StrEnum):
    """
    How receipts may be signed.

    Ed25519 is ACI's baseline. `secp256k1-eip191` is Quotary's own extension, which a contract can
    check: an uncompressed point, and r ‖ s ‖ v over the EIP-191 message of the receipt's JCS form.
    """

    ED25519 = "ed25519"
    SECP256K1 = "secp256k1-eip191"


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A receipt signing key of a known algorithm."""

    key_id: str
    algorithm: ReceiptAlgorithm
    public_key: bytes

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise `VerificationError` unless this key made `signature` over `message`."""
        if self.algorithm is ReceiptAlgorithm.SECP256K1:
            signed = recover(personal_digest(message), signature, "receipt") == self.public_key
        else:
            signed = self._verifies(message, signature)
        if not signed:
            raise VerificationError(
                Reason.MESSAGE_SIGNATURE_INVALID,
                "receipt",
                expected=f"one made by key {ascii(self.key_id)[:80]}",
            )

    def _verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    @property
    def spki_sha256(self) -> bytes:
        """The digest by which a TLS certificate would name this key."""
        key: Ed25519PublicKey | EllipticCurvePublicKey
        if self.algorithm is ReceiptAlgorithm.ED25519:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
        else:
            key = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), self.public_key)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(der).digest()


@dataclass(frozen=True, slots=True)
class TlsKey:
    """A TLS key by the digest of its SPKI, for one host name or, without one, for all."""

    spki_sha256: bytes
    domain: str | None


@dataclass(frozen=True, slots=True)
class Keyset:
    """
    A keyset (section 3.1). `digest` is over its JCS form, `canonical`.

    `receipt_keys` holds the keys of known algorithms only; `skipped` counts the others.
    """

    digest: str
    canonical: bytes
    subject: str | None
    not_after: int
    receipt_keys: tuple[ReceiptKey, ...]
    tls_keys: tuple[TlsKey, ...]
    skipped: int

    @classmethod
    def read(cls, fields: Document) -> Keyset:
        """
        Read a keyset out of a report.

        Raises `ParseError`; `VerificationError` (KEYSET_INVALID) for a key in two roles, an id used
        twice, or a field of an unknown role.
        """
        if unknown := set(fields.values) - _FIELDS:
            raise _invalid("fields", "the five fields of aci/1", ascii(min(unknown))[:80])
        entries = [
            Document(entry, f"receipt_signing_keys[{index}]")
            for index, entry in enumerate(_bounded(fields, "receipt_signing_keys"))
        ]
        receipt_keys = tuple(_receipt_keys(entries))
        tls_keys = tuple(
            _tls_key(Document(entry, f"tls_public_keys[{index}]"))
            for index, entry in enumerate(_bounded(fields, "tls_public_keys"))
        )
        e2ee = [
            Document(entry, f"e2ee_public_keys[{index}]")
            for index, entry in enumerate(_bounded(fields, "e2ee_public_keys"))
        ]
        _require_one_role(entries, e2ee, receipt_keys, tls_keys)
        signed = canonical(fields.values, "workload_keyset")
        return cls(
            digest=body_hash(signed),
            canonical=signed,
            subject=fields.text_or_none("subject"),
            not_after=fields.number("not_after", _MAX_TIME),
            receipt_keys=receipt_keys,
            tls_keys=tls_keys,
            skipped=len(entries) - len(receipt_keys),
        )

    def require_current(self, at: int) -> None:
        """Raise `VerificationError` unless `at`, Unix seconds, is before a plausible expiry."""
        if at >= self.not_after:
            raise VerificationError(
                Reason.KEYSET_EXPIRED,
                "not_after",
                expected=f"later than {at}",
                found=str(self.not_after),
            )
        if self.not_after - at > MAX_LIFETIME_SECONDS:
            raise VerificationError(
                Reason.KEYSET_EXPIRED,
                "not_after",
                expected=f"within {MAX_LIFETIME_SECONDS} seconds of {at}",
                found=str(self.not_after),
            )

    def receipt_key(self, key_id: str) -> ReceiptKey:
        """The receipt key `key_id`; raises `VerificationError` when none is known."""
        for key in self.receipt_keys:
            if key.key_id == key_id:
                return key
        raise VerificationError(
            Reason.KEY_UNKNOWN,
            "key_id",
            expected="a receipt key of the keyset with a known algorithm",
            found=ascii(key_id)[:80],
        )

    def require_channel(self, spki_sha256: bytes, domain: str | None) -> None:
        """Raise `VerificationError` unless the keyset lists this TLS key for this host name."""
        for key in self.tls_keys:
            if key.spki_sha256 == spki_sha256 and key.domain in (None, domain):
                return
        raise VerificationError(
            Reason.CHANNEL_NOT_BOUND,
            "TLS key",
            expected=f"one the keyset lists for {ascii(domain)[:80]}",
            found=spki_sha256.hex(),
        )


def statement(keyset_digest: str, nonce: bytes | None) -> bytes:
    """Return the exact bytes whose SHA-256 the quote carries (section 3.2)."""
    quoted = "null" if nonce is None else f'"{nonce.hex()}"'
    return (
        f'{{"keyset_digest":"{keyset_digest}","nonce":{quoted},"purpose":"aci.report_data.v1"}}'
    ).encode()


def report_data(keyset_digest: str, nonce: bytes | None) -> bytes:
    """Return all 64 bytes of report data: the statement's SHA-256, then zeros."""
    return sha256(statement(keyset_digest, nonce)).digest() + bytes(32)


def _bounded(fields: Document, name: str) -> list[object]:
    entries = fields.sequence(name)
    if len(entries) > _MAX_KEYS:
        raise fields.invalid(name, f"at most {_MAX_KEYS} keys")
    return entries


def _receipt_keys(entries: list[Document]) -> Iterator[ReceiptKey]:
    seen: set[str] = set()
    for entry in entries:
        key_id = entry.text("key_id")
        if key_id in seen:
            raise _invalid("key_id", "each id once", ascii(key_id)[:80])
        seen.add(key_id)
        try:
            algorithm = ReceiptAlgorithm(entry.text("algo"))
        except ValueError:
            continue
        yield _usable(ReceiptKey(key_id, algorithm, entry.octets("public_key")))


def _usable(key: ReceiptKey) -> ReceiptKey:
    try:
        key.spki_sha256  # noqa: B018 - loading the key is the check
    except ValueError as error:
        raise ParseError(
            Reason.SCHEMA_INVALID,
            "public_key",
            expected=f"a key of {key.algorithm}",
            found=key.public_key.hex()[:140],
        ) from error
    return key


def _tls_key(entry: Document) -> TlsKey:
    return TlsKey(entry.octets("spki_sha256", 32), entry.text_or_none("domain"))


def _require_one_role(
    receipts: list[Document],
    e2ee: list[Document],
    receipt_keys: tuple[ReceiptKey, ...],
    tls_keys: tuple[TlsKey, ...],
) -> None:
    signing = {entry.text("public_key").lower() for entry in receipts}
    encrypting = {entry.text("public_key").lower() for entry in e2ee}
    tls = {key.spki_sha256 for key in tls_keys}
    if shared := signing & encrypting:
        raise _invalid("keys", "one role per key", min(shared)[:140])
    for key in receipt_keys:
        if key.spki_sha256 in tls:
            raise _invalid("keys", "one role per key", key.public_key.hex()[:140])


def _invalid(item: str, expected: str, found: str) -> VerificationError:
    return VerificationError(
        Reason.KEYSET_INVALID, f"workload_keyset {item}", expected=expected, found=found
    )
