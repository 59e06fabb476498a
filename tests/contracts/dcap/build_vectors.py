"""
Write `tests/vectors/dcap.json`: collateral of successive dates and evaluation numbers, and quotes.

Run it from the root: `python -m tests.contracts.dcap.build_vectors`. Minted by the simulator under
a root of its own; the specification tests and invariants of the on-chain store and verifier bring
them in any order. What is not `genuine` must never be kept, in whatever order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from quotary.quote import Quote
from quotary_enclave.simulator import Role, Simulator
from quotary_enclave.simulator.keys import SeededKeys
from quotary_enclave.simulator.pki import Pki
from quotary_enclave.simulator.samples import sample_td
from quotary_enclave.simulator.scenario import Scenario

__all__ = ["VECTORS", "build"]

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "dcap.json"
AT = datetime(2026, 11, 1, tzinfo=UTC)
CERTIFICATE, LIST, TCB_INFO, QE_IDENTITY = range(4)
"""Kinds of documents, as the tests number them."""

OLD_QE = 4
"""An ISV SVN of the quoting enclave that is out of date."""

Entry = dict[str, Any]


def build() -> dict[str, Any]:
    """The file's contents; equal at every run."""
    good, other = _scenario(b"dcap vectors"), _scenario(b"dcap vectors of another root")
    root = good.mint()
    documents = [*_certificates(good), *_lists(good), *_documents(good)]
    strangers = [*_certificates(other)[:2], *_lists(other)[:1], *_documents(other)[:2]]
    for entry in strangers:
        entry |= {"name": f"{entry['name']}, under another root", "genuine": False}
    # Brought in the name of the signer that is known: nobody else's signature counts for it.
    for entry in strangers:
        entry["signer"] = documents[0]["id"] if entry["signature"] != "0x" else entry["signer"]
    return {
        "at": int(AT.timestamp()),
        "root": _hex(root.root_der),
        "fmspc": int.from_bytes(good.pck.fmspc),
        "documents": documents + strangers,
        "quotes": [_quote(name, scenario) for name, scenario in _quotes(good, other)],
    }


def _scenario(seed: bytes) -> Scenario:
    sim = Simulator(AT, seed=seed)
    return sim.platform("machine", ca="platform").scenario(sample_td(sim))


def _pki(scenario: Scenario) -> Pki:
    return Pki(SeededKeys(scenario.seed), scenario.certificates, scenario.pck_label)


def _day(days: int) -> datetime:
    return AT + timedelta(days=days)


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _entry(name: str, kind: int, data: bytes, issued: datetime, *, genuine: bool = True) -> Entry:
    return {
        "name": name,
        "kind": kind,
        "data": _hex(data),
        "signature": "0x",
        "signer": _hex(bytes(32)),
        "id": _hex(_id_of(kind, data)),
        "issued": int(issued.timestamp()),
        "evaluation": 0,
        "genuine": genuine,
    }


def _id_of(kind: int, data: bytes) -> bytes:
    """SHA-256 of what was signed."""
    if kind == CERTIFICATE:
        return sha256(x509.load_der_x509_certificate(data).tbs_certificate_bytes).digest()
    if kind == LIST:
        return sha256(x509.load_der_x509_crl(data).tbs_certlist_bytes).digest()
    return sha256(data).digest()


def _certificates(scenario: Scenario) -> list[Entry]:
    """A signer and PCK CAs: two in force one after the other, one older, two that are none."""
    ca = scenario.certificates[Role.PLATFORM_CA]
    earlier, later = ca.not_before - REISSUE, ca.not_before + REISSUE
    cases = [
        ("TCB signer", Role.TCB_SIGNING, scenario, True),
        ("Platform CA", Role.PLATFORM_CA, scenario, True),
        ("Platform CA, later", Role.PLATFORM_CA, _dated(scenario, later), True),
        ("Platform CA, earlier", Role.PLATFORM_CA, _dated(scenario, earlier), True),
        (
            "Platform CA, by the TCB signer",
            Role.PLATFORM_CA,
            scenario.with_certificate(Role.PLATFORM_CA, signer=Role.TCB_SIGNING),
            False,
        ),
        (
            "TCB signer, expired",
            Role.TCB_SIGNING,
            scenario.with_certificate(Role.TCB_SIGNING, not_after=_day(-1)),
            False,
        ),
    ]
    return [
        _entry(
            name,
            CERTIFICATE,
            _pki(given).certificate(role),
            given.certificates[role].not_before,
            genuine=genuine,
        )
        for name, role, given, genuine in cases
    ]


