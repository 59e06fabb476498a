"""One X.509 certificate, sliced out of its own DER."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from quotary._der import SEQUENCE, DerReader
from quotary._ecdsa import PublicKey, load_key
from quotary.errors import ParseError, Reason
from quotary.x509._common import (
    read_algorithm,
    read_authority_key_id,
    read_extensions,
    read_serial,
    read_time,
    split_signed,
)
from quotary.x509._fields import (
    KeyUsage,
    read_basic_constraints,
    read_common_name,
    read_key_usage,
    read_subject_key_id,
)
from quotary.x509._usual import read_usual_pck

__all__ = ["MAX_CERTIFICATE_BYTES", "SGX_EXTENSION_ID", "Certificate", "KeyUsage"]

MAX_CERTIFICATE_BYTES: Final = 4096
"""Intel's longest, the PCK certificate, has about 1,270 bytes."""

SGX_EXTENSION_ID: Final = bytes.fromhex("2a864886f84d010d01")

_EXTENSIONS_TAG: Final = 0xA3
_VERSION_3: Final = bytes.fromhex("a003020102")
_P256_KEY: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200 04")
_AUTHORITY_KEY_ID: Final = bytes.fromhex("551d23")
_SUBJECT_KEY_ID: Final = bytes.fromhex("551d0e")
_KEY_USAGE: Final = bytes.fromhex("551d0f")
_BASIC_CONSTRAINTS: Final = bytes.fromhex("551d13")
_CRL_POINTS: Final = bytes.fromhex("551d1f")
_REQUIRED: Final = {
    _AUTHORITY_KEY_ID: (Reason.KEY_ID_MISSING, "an authority key identifier"),
    _SUBJECT_KEY_ID: (Reason.KEY_ID_MISSING, "a subject key identifier"),
    _KEY_USAGE: (Reason.KEY_USAGE, "a key usage"),
    _BASIC_CONSTRAINTS: (Reason.BASIC_CONSTRAINTS, "basic constraints"),
    _CRL_POINTS: (Reason.CERT_INVALID, "CRL distribution points"),
}
_KNOWN: Final = frozenset({*_REQUIRED, SGX_EXTENSION_ID})


@dataclass(frozen=True)
class Certificate:
    """
    A certificate. Parsing checks its form (RFC 5280 profile, P-256 and SHA-256 only), no signature.

    `issuer` and `subject` are the DER of the names, `public_key` is x ‖ y, times are Unix seconds.
    """

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    common_name: str
    not_before: int
    not_after: int
    public_key: bytes
    authority_key_id: bytes
    subject_key_id: bytes
    key_usage: KeyUsage
    is_ca: bool
    path_length: int | None
    sgx_extension: bytes | None
    signature: bytes

    @classmethod
    def parse(cls, der: bytes, item: str) -> Certificate:
        """Parse one certificate that is all of `der`. Raises `ParseError`."""
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise ParseError(
                Reason.CERT_TOO_LARGE,
                item,
                expected=f"at most {MAX_CERTIFICATE_BYTES} bytes",
                found=str(len(der)),
            )
        tbs, signature = split_signed(der, item)
        fields = read_usual_pck(tbs, item) or _read_body(tbs, item)
        fields["der"], fields["tbs"], fields["signature"] = der, tbs, signature
        certificate = object.__new__(cls)
        object.__setattr__(certificate, "__dict__", fields)
        return certificate

    @cached_property
    def key(self) -> PublicKey:
        """The public key, loaded; raises `VerificationError` when it is no point of the curve."""
        return load_key(self.public_key, f"key of {self.common_name}")

    @cached_property
    def key_hash(self) -> bytes:
        """SHA-256 of `public_key`."""
        return sha256(self.public_key).digest()

    @cached_property
    def tbs_hash(self) -> bytes:
        """SHA-256 of the signed bytes."""
        return sha256(self.tbs).digest()


def _read_body(tbs: bytes, item: str) -> dict[str, object]:
    body = DerReader(tbs, item).enter(SEQUENCE)
    if body.next_tag() != _VERSION_3[0] or body.whole(_VERSION_3[0]) != _VERSION_3:
        raise ParseError(Reason.CERT_INVALID, item, expected="X.509 version 3")
    serial = read_serial(body, item)
    read_algorithm(body, item)
    issuer = body.whole(SEQUENCE)
    validity = body.enter(SEQUENCE)
    not_before, not_after = read_time(validity, item), read_time(validity, item)
    validity.finish()
    subject = body.whole(SEQUENCE)
    public_key = _read_public_key(body, item)
    extensions = _read_extensions(body, item)
    is_ca, path_length = read_basic_constraints(extensions[_BASIC_CONSTRAINTS], item)
    return {
        "serial": serial,
        "issuer": issuer,
        "subject": subject,
        "common_name": read_common_name(subject, item),
        "not_before": not_before,
        "not_after": not_after,
        "public_key": public_key,
        "authority_key_id": read_authority_key_id(extensions[_AUTHORITY_KEY_ID], item),
        "subject_key_id": read_subject_key_id(extensions[_SUBJECT_KEY_ID], item),
        "key_usage": read_key_usage(extensions[_KEY_USAGE], item),
        "is_ca": is_ca,
        "path_length": path_length,
        "sgx_extension": extensions.get(SGX_EXTENSION_ID),
    }


def _read_public_key(body: DerReader, item: str) -> bytes:
    info = body.whole(SEQUENCE)
    if len(info) != len(_P256_KEY) + 64 or not info.startswith(_P256_KEY):
        raise ParseError(
            Reason.SIG_ALG_UNEXPECTED, item, expected="an uncompressed key on the named curve P-256"
        )
    return info[-64:]


def _read_extensions(body: DerReader, item: str) -> dict[bytes, bytes]:
    if body.next_tag() != _EXTENSIONS_TAG:
        raise ParseError(Reason.CERT_INVALID, item, expected="extensions, and no unique ids")
    wrapper = body.enter(_EXTENSIONS_TAG)
    body.finish()
    sequence = wrapper.enter(SEQUENCE)
    wrapper.finish()
    extensions = {}
    for extension in read_extensions(sequence, item, Reason.CERT_INVALID):
        if extension.critical and extension.object_id not in _KNOWN:
            raise ParseError(
                Reason.CERT_INVALID,
                item,
                expected="no unknown critical extension",
                found=extension.object_id.hex(),
            )
        extensions[extension.object_id] = extension.value
    for object_id, (reason, name) in _REQUIRED.items():
        if object_id not in extensions:
            raise ParseError(reason, item, expected=name, found="no such extension")
    return extensions
