"""Facts about certificates and revocation lists, read with pyca."""

from __future__ import annotations

import re
import warnings
from functools import cached_property
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.differential.facts import NO_EXTENSION, Facts

__all__ = ["CertificateFacts"]

_ROLE_NAMES: Final = {
    "pck": {"Intel SGX PCK Certificate"},
    "ca": {"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"},
    "tcb": {"Intel SGX TCB Signing"},
    "root": {"Intel SGX Root CA"},
}
_CONSTRAINTS: Final = {
    "pck": (False, None),
    "ca": (True, 0),
    "tcb": (False, None),
    "root": (True, 1),
}
_SGX: Final = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
_SERIAL: Final = re.compile(rb"\x30\x82..\x30\x82..\xa0\x03\x02\x01\x02\x02(.)(.)", re.DOTALL)
_OIDS: Final = re.compile(rb"\x06[\x09\x0a\x0b]\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01(.)", re.DOTALL)

ExtensionClass = type[x509.ExtensionType]


class CertificateFacts:
    """The certificates by the place they stand in: pck, ca, tcb (each signer's) and root."""

    def __init__(self, facts: Facts) -> None:
        """Load what can be loaded."""
        self._facts = facts

    @cached_property
    def _placed(self) -> list[tuple[str, bytes]]:
        placed = list(zip(("pck", "ca", "root"), self._facts.chain, strict=False))
        for name in ("tcb_info_issuer_chain", "qe_identity_issuer_chain"):
            placed += zip(("tcb", "root"), self._facts.pem_blocks(name), strict=False)
        placed += zip(("ca", "root"), self._facts.pem_blocks("pck_crl_issuer_chain"), strict=False)
        return placed

    @cached_property
    def _certificates(self) -> list[tuple[str, x509.Certificate]]:
        return [
            (place, certificate)
            for place, pem in self._placed
            if (certificate := _load(pem)) is not None
        ]

    @cached_property
    def _root(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self._facts.case.root_der)

    def lacks(self, kind: ExtensionClass) -> bool:
        """Whether a certificate or list has no extension of this kind, where it should."""
        of_lists = kind is x509.CRLNumber
        if kind is x509.AuthorityKeyIdentifier:
            lists, certificates = True, True
        else:
            lists, certificates = of_lists, not of_lists
        return (
            certificates and any(_extension(each, kind) is None for _, each in self._certificates)
        ) or (
            lists and any(_extension(each, kind) is None for each in self._facts.revocation_lists)
        )

    @property
    def misleads(self) -> bool:
        """Whether a certificate's authority key id is no subject key id of its chain."""
        known = {_key_id(each) for _, each in self._certificates} | {_key_id(self._root)}
        by_name = {each.subject: _key_id(each) for _, each in self._certificates}
        return any(
            _authority_id(each) not in known
            or (each.issuer in by_name and _authority_id(each) != by_name[each.issuer])
            for _, each in self._certificates
        )

    @property
    def list_misleads(self) -> bool:
        """Whether a list's authority key id is not that of the certificate with its issuer name."""
        by_name = {each.subject: _key_id(each) for _, each in self._certificates}
        return any(
            _authority_id(each) != by_name.get(each.issuer) for each in self._facts.revocation_lists
        )

    @property
    def misnamed(self) -> bool:
        """Whether a certificate's name is not one of its place."""
        return any(_name(each) not in _ROLE_NAMES[place] for place, each in self._certificates)

    @property
    def misconstrained(self) -> bool:
        """Whether basic constraints are missing or not those of the place."""
        return any(_constraints(each) != _CONSTRAINTS[place] for place, each in self._certificates)

    @property
    def misused(self) -> bool:
        """Whether key usage is missing or not that of the place."""
        return any(_signs(each) != _CONSTRAINTS[place][0] for place, each in self._certificates)

    @property
    def serial_not_positive(self) -> bool:
        """Whether a serial number is negative, zero or padded, read by hand: pyca refuses it."""
        for _, pem in self._placed:
            match = _SERIAL.search(self._facts.der(pem))
            if match is None or match[2][0] & 0x80 or match[1] == b"\0":
                return True
        return False

    @property
    def not_linear(self) -> bool:
        """Whether leaf, issuer and root do not follow each other by name."""
        chains = [self._facts.chain, *map(self._facts.pem_blocks, self._facts.parts)]
        for blocks in chains:
            loaded = [each for each in map(_load, blocks) if each is not None]
            if any(a.issuer != b.subject for a, b in pairwise(loaded)):
                return True
        return False

    @property
    def root_expired(self) -> bool:
        """Whether the trusted root's time is over."""
        return int(self._root.not_valid_after_utc.timestamp()) < self._facts.case.at

    @property
    def root_early(self) -> bool:
        """Whether the trusted root's time is yet to come."""
        return int(self._root.not_valid_before_utc.timestamp()) > self._facts.case.at

    @property
    def list_early(self) -> bool:
        """Whether a list's time is yet to come."""
        lists = self._facts.revocation_lists
        return any(int(e.last_update_utc.timestamp()) > self._facts.case.at for e in lists)

    @property
    def extension_irregular(self) -> bool:
        """Whether the SGX extension is not what the simulator and Intel write, entry by entry."""
        for place, certificate in self._certificates:
            if place == "pck":
                return not _regular(certificate)
        return True