REISSUE = timedelta(days=100)
"""Between one certificate of the CA and the next, over the same key."""


def _dated(scenario: Scenario, not_before: datetime) -> Scenario:
    return scenario.with_certificate(Role.PLATFORM_CA, not_before=not_before)


def _lists(scenario: Scenario) -> list[Entry]:
    """Lists of root and authority, the last of which revokes the machine; forged and past ones."""
    pki = _pki(scenario)
    root, ca = scenario.collateral.root_crl, scenario.collateral.pck_crl
    cases = [
        ("root list", replace(root, this_update=_day(-5)), True),
        ("root list, later", replace(root, this_update=_day(-2)), True),
        ("list of the CA", replace(ca, this_update=_day(-5)), True),
        ("list of the CA, later", replace(ca, this_update=_day(-3)), True),
        (
            "list of the CA, which revokes the machine",
            replace(ca, this_update=_day(2), revoked_roles=(Role.PCK,)),
            True,
        ),
        ("root list, by the CA", replace(root, this_update=AT, signer=Role.PLATFORM_CA), False),
        ("list of the CA, by the signer", replace(ca, signer=Role.TCB_SIGNING), False),
        (
            "list of the CA, past",
            replace(ca, this_update=_day(-9), next_update=_day(-1)),
            False,
        ),
    ]
    return [
        _entry(name, LIST, spec.mint(pki), spec.this_update, genuine=genuine)
        for name, spec, genuine in cases
    ]


STAGES = ((17, -5), (18, -4), (18, -3), (17, -2), (19, -4), (19, 1))
"""Evaluation numbers and days of issue, not in the order in which anyone would bring them."""


def _documents(scenario: Scenario) -> list[Entry]:
    """TCB infos and QE identities of every stage, and what another key signed."""
    entries = []
    for number, day in STAGES:
        dates = {"issue_date": _day(day), "next_update": _day(day + 30)}
        given = scenario.with_tcb_info(evaluation_number=number, **dates)
        given = given.with_qe_identity(evaluation_number=number, **dates)
        entries += _signed(given, f"evaluation {number} of day {day}", genuine=True)
    forged = scenario.with_collateral(
        tcb_info_signer=Role.PLATFORM_CA, qe_identity_signer=Role.PLATFORM_CA
    )
    return entries + list(_signed(forged, "signed by the CA", genuine=False))


def _signed(scenario: Scenario, name: str, *, genuine: bool) -> Iterator[Entry]:
    pki = _pki(scenario)
    signer = _hex(_id_of(CERTIFICATE, pki.certificate(Role.TCB_SIGNING)))
    minted = scenario.collateral.mint(pki)
    for kind, part, spec in (
        (TCB_INFO, "tcb_info", scenario.collateral.tcb_info),
        (QE_IDENTITY, "qe_identity", scenario.collateral.qe_identity),
    ):
        entry = _entry(
            f"{part} {name}", kind, minted[part].encode(), spec.issue_date, genuine=genuine
        )
        signature = "0x" + minted[f"{part}_signature"]
        yield entry | {
            "signature": signature,
            "signer": signer,
            "evaluation": spec.evaluation_number,
        }


def _quotes(good: Scenario, other: Scenario) -> Iterator[tuple[str, Scenario]]:
    """One machine's quotes under one attestation key, by a newer and an older quoting enclave."""
    yield "quote", good
    yield "quote of an older quoting enclave", good.with_qe_report(isv_svn=OLD_QE)
    yield "quote under another root", other
    issued = good.certificates[Role.PLATFORM_CA].not_before
    yield "quote with the later CA", _dated(good, issued + REISSUE)


def _quote(name: str, scenario: Scenario) -> Entry:
    raw = scenario.mint().quote
    parsed = Quote.parse(raw)
    return {
        "name": name,
        "data": _hex(raw),
        "signedLength": len(parsed.signed_bytes),
        "keyId": _hex(sha256(parsed.attestation_key + parsed.qe_auth_data).digest()),
        "qeSvn": scenario.qe.report.isv_svn,
    }


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(build(), indent=1) + "\n", encoding="utf-8")
