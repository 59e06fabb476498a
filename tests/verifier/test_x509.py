"""Certificates, lists and PEM: what genuine ones say, and what forged ones may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from quotary import INTEL_ROOT, ParseError, QuotaryError, Quote, Reason, TrustRoot
from quotary._der import DerReader
from quotary.x509 import (
    MAX_CERTIFICATE_BYTES,
    MAX_CRL_BYTES,
    Certificate,
    PckIdentity,
    RevocationList,
    Role,
    require_role,
    split_pem,
)
from quotary.x509._common import read_serial, read_time

from tests.verifier.genuine import genuine_cases, genuine_items


def chains(shared: Path) -> list[bytes]:
    """All distinct PCK chains of the genuine quotes."""
    quotes = (
        Quote.parse((shared / "vectors" / item["file"]).read_bytes())
        for item in genuine_items(shared)
        if item["cert_data_type"] == 5
    )
    return sorted({quote.certification_data for quote in quotes})


def test_genuine_certificates_read_as_pyca_reads_them(shared: Path) -> None:
    """Serial numbers, dates, names, constraints and keys agree with another parser."""
    for pem in chains(shared):
        for der in split_pem(pem, "chain", 3):
            ours, theirs = Certificate.parse(der, "test"), x509.load_der_x509_certificate(der)
            assert ours.serial == theirs.serial_number
            assert ours.tbs == theirs.tbs_certificate_bytes
            assert ours.subject == theirs.subject.public_bytes()
            assert ours.issuer == theirs.issuer.public_bytes()
            assert ours.not_before == theirs.not_valid_before_utc.timestamp()
            assert ours.not_after == theirs.not_valid_after_utc.timestamp()
            constraints = theirs.extensions.get_extension_for_class(x509.BasicConstraints).value
            assert (ours.is_ca, ours.path_length) == (constraints.ca, constraints.path_length)
            key_id = theirs.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            assert ours.subject_key_id == key_id.digest


def test_genuine_lists_read_as_pyca_reads_them(shared: Path) -> None:
    """Entries, dates and numbers agree with another parser."""
    lists = set()
    for case in genuine_cases(shared):
        lists |= {case.raw.root_ca_crl, case.raw.pck_crl}
    for der in lists:
        ours, theirs = RevocationList.parse(der, "test"), x509.load_der_x509_crl(der)
        assert ours.revoked == {entry.serial_number for entry in theirs}
        assert theirs.next_update_utc is not None
        assert ours.next_update == theirs.next_update_utc.timestamp()
        assert ours.this_update == theirs.last_update_utc.timestamp()
        number = theirs.extensions.get_extension_for_class(x509.CRLNumber).value
        assert ours.number == number.crl_number


def test_pck_extension_of_genuine_platforms(shared: Path) -> None:
    """The platform's identity equals what the manifest found, for every quote with a chain."""
    for item in genuine_items(shared):
        if item["cert_data_type"] != 5:
            continue
        quote = Quote.parse((shared / "vectors" / item["file"]).read_bytes())
        leaf = Certificate.parse(split_pem(quote.certification_data, "chain", 3)[0], "leaf")
        assert leaf.sgx_extension is not None
        identity = PckIdentity.parse(leaf.sgx_extension)
        assert identity.fmspc.hex() == item["fmspc"]
        assert identity.ppid.hex() == item["ppid"]
        assert identity.pce_id.hex() == item["pceid"]
        assert (identity.platform_instance_id is None) == (item["ca"] == "processor")


@pytest.mark.parametrize("step", [1])
def test_truncated_and_extended_documents_are_refused(shared: Path, step: int) -> None:
    """Every prefix of certificate and list, and one byte more, is refused by name."""
    der = split_pem(chains(shared)[0], "chain", 3)[0]
    for length in range(0, len(der), step):
        with pytest.raises(ParseError) as caught:
            Certificate.parse(der[:length], "test")
        assert caught.value.reason is Reason.DER_NONCANONICAL
    with pytest.raises(ParseError):
        Certificate.parse(der + b"\0", "test")
    crl = genuine_cases(shared)[0].raw.root_ca_crl
    for length in range(len(crl)):
        with pytest.raises(ParseError):
            RevocationList.parse(crl[:length], "test")


def test_every_flipped_bit_is_refused_or_seen(shared: Path) -> None:
    """A certificate with a changed byte is malformed or a different certificate."""
    der = split_pem(chains(shared)[0], "chain", 3)[0]
    original = Certificate.parse(der, "test")
    for position in range(len(der)):
        changed = bytearray(der)
        changed[position] ^= 0x10
        try:
            other = Certificate.parse(bytes(changed), "test")
        except QuotaryError:
            continue
        assert (other.tbs, other.signature) != (original.tbs, original.signature)


