"""Targets for DCAP evidence: quote, certificates, lists, documents, journal and the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache

from quotary import (
    AttestationKey,
    Collateral,
    ParseError,
    QuotaryError,
    Quote,
    RawCollateral,
    Reason,
    TrustRoot,
    Verdict,
    verify,
    verify_compact,
    verify_with_key,
)
from quotary.collateral import QeIdentity, TcbEvaluations, TcbInfo, unwrap_signed
from quotary.fetch._catalogues import read_evaluations, read_fmspcs
from quotary.fetch._documents import (
    read_pck_chain,
    read_pck_crl,
    read_qe_identity,
    read_root_ca_crl,
    read_tcb_info,
)
from quotary.fetch._exchange import Response
from quotary.fetch.settings import CollateralService
from quotary.fetch.targets import target_of
from quotary.policy.file import PolicyFileError, parse_policy
from quotary.quote.encoding import decode_quote
from quotary.tcb import TeeType
from quotary.verify.explain import explain
from quotary.x509 import Certificate, PckIdentity, RevocationList, split_pem
from quotary_enclave.simulator import Evidence, Role, Scenario, Simulator, compact, samples

from tests.fuzz.second_opinion import require_same_certificate, require_same_list
from tests.fuzz.target import Target

__all__ = ["EVIDENCE_TARGETS"]

AT = datetime(2026, 11, 1, tzinfo=UTC)
_DER_TOKENS = (b"\x30\x80", b"\x30\x82\x00\x00", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01\x00")
_JSON_TOKENS = (
    *(b'"tcb"', b'"svn"', b'"isvsvn"', b'"tcbStatus"', b'"advisoryIDs"', b'"Revoked"', b"NaN"),
    *(b"1e999", b"-0", b"\\u0000", b"\\ud800", b"[[[[[[[[", b'{"a":{"a":', b"9" * 400, b"null"),
)
_PEM_TOKENS = (b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"=", b"\0")


@cache
def _scenarios() -> dict[str, Scenario]:
    return dict(samples(Simulator(AT, seed=b"fuzz")))


@cache
def _evidence() -> tuple[Evidence, ...]:
    return tuple(scenario.mint() for scenario in _scenarios().values())


@cache
def _few() -> tuple[Evidence, ...]:
    """One SGX and one TDX platform, for targets that need no more."""
    names = ("sgx-v3-processor", "td15-v5-platform")
    return tuple(_scenarios()[name].mint() for name in names)


@cache
def _proven(index: int) -> Collateral:
    evidence = _few()[index]
    root = TrustRoot.from_certificate(evidence.root_der)
    return Collateral.verify(_raw(evidence), root, at=AT)


def _raw(evidence: Evidence) -> RawCollateral:
    return RawCollateral.from_json(json.dumps(evidence.collateral))


def _root() -> TrustRoot:
    return TrustRoot.from_certificate(_few()[0].root_der)


def _quotes() -> Iterator[bytes]:
    return (evidence.quote for evidence in _evidence())


def _parse_quote(data: bytes) -> None:
    quote = Quote.parse(data)
    assert data.startswith(quote.signed_bytes)
    assert len(quote.measurement) in (304, 448)
    target_of(quote)


def _decode(data: bytes) -> None:
    Quote.parse(decode_quote(data))


def _encoded() -> Iterator[bytes]:
    quote = _few()[0].quote
    yield from (quote, quote.hex().encode(), b"0x" + quote.hex().encode() + b"\n")
    yield b"AwACAAAAAAA="


def _verify_quote(data: bytes) -> None:
    """Under the collateral of the TEE type the header names."""
    collateral = _proven(1 if data[4:5] == b"\x81" else 0)
    verdict = verify(data, collateral, policy=None, at=AT, root=collateral.root)
    assert Verdict.from_journal(verdict.journal()) == verdict
    json.dumps(verdict.to_json())


@cache
def _key() -> AttestationKey:
    collateral = _proven(1)
    quote = _few()[1].quote
    return verify_with_key(quote, collateral, policy=None, at=AT, root=collateral.root)[1]


def _verify_compact(data: bytes) -> None:
    key = _key()
    verdict = verify_compact(data, key, policy=None, at=AT, root=key.collateral.root)
    assert Verdict.from_journal(verdict.journal()) == verdict


def _compacts() -> Iterator[bytes]:
    return (compact(evidence.quote) for evidence in _few())


def _explain(data: bytes) -> None:
    """Never raises for evidence; refused where it says so."""
    evidence = _few()[1]
    text = json.dumps(evidence.collateral)
    explanation = explain(data, text, policy=None, at=AT, root=_proven(1).root)
    json.dumps(explanation.to_json())
    assert explanation.accepted == (not explanation.failures)
    if explanation.error is not None:
        raise explanation.error


def _read_policy(data: bytes) -> None:
    try:
        parse_policy(data)
    except PolicyFileError as error:
        raise ParseError(Reason.SCHEMA_INVALID, error.path) from error


def _policies() -> Iterator[bytes]:
    yield b"version = 1\n[tcb]\nstatuses = ['UpToDate']\ngrace_days = { OutOfDate = 30 }\n"
    yield b"version = 1\n[td]\nmr_td = '" + b"ab" * 48 + b"'\n[platform]\nallow_smt = false\n"
    yield b'{"version": 1, "sgx": {"mr_enclave": ["' + b"00" * 32 + b'"], "allow_debug": true}}'


def _read_journal(data: bytes) -> None:
    verdict = Verdict.from_journal(data)
    assert verdict.journal() == data
    json.dumps(verdict.to_json())


def _journals() -> Iterator[bytes]:
    for index in range(2):
        collateral = _proven(index)
        quote = _few()[index].quote
        yield verify(quote, collateral, policy=None, at=AT, root=collateral.root).journal()


def _read_collateral(data: bytes) -> None:
    raw = RawCollateral.from_json(data)
    assert RawCollateral.from_json(raw.to_json()) == raw
    Collateral.verify(raw, _root(), at=AT)


def _collateral_texts() -> Iterator[bytes]:
    for evidence in _few():
        yield json.dumps(evidence.collateral).encode()
        wrapped = dict(evidence.collateral)
        signature = wrapped.pop("tcb_info_signature")
        wrapped["tcb_info"] = f'{{"tcbInfo":{wrapped["tcb_info"]},"signature":"{signature}"}}'
        yield json.dumps(wrapped).encode()


def _verify_collateral(data: bytes) -> None:
    """The first byte names the part that the rest replaces."""
    names = [field.name for field in fields(RawCollateral)]
    if not data:
        return
    raw = replace(_raw(_few()[1]), **{names[data[0] % len(names)]: data[1:]})
    Collateral.verify(raw, _root(), at=AT)


def _parts() -> Iterator[bytes]:
    raw = _raw(_few()[1])
    for index, field in enumerate(fields(RawCollateral)):
        yield bytes((index,)) + (getattr(raw, field.name) or b"")


def _parse_tcb_info(data: bytes) -> None:
    info = TcbInfo.parse(data)
    assert all(0 <= level.date <= 253_402_300_799 for level in info.levels)
    assert all(len(level.floor.components) == 16 for level in info.levels)
    assert all(len(level.advisories) <= 128 for level in info.levels)


def _tcb_infos() -> Iterator[bytes]:
    for evidence in _few():
        yield evidence.collateral["tcb_info"].encode()
    yield (
        _scenarios()["sgx-v3-platform"].with_tcb_info(version=2).collateral.tcb_info.text().encode()
    )


def _parse_qe_identity(data: bytes) -> None:
    identity = QeIdentity.parse(data)
    assert all(0 <= level.date <= 253_402_300_799 for level in identity.levels)


def _qe_identities() -> Iterator[bytes]:
    return (evidence.collateral["qe_identity"].encode() for evidence in _few())


def _parse_evaluations(data: bytes) -> None:
    listed = TcbEvaluations.parse(data).evaluations
    assert len({each.number for each in listed}) == len(listed) > 0
    assert all(0 <= each.tcb_date <= 253_402_300_799 for each in listed)


def _evaluations() -> Iterator[bytes]:
    date = '"2026-05-13T00:00:00Z"'
    entry = f'"tcbRecoveryEventDate":{date},"tcbDate":{date}'
    listed = ",".join(f'{{"tcbEvaluationDataNumber":{n},{entry}}}' for n in (19, 18))
    text = f'{{"id":"TDX","version":1,"issueDate":{date},"nextUpdate":{date}'
    yield f'{text},"tcbEvalNumbers":[{listed}]}}'.encode()


def _unwrap(data: bytes) -> None:
    document, signature = unwrap_signed(data, "tcbInfo")
    assert document in data
    assert len(signature) == 64


def _wrapped() -> Iterator[bytes]:
    for evidence in _few():
        document, signature = (evidence.collateral[f"tcb_info{end}"] for end in ("", "_signature"))
        yield f'{{"tcbInfo":{document},"signature":"{signature}"}}'.encode()


def _parse_certificate(data: bytes) -> None:
    certificate = Certificate.parse(data, "certificate")
    assert certificate.tbs in data
    certificate.key.public_numbers()
    require_same_certificate(certificate, data)
    if certificate.sgx_extension is not None:
        PckIdentity.parse(certificate.sgx_extension)


def _certificates() -> Iterator[bytes]:
    pki = Simulator(AT, seed=b"fuzz").platform("sample platform").pki
    return (pki.certificate(role) for role in Role)


def _parse_list(data: bytes) -> None:
    crl = RevocationList.parse(data, "list")
    assert crl.tbs in data
    assert all(serial > 0 for serial in crl.revoked)
    require_same_list(crl, data)


def _lists() -> Iterator[bytes]:
    for evidence in _few():
        yield bytes.fromhex(evidence.collateral["root_ca_crl"])
    crowded = _scenarios()["td10-v4-platform"].with_pck_crl(revokes=tuple(range(1, 9)))
    yield bytes.fromhex(crowded.mint().collateral["pck_crl"])


def _parse_extension(data: bytes) -> None:
    identity = PckIdentity.parse(data)
    assert len(identity.components) == 16
    assert len(identity.fmspc) == 6


def _extensions() -> Iterator[bytes]:
    return (_scenarios()[f"td10-v4-{ca}"].pck.encode() for ca in ("platform", "processor"))


def _split(data: bytes) -> None:
    assert len(split_pem(data, "chain", 3)) == 3


def _chains() -> Iterator[bytes]:
    platform = Simulator(AT, seed=b"fuzz").platform()
    yield platform.pck_chain_pem.encode() + b"\0"
    yield platform.pck_chain_pem.replace("\n", "\r\n").encode()


def _read_answer(data: bytes) -> None:
    """The first line are the issuer chain's header, the rest is the body, read as every answer."""
    header, _, body = data.partition(b"\n")
    names = (
        *("tcb-info-issuer-chain", "sgx-enclave-identity-issuer-chain", "sgx-tcbm"),
        *("sgx-pck-crl-issuer-chain", "sgx-pck-certificate-issuer-chain"),
        "tcb-evaluation-data-numbers-issuer-chain",
    )
    response = Response(200, dict.fromkeys(names, header.decode("latin-1")), body)
    service = CollateralService()
    readers = (
        lambda: read_tcb_info(service, TeeType.TDX, bytes(6), response),
        lambda: read_qe_identity(service, TeeType.TDX, response),
        lambda: read_pck_crl(response),
        lambda: read_root_ca_crl(response),
        lambda: read_pck_chain(response),
        lambda: read_evaluations(TeeType.TDX, response),
        lambda: read_fmspcs(response),
    )
    refusals = []
    for read in readers:
        try:
            read()
        except QuotaryError as error:
            refusals.append(error)
    if len(refusals) == len(readers):
        raise refusals[0]


