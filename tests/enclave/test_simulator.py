"""The simulator mints what Intel's platforms and services give, and says that it is not Intel."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import dcap_qvl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from quotary_enclave.simulator import (
    Edit,
    PckExtension,
    SgxReport,
    SigningKey,
    Simulator,
    TdReport,
    compact,
    sample_enclave,
    sample_td,
    samples,
)
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS, Fault
from quotary_enclave.simulator.keys import ORDER
from quotary_enclave.simulator.pck_extension import PCK_EXTENSION_OID

AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
SIM = Simulator(AT, seed=b"test")
SAMPLES = samples(SIM)


def public_key(xy: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + xy)


def verify_raw(xy: bytes, signature: bytes, message: bytes) -> None:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public_key(xy).verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("name", SAMPLES)
def test_equal_seeds_mint_equal_bytes(name: str) -> None:
    """Evidence is a function of time and seed."""
    again = samples(Simulator(AT, seed=b"test"))[name].mint()
    other = samples(Simulator(AT, seed=b"other"))[name].mint()
    assert SAMPLES[name].mint() == again
    assert other.quote != again.quote
    assert other.root_der != again.root_der


def test_without_a_seed_no_two_simulations_share_a_root() -> None:
    """Nobody can repeat a simulation whose seed they were not given."""
    assert Simulator(AT).root_key_hash != Simulator(AT).root_key_hash


def test_a_time_without_zone_is_refused() -> None:
    """A naive time would mean another instant on another machine."""
    with pytest.raises(ValueError, match="time zone"):
        Simulator(datetime(2026, 11, 1))  # noqa: DTZ001


def test_the_zone_of_the_time_does_not_matter() -> None:
    """One instant, one simulation."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert Simulator(elsewhere, seed=b"test").root_der == SIM.root_der


