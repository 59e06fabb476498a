"""
pyca's reading of what our parsers accept: the two must never read different things.

pyca also looks into names and extensions that we compare byte by byte or ignore; what it refuses
there has no second opinion.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from quotary.x509 import Certificate, KeyUsage, RevocationList

__all__ = ["require_same_certificate", "require_same_list"]

_PYCA_REFUSALS = (ValueError, TypeError)
Reading = tuple[Callable[[], object], object]
"""How pyca reads a field, and how we read it."""


def require_same_certificate(ours: Certificate, der: bytes) -> None:
    """Raise `AssertionError` where pyca reads another certificate."""
    _compare(lambda: _certificate_readings(x509.load_der_x509_certificate(der), ours))


def require_same_list(ours: RevocationList, der: bytes) -> None:
    """Raise `AssertionError` where pyca reads another revocation list."""
    _compare(lambda: _list_readings(x509.load_der_x509_crl(der), ours))


def _compare(readings: Callable[[], Iterator[Reading]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pairs = list(readings())
        except _PYCA_REFUSALS:
            return
        for read, ours in pairs:
            try:
                theirs = read()
            except _PYCA_REFUSALS:
                continue
            assert theirs == ours


def _certificate_readings(theirs: x509.Certificate, ours: Certificate) -> Iterator[Reading]:
    find = theirs.extensions.get_extension_for_class
    constraints = find(x509.BasicConstraints).value
    usage = find(x509.KeyUsage).value
    yield lambda: theirs.serial_number, ours.serial
    yield lambda: theirs.issuer.public_bytes(), ours.issuer  # noqa: PLW0108 - names are read late
    yield lambda: theirs.subject.public_bytes(), ours.subject  # noqa: PLW0108 - names are read late
    yield lambda: int(theirs.not_valid_before_utc.timestamp()), ours.not_before
    yield lambda: int(theirs.not_valid_after_utc.timestamp()), ours.not_after
    yield lambda: theirs.tbs_certificate_bytes, ours.tbs
    yield lambda: theirs.signature, ours.signature
    yield (
        lambda: theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ours.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )
    yield lambda: constraints.ca, ours.is_ca
    yield lambda: constraints.path_length, ours.path_length
    yield lambda: usage.digital_signature, bool(ours.key_usage & KeyUsage.DIGITAL_SIGNATURE)
    yield lambda: usage.key_cert_sign, bool(ours.key_usage & KeyUsage.KEY_CERT_SIGN)
    yield lambda: usage.crl_sign, bool(ours.key_usage & KeyUsage.CRL_SIGN)
    yield lambda: find(x509.SubjectKeyIdentifier).value.digest, ours.subject_key_id
    yield lambda: find(x509.AuthorityKeyIdentifier).value.key_identifier, ours.authority_key_id


def _list_readings(
    theirs: x509.CertificateRevocationList, ours: RevocationList
) -> Iterator[Reading]:
    find = theirs.extensions.get_extension_for_class
    yield lambda: {entry.serial_number for entry in theirs}, ours.revoked
    yield lambda: theirs.issuer.public_bytes(), ours.issuer  # noqa: PLW0108 - names are read late
    yield lambda: int(theirs.last_update_utc.timestamp()), ours.this_update
    yield lambda: theirs.next_update_utc and theirs.next_update_utc.timestamp(), ours.next_update
    yield lambda: theirs.tbs_certlist_bytes, ours.tbs
    yield lambda: theirs.signature, ours.signature
    yield lambda: find(x509.AuthorityKeyIdentifier).value.key_identifier, ours.authority_key_id
    yield lambda: find(x509.CRLNumber).value.crl_number, ours.number