def _answers() -> Iterator[bytes]:
    evidence = _few()[1]
    chain = evidence.collateral["tcb_info_issuer_chain"].replace("\n", "%0A").encode()
    yield chain + b"\n" + next(_wrapped())
    yield chain + b"\n" + evidence.collateral["root_ca_crl"].encode()
    yield chain + b"\n" + bytes.fromhex(evidence.collateral["pck_crl"])
    signature = evidence.collateral["tcb_info_signature"].encode()
    listed = b'{"tcbEvaluationDataNumbers":%s,"signature":"%s"}'
    yield chain + b"\n" + listed % (next(_evaluations()), signature)
    yield b'\n[{"fmspc":"90C06F000000","platform":"E5"}]'


EVIDENCE_TARGETS: tuple[Target, ...] = (
    Target("quote", _parse_quote, _quotes),
    Target("quote-encoding", _decode, _encoded, (b"0x", b"=", b"\n", b"A")),
    Target("verify-quote", _verify_quote, _quotes, _PEM_TOKENS),
    Target("verify-compact", _verify_compact, _compacts),
    Target("explain", _explain, _quotes, _PEM_TOKENS),
    Target("policy-file", _read_policy, _policies, (b"[tcb]\n", b"= ", b"1979-05-27", b"[[")),
    Target("journal", _read_journal, _journals, (b"\0" * 31 + b"\x01", b"\xff" * 32)),
    Target("collateral", _read_collateral, _collateral_texts, (*_JSON_TOKENS, *_PEM_TOKENS)),
    Target("verify-collateral", _verify_collateral, _parts, (*_DER_TOKENS, *_JSON_TOKENS)),
    Target("tcb-info", _parse_tcb_info, _tcb_infos, _JSON_TOKENS),
    Target("qe-identity", _parse_qe_identity, _qe_identities, _JSON_TOKENS),
    Target("tcb-evaluations", _parse_evaluations, _evaluations, _JSON_TOKENS),
    Target("signed-answer", _unwrap, _wrapped, _JSON_TOKENS),
    Target("certificate", _parse_certificate, _certificates, _DER_TOKENS),
    Target("revocation-list", _parse_list, _lists, _DER_TOKENS),
    Target("pck-extension", _parse_extension, _extensions, _DER_TOKENS),
    Target("pem", _split, _chains, _PEM_TOKENS),
    Target("pcs-answer", _read_answer, _answers, (b"%0A", b"%", b"-----BEGIN X509 CRL-----\n")),
)