def _regular(certificate: x509.Certificate) -> bool:
    try:
        value = certificate.extensions.get_extension_for_oid(_SGX).value
    except NO_EXTENSION:
        return False
    data = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
    return Regularity(data).holds


class Regularity:
    """A walk over the SGX extension: exact entries, types, lengths and ranges (5.4)."""

    _OCTETS: Final = {1: 16, 3: 2, 4: 6, 6: 16}

    def __init__(self, data: bytes) -> None:
        """Take the value of the extension."""
        self._data = data

    @property
    def holds(self) -> bool:
        """Whether everything is as the profile says."""
        try:
            entries = _entries(_content(self._data, 0x30))
        except (IndexError, ValueError):
            return False
        numbers = [number for number, _ in entries]
        if sorted(numbers) not in ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]):
            return False
        try:
            return all(self._entry_holds(number, value) for number, value in entries)
        except (IndexError, ValueError):
            return False

    def _entry_holds(self, number: int, value: bytes) -> bool:
        if number in self._OCTETS:
            return len(_content(value, 0x04)) == self._OCTETS[number]
        if number == 5:
            return _content(value, 0x0A) in (b"\0", b"\1", b"\2")
        inner = _entries(_content(value, 0x30))
        numbers = sorted(each for each, _ in inner)
        if number == 7:
            flags = [_content(each, 0x01) in (b"\0", b"\xff") for _, each in inner]
            return len(set(numbers)) == len(numbers) and set(numbers) <= {1, 2, 3} and all(flags)
        if numbers != list(range(1, 19)):
            return False
        return all(_svn_holds(each, svn) for each, svn in inner)


def _svn_holds(number: int, value: bytes) -> bool:
    if number == 18:
        return len(_content(value, 0x04)) == 16
    svn = int.from_bytes(_content(value, 0x02), signed=True)
    return 0 <= svn <= (0xFFFF if number == 17 else 0xFF)


def _entries(data: bytes) -> list[tuple[int, bytes]]:
    """Pairs of the object id's last byte and the encoded value."""
    entries = []
    while data:
        entry, data = _split(data)
        oid, value = _split(_content(entry, 0x30))
        entries.append((oid[-1], value))
    return entries


def _split(data: bytes) -> tuple[bytes, bytes]:
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start])
    if start + length > len(data):
        raise ValueError("an element that ends outside")
    return data[: start + length], data[start + length :]


def _content(element: bytes, tag: int) -> bytes:
    whole, rest = _split(element)
    if whole[0] != tag or rest:
        raise ValueError("another element")
    return whole[2 + (whole[1] & 0x7F if whole[1] & 0x80 else 0) :]


def _load(pem: bytes) -> x509.Certificate | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return x509.load_pem_x509_certificate(pem)
        except (ValueError, x509.InvalidVersion):
            return None


def _extension(
    each: x509.Certificate | x509.CertificateRevocationList, kind: ExtensionClass
) -> x509.ExtensionType | None:
    try:
        return each.extensions.get_extension_for_class(kind).value
    except NO_EXTENSION:
        return None


def _key_id(each: x509.Certificate) -> bytes | None:
    value = _extension(each, x509.SubjectKeyIdentifier)
    return value.digest if isinstance(value, x509.SubjectKeyIdentifier) else None


def _authority_id(each: x509.Certificate | x509.CertificateRevocationList) -> bytes | None:
    value = _extension(each, x509.AuthorityKeyIdentifier)
    return value.key_identifier if isinstance(value, x509.AuthorityKeyIdentifier) else None


def _name(each: x509.Certificate) -> str | bytes:
    names = each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return names[0].value if names else ""


def _constraints(each: x509.Certificate) -> tuple[bool, int | None] | None:
    value = _extension(each, x509.BasicConstraints)
    return (value.ca, value.path_length) if isinstance(value, x509.BasicConstraints) else None


def _signs(each: x509.Certificate) -> bool | None:
    value = _extension(each, x509.KeyUsage)
    if not isinstance(value, x509.KeyUsage) or value.key_cert_sign == value.digital_signature:
        return None
    return value.key_cert_sign
