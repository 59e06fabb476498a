"""The rules that make certificates a chain: names, key ids, roles and signatures."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from quotary._ecdsa import require_digest_signature
from quotary.errors import ParseError, QuotaryError, Reason, VerificationError
from quotary.x509._certificate import Certificate, KeyUsage

__all__ = ["MAX_PEM_BYTES", "Role", "require_issued", "require_role", "split_pem"]

MAX_PEM_BYTES: Final = 16 * 1024
"""A chain of three genuine certificates has under 4 kB."""

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM_END: Final = b"-----END CERTIFICATE-----"
_WHITE: Final = b" \t\n\r\f\v"
_SPACES: Final = frozenset(bytes([space]) for space in _WHITE)
_PADDING: Final = _WHITE + b"\0"
_CA_USAGE: Final = int(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)
_DIGITAL_SIGNATURE: Final = int(KeyUsage.DIGITAL_SIGNATURE)


class Role(StrEnum):
    """What a certificate is for."""  # a text, as texts are hashed faster than other members

    ROOT = "root"
    PCK_CA = "PCK CA"
    PCK = "PCK"
    TCB_SIGNING = "TCB signing"


_COMMON_NAMES: Final[dict[Role, tuple[str, ...]]] = {
    Role.ROOT: ("Intel SGX Root CA",),
    Role.PCK_CA: ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"),
    Role.PCK: ("Intel SGX PCK Certificate",),
    Role.TCB_SIGNING: ("Intel SGX TCB Signing",),
}
_PATH_LENGTHS: Final[dict[Role, int]] = {Role.ROOT: 1, Role.PCK_CA: 0}


def split_pem(pem: bytes, item: str, count: int) -> tuple[bytes, ...]:
    """
    Return the DER of the `count` certificates `pem` consists of.

    Between and after them only white space may stand, and NUL bytes at the end, which Intel's
    quoting enclaves append. Raises `ParseError`.
    """
    if len(pem) > MAX_PEM_BYTES:
        raise ParseError(
            Reason.CERT_TOO_LARGE,
            item,
            expected=f"at most {MAX_PEM_BYTES} bytes",
            found=str(len(pem)),
        )
    first, position = _next(pem, 0, item)
    certificates = (*first, *_others(pem[position:], item)) if first else ()
    if len(certificates) != count:
        raise ParseError(
            Reason.CHAIN_SHAPE,
            item,
            expected=f"{count} certificates",
            found=str(len(certificates)),
        )
    return certificates


def _next(pem: bytes, position: int, item: str) -> tuple[tuple[bytes, ...], int]:
    """Return the certificate from `position` on, if there is one, and where it ends."""
    begin = pem.find(_PEM_BEGIN, position)
    start = begin + len(_PEM_BEGIN)
    end = pem.find(_PEM_END, start)
    if begin < 0 or end < 0 or pem[start : start + 1] not in _SPACES:
        if pem[position:].strip(_PADDING):
            raise ParseError(Reason.PEM_INVALID, item, expected="only certificates")
        return (), position
    if pem[position:begin].strip(_WHITE):
        raise ParseError(Reason.PEM_INVALID, item, expected="only certificates")
    return (_decode(pem[start:end], item),), end + len(_PEM_END)


def _decode(text: bytes, item: str) -> bytes:
    """Decode base64 between white space, of which nearly all is line feeds."""
    try:
        return a2b_base64(text.replace(b"\n", b""), strict_mode=True)
    except Base64Error:
        text = text.translate(None, _WHITE)
    try:
        return a2b_base64(text, strict_mode=True)
    except Base64Error as error:
        raise ParseError(Reason.PEM_INVALID, item, expected="base64") from error


@lru_cache(maxsize=32)
def _others(pem: bytes, item: str) -> tuple[bytes, ...]:
    """Split what stands after the first certificate: the same in nearly all chains."""
    certificates: tuple[bytes, ...] = ()
    found, position = _next(pem, 0, item)
    while found:
        certificates += found
        found, position = _next(pem, position, item)
    return certificates


def require_role(
    certificate: Certificate,
    role: Role,
    item: str,
    error: type[QuotaryError] = VerificationError,
) -> None:
    """Raise `error` unless name, constraints and key usage are those of `role`."""
    names, path_length = _COMMON_NAMES[role], _PATH_LENGTHS.get(role)
    if certificate.common_name not in names:
        raise error(
            Reason.ISSUER_ROLE,
            item,
            expected=" or ".join(names),
            found=ascii(certificate.common_name),
        )
    is_authority = path_length is not None
    if certificate.is_ca != is_authority or certificate.path_length != path_length:
        raise error(
            Reason.BASIC_CONSTRAINTS,
            item,
            expected=f"CA {is_authority}, path length {path_length}",
            found=f"CA {certificate.is_ca}, path length {certificate.path_length}",
        )
    usage = certificate.key_usage
    bits = int(usage)
    suits = bits == _CA_USAGE if is_authority else _suits_end_entity(bits)
    if not suits:
        raise error(Reason.KEY_USAGE, item, expected=f"the usage of {role.name}", found=repr(usage))


def require_issued(
    certificate: Certificate,
    issuer: Certificate,
    item: str,
    error: type[QuotaryError] = VerificationError,
) -> None:
    """Raise `error` unless `issuer` issued `certificate`: names, key ids and signature."""
    if certificate.issuer != issuer.subject:
        raise error(
            Reason.CERT_NAME_MISMATCH, item, expected=f"an issuer named {issuer.common_name}"
        )
    if certificate.authority_key_id != issuer.subject_key_id:
        raise error(
            Reason.KEY_ID_MISMATCH,
            item,
            expected=issuer.subject_key_id.hex(),
            found=certificate.authority_key_id.hex(),
        )
    require_digest_signature(
        issuer.key,
        certificate.signature,
        sha256(certificate.tbs).digest(),
        reason=Reason.CERT_SIGNATURE_INVALID,
        item=item,
        error=error,
    )


def _suits_end_entity(bits: int) -> bool:
    return bool(bits & _DIGITAL_SIGNATURE) and not bits & _CA_USAGE