def test_no_name_claims_to_be_intel() -> None:
    """Common names are Intel's because roles are read from them; the organisation is ours."""
    evidence = SAMPLES["td10-v4-platform"].mint()
    chain = x509.load_pem_x509_certificates(evidence.collateral["pck_crl_issuer_chain"].encode())
    for certificate in (*chain, x509.load_der_x509_certificate(evidence.root_der)):
        (organisation,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert organisation.value == "Quotary Simulation"


def test_the_root_key_hash_is_over_the_raw_point() -> None:
    """Contracts pin the root by SHA-256 of x and y, 64 bytes."""
    key = x509.load_der_x509_certificate(SIM.root_der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    xy = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert SIM.root_key_hash == hashlib.sha256(xy).digest()


@pytest.mark.parametrize("ca", ["platform", "processor"])
def test_every_certificate_is_issued_by_the_next(ca: str) -> None:
    """Leaf, CA and root chain by name and signature, judged by another implementation."""
    evidence = SAMPLES[f"sgx-v3-{ca}"].mint()
    pem = evidence.quote[evidence.quote.index(b"-----BEGIN") :]
    assert pem.endswith(b"\n\x00")
    leaf, authority, root = x509.load_pem_x509_certificates(pem)
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    for part in ("tcb_info_issuer_chain", "qe_identity_issuer_chain"):
        signer, top = x509.load_pem_x509_certificates(evidence.collateral[part].encode())
        signer.verify_directly_issued_by(top)
        assert top == root
    for part, issuer in (("root_ca_crl", root), ("pck_crl", authority)):
        revocations = x509.load_der_x509_crl(bytes.fromhex(evidence.collateral[part]))
        key = issuer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert revocations.is_signature_valid(key)
        assert revocations.issuer == issuer.subject


@pytest.mark.parametrize(
    ("name", "signed", "body"),
    [
        ("sgx-v3-platform", 432, 384),
        ("sgx-v4-platform", 432, 384),
        ("sgx-v5-platform", 438, 384),
        ("td10-v4-platform", 632, 584),
        ("td10-v5-platform", 638, 584),
        ("td15-v5-platform", 702, 648),
        ("td15ex-v5-platform", 939, 885),
    ],
)
def test_layout_and_signatures(name: str, signed: int, body: int) -> None:
    """Offsets are the specification's, and both signatures verify over what they should cover."""
    scenario = SAMPLES[name]
    quote = scenario.mint().quote
    version = struct.unpack_from("<H", quote)[0]
    if version == 5:
        assert struct.unpack_from("<I", quote, 50) == (body,)
    data = quote[signed + 4 :]
    assert struct.unpack_from("<I", quote, signed) == (len(data),)
    signature, key, rest = data[:64], data[64:128], data[128:]
    verify_raw(key, signature, quote[:signed])
    if version > 3:
        assert struct.unpack_from("<HI", rest) == (6, len(rest) - 6)
        rest = rest[6:]
    report, report_signature, auth = rest[:384], rest[384:448], rest[450:482]
    assert report[320:] == hashlib.sha256(key + auth).digest() + bytes(32)
    leaf = x509.load_pem_x509_certificates(rest)[0].public_key()
    assert isinstance(leaf, ec.EllipticCurvePublicKey)
    numbers = leaf.public_numbers()
    xy = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    verify_raw(xy, report_signature, report)
    assert compact(quote) == quote[:signed] + signature


def test_another_parser_reads_every_field_of_a_td_report() -> None:
    """dcap-qvl finds each measurement where it was put."""
    td = sample_td(SIM)
    body = replace(td, tee_tcb_svn2=bytes(range(16)), mr_service_td=b"\x09" * 48)
    report = dcap_qvl.parse_quote(SIM.platform().quote(body)).report
    assert report.tee_tcb_svn == td.tee_tcb_svn
    assert report.mr_seam == td.mr_seam
    assert report.mr_td == td.mr_td
    assert report.mr_config_id == td.mr_config_id
    assert (report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3) == td.rtmrs
    assert report.report_data == td.report_data
    assert report.td_attributes == td.td_attributes.to_bytes(8, "little")
    assert report.xfam == td.xfam.to_bytes(8, "little")
    assert report.tee_tcb_svn2 == bytes(range(16))
    assert report.mr_service_td == b"\x09" * 48


def test_another_parser_reads_every_field_of_an_enclave_report() -> None:
    """dcap-qvl finds each measurement where it was put."""
    enclave = sample_enclave(SIM)
    report = dcap_qvl.parse_quote(SIM.platform().quote(enclave)).report
    assert report.mr_enclave == enclave.mr_enclave
    assert report.mr_signer == enclave.mr_signer
    assert report.cpu_svn == enclave.cpu_svn
    assert report.report_data == enclave.report_data
    assert enclave.encode()[256:260] == struct.pack("<HH", 7, 3)


def test_another_parser_reads_the_pck_extension() -> None:
    """dcap-qvl finds what the platform was given."""
    components = (200, *range(15))
    platform = SIM.platform("parsed", fmspc=b"\1\2\3\4\5\6", components=components, pce_svn=300)
    extension = dcap_qvl.parse_pck_extension_from_pem(platform.pck_chain_pem.encode())
    assert extension.fmspc == b"\1\2\3\4\5\6"
    assert extension.cpu_svn == bytes(components)
    assert extension.pce_svn == 300
    assert extension.ppid == platform.pck.ppid
    assert extension.pce_id == bytes(2)
    assert extension.platform_instance_id == platform.pck.platform_instance_id


def test_one_attestation_key_signs_one_qe_report_many_times() -> None:
    """Quotes of one key carry the same QE report, each time with a new signature."""
    platform = SIM.platform()
    quotes = [platform.quote(replace(sample_td(SIM), xfam=3 + number)) for number in range(20)]
    reports = {quote[770:1154] for quote in quotes}
    signatures = {quote[1154:1218] for quote in quotes}
    assert (len(reports), len(signatures), len(set(quotes))) == (1, 20, 20)
    key = platform.pki.keys.key(platform.pki.pck_label).public
    for signature in signatures:
        verify_raw(key, signature, next(iter(reports)))


def test_keys_and_platforms_differ_by_name() -> None:
    """Each label has its own key, each platform its own identity."""
    first, second = SIM.platform("1"), SIM.platform("2")
    assert first.pck.ppid != second.pck.ppid
    assert first.pck_serial != second.pck_serial
    body = TdReport()
    quotes = {
        platform.quote(body, attestation_key=platform.attestation_key(label))[636:764]
        for platform in (first, second)
        for label in ("0", "1")
    }
    assert len(quotes) == 4


@given(st.integers(1, ORDER - 1), st.binary(max_size=200), st.binary(max_size=32))
def test_signatures_made_anew_verify(scalar: int, message: bytes, occasion: bytes) -> None:
    """Signatures with a derived nonce are as valid as any, for every key and message."""
    key = SigningKey(scalar)
    verify_raw(key.public, key.sign_anew(message, occasion), message)
    verify_raw(key.public, key.sign(message), message)


def test_genuine_and_simulated_evidence_have_one_structure(shared: Path) -> None:
    """Certificates, lists and documents have Intel's extensions and fields in Intel's order."""
    folder = shared / "vectors" / "tdx" / "collateral"
    genuine = json.loads(next(folder.glob("b0c06f000000-tdx-platform-eval20-*.json")).read_text())
    simulated = SAMPLES["td10-v4-platform"].mint().collateral
    assert set(simulated) == set(genuine)
    for part in ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"):
        assert shape_of_chain(simulated[part]) == shape_of_chain(genuine[part])
    for part in ("root_ca_crl", "pck_crl"):
        assert shape_of_crl(simulated[part]) == shape_of_crl(genuine[part])
    for part in ("tcb_info", "qe_identity"):
        assert " " not in simulated[part].replace("Update", "").split('"tcbLevels"')[0]
        assert shape_of_json(simulated[part]) == shape_of_json(genuine[part])


def test_the_pck_extension_of_a_genuine_platform_is_written_byte_for_byte(shared: Path) -> None:
    """Given a real platform's values, the writer gives the bytes Intel signed."""
    folder = shared / "vectors" / "tdx" / "Phala-Network-dcap-qvl"
    quote = (folder / "f1c850330112-tdx_quote.bin").read_bytes()
    pem = quote[quote.index(b"-----BEGIN") :]
    leaf = x509.load_pem_x509_certificates(pem)[0]
    oid = x509.ObjectIdentifier(PCK_EXTENSION_OID)
    genuine = leaf.extensions.get_extension_for_oid(oid).value
    assert isinstance(genuine, x509.UnrecognizedExtension)
    values = dcap_qvl.parse_pck_extension_from_pem(pem)
    written = PckExtension(
        ppid=values.ppid,
        components=tuple(values.cpu_svn),
        pce_svn=values.pce_svn,
        fmspc=values.fmspc,
        pce_id=values.pce_id,
        sgx_type=values.sgx_type,
        platform_instance_id=values.platform_instance_id,
        dynamic_platform=True,
        cached_keys=True,
        smt_enabled=True,
    )
    assert written.encode() == genuine.value


@pytest.mark.parametrize("name", ["sgx-v3-platform", "td10-v4-platform", "td15ex-v5-platform"])
def test_every_length_field_can_lie(name: str) -> None:
    """A declared length is written as asked, without moving what follows it."""
    scenario = SAMPLES[name]
    honest = scenario.mint().quote
    lying = scenario.with_quote(signature_length=1, certification_length=2).mint().quote
    assert len(lying) == len(honest)
    assert 1 <= sum(a != b for a, b in zip(lying, honest, strict=True)) <= 8


def shape_of_chain(pem: str) -> list[object]:
    return [
        (
            [attribute.oid for attribute in certificate.subject],
            certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
            certificate.signature_algorithm_oid,
            [(extension.oid, extension.critical) for extension in certificate.extensions],
            certificate.extensions.get_extension_for_class(x509.BasicConstraints).value,
            certificate.extensions.get_extension_for_class(x509.KeyUsage).value,
        )
        for certificate in x509.load_pem_x509_certificates(pem.encode())
    ]


def shape_of_crl(encoded: str) -> object:
    revocations = x509.load_der_x509_crl(bytes.fromhex(encoded))
    return [(extension.oid, extension.critical) for extension in revocations.extensions]


def shape_of_json(text: str) -> object:
    document = json.loads(text)
    level = document["tcbLevels"][0]
    return (list(document), list(level), list(level["tcb"]))


def test_edits_and_patches_that_do_not_fit_are_refused() -> None:
    """A fault that changes nothing would be a test that cannot fail."""
    scenario = SAMPLES["td10-v4-platform"]
    with pytest.raises(ValueError, match="nothing to replace"):
        scenario.with_tcb_info(replacements=(("no such text", ""),)).mint()
    with pytest.raises(ValueError, match="does not fit"):
        scenario.with_pck_crl(patches=((b"no such bytes", b"no such bytes"),)).mint()
    with pytest.raises(KeyError):
        scenario.with_tcb_info(Edit(("no such field", "inside"), 1)).mint()
    with pytest.raises(TypeError):
        scenario.with_quote(no_such_field=1)


def test_revocation_lists_hold_any_number_of_serials() -> None:
    """Lists outgrow 128 entries, which once bricked an on-chain store."""
    serials = tuple(range(1, 301))
    scenario = SAMPLES["td10-v4-platform"].with_pck_crl(revokes=serials)
    crl = x509.load_der_x509_crl(bytes.fromhex(scenario.mint().collateral["pck_crl"]))
    assert tuple(entry.serial_number for entry in crl) == serials


def test_sgx_reports_have_their_size_and_no_hidden_default() -> None:
    """384 bytes, INIT and MODE64BIT set, DEBUG clear."""
    encoded = SgxReport().encode()
    assert len(encoded) == 384
    assert encoded[48:56] == (5).to_bytes(8, "little")


BASES = [SAMPLES[name] for name in ("sgx-v3-platform", "td10-v4-platform", "td15-v5-platform")]
ALREADY_SO_BY_CHANCE = ("-high-s", "-low-s")
DEVIATIONS = [
    deviation
    for deviation in (*FAULTS.values(), *VARIATIONS.values())
    if not deviation.name.endswith(ALREADY_SO_BY_CHANCE)
]


@pytest.mark.parametrize("fault", DEVIATIONS, ids=lambda fault: fault.name)
def test_every_deviation_changes_the_evidence(fault: Fault) -> None:
    """No deviation is empty, and each fits at least one kind of quote."""
    fitting = [scenario for scenario in BASES if fault.fits(scenario)]
    assert fitting
    for scenario in fitting:
        assert fault.deviate(scenario).mint() != scenario.mint()


def test_names_of_faults_and_variations_are_distinct() -> None:
    """A name finds one deviation."""
    assert not FAULTS.keys() & VARIATIONS.keys()
    assert all(fault.reason for fault in FAULTS.values())
    assert not any(fault.reason for fault in VARIATIONS.values())