def test_oversized_documents_are_refused_unread() -> None:
    """Bounds come before parsing."""
    for parse, size, reason in (
        (Certificate.parse, MAX_CERTIFICATE_BYTES, Reason.CERT_TOO_LARGE),
        (RevocationList.parse, MAX_CRL_BYTES, Reason.CRL_TOO_LARGE),
    ):
        with pytest.raises(ParseError) as caught:
            parse(bytes(size + 1), "test")
        assert caught.value.reason is reason


def time_of(tag: int, text: str) -> int | Reason:
    """Read one time, or say why not."""
    content = text.encode()
    try:
        return read_time(DerReader(bytes([tag, len(content)]) + content, "test"), "test")
    except ParseError as error:
        return error.reason


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, "250230120000Z"),
        (0x17, "251301120000Z"),
        (0x17, "250101240000Z"),
        (0x17, "250101120060Z"),
        (0x17, "2501011200Z"),
        (0x17, "250101120000+0100"),
        (0x17, "25010112000 Z"),
        (0x17, "250101120000z"),
        (0x18, "20250101120000Z"),
        (0x18, "20500101120000.5Z"),
        (0x18, "00000101120000Z"),
        (0x0C, "250101120000Z"),
    ],
)
def test_impossible_times_are_not_normalised(tag: int, text: str) -> None:
    """Wrong forms, wrong dates and dates in the wrong form are refused by name."""
    assert time_of(tag, text) is Reason.CERT_TIME_INVALID


def test_times_of_both_centuries() -> None:
    """UTCTime turns at 50, GeneralizedTime begins there."""
    assert time_of(0x17, "500101000000Z") == -631152000
    assert time_of(0x17, "491231235959Z") == 2524607999
    assert time_of(0x18, "20500101000000Z") == 2524608000


@pytest.mark.parametrize("serial", ["00", "ff", "80", "7f" + "00" * 20])
def test_serial_numbers_are_positive_and_bounded(serial: str) -> None:
    """Zero, negative and longer than twenty bytes are refused by name."""
    content = bytes.fromhex(serial)
    reader = DerReader(bytes([2, len(content)]) + content, "test")
    with pytest.raises(ParseError) as caught:
        read_serial(reader, "test")
    assert caught.value.reason is Reason.SERIAL_INVALID


def test_pem_is_certificates_and_white_space_only(shared: Path) -> None:
    """NUL bytes at the end pass; text between, private keys and wrong counts do not."""
    pem = chains(shared)[0].rstrip(b"\n\0")
    blocks = [b"-----BEGIN" + part for part in pem.split(b"-----BEGIN")[1:]]
    assert len(split_pem(pem + b"\n\0\0", "chain", 3)) == 3
    for bad, reason in (
        (b"hello\n" + pem, Reason.PEM_INVALID),
        (blocks[0] + b"garbage\n" + blocks[1] + blocks[2], Reason.PEM_INVALID),
        (pem + b"\n-----BEGIN EC PRIVATE KEY-----\n", Reason.PEM_INVALID),
        (pem.replace(b"MII", b"M=I", 1), Reason.PEM_INVALID),
        (pem + b"\n" + blocks[0], Reason.CHAIN_SHAPE),
        (blocks[0], Reason.CHAIN_SHAPE),
        (b"", Reason.CHAIN_SHAPE),
        (pem * 9, Reason.CERT_TOO_LARGE),
    ):
        with pytest.raises(ParseError) as caught:
            split_pem(bad, "chain", 3)
        assert caught.value.reason is reason


def test_roots_must_be_roots(shared: Path) -> None:
    """Only a self-signed certificate with the root's role can be trusted."""
    leaf, authority, root = split_pem(chains(shared)[0], "chain", 3)
    assert TrustRoot.from_certificate(root) == INTEL_ROOT
    for der in (leaf, authority):
        with pytest.raises(QuotaryError) as caught:
            TrustRoot.from_certificate(der)
        assert caught.value.reason is Reason.ISSUER_ROLE
    with pytest.raises(QuotaryError):
        TrustRoot.from_certificate(b"")
    for role in (Role.PCK, Role.PCK_CA, Role.TCB_SIGNING):
        with pytest.raises(QuotaryError):
            require_role(INTEL_ROOT.certificate, role, "test")
