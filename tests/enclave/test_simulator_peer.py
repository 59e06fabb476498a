"""
What dcap-qvl 0.7.0 says of simulated evidence.

The peer judges the simulator (it has to accept what is in order) and the faults (it has to refuse
them). Where it is known to be laxer or narrower than Intel's library, the fault is listed below;
the lists are exact, so a peer that changes its mind is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product

import dcap_qvl
import pytest
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS, Fault

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"test"))
BASES = ("sgx-v3-platform", "td10-v4-platform", "td15-v5-platform")

NO_SGX_BEYOND_VERSION_3 = {
    f"sgx-{v}-{ca}" for v in ("v4", "v5") for ca in ("platform", "processor")
}

PEER_ACCEPTS = {
    # Names decide nothing: any certificate under the root may take any role.
    *("ca-name", "pck-name", "tcb-signing-name", "tcb-signer-below-pck-ca"),
    # Extensions are not demanded, and key usage is not evaluated, where webpki does not.
    *(
        f"{place}-{what}"
        for place in ("ca", "pck", "tcb-signing")
        for what in (
            *("no-key-usage", "no-authority-key-id", "no-subject-key-id", "no-crl-points"),
            *("authority-key-id", "serial-negative"),
        )
    ),
    *(f"{place}-no-basic-constraints" for place in ("pck", "tcb-signing")),
    *("ca-path-length", "pck-cannot-sign", "tcb-signing-cannot-sign"),
    # The root shipped with a chain is ignored, its dates included.
    *("root-early", "root-expired", "chain-with-extra", "chain-without-root"),
    *("chain-ends-elsewhere", "pck-crl-chain-alone"),
    # Whatever surrounds the PEM blocks is skipped.
    *("chain-with-garbage", "chain-with-private-key", "chain-enormous", "padding-enormous"),
    *(f"{part}-chain-{way}" for part in ("tcb-info", "qe-identity") for way in ("alone", "extra")),
    *("tcb-info-root", "qe-identity-root"),
    # Lists may begin in the future and lack what RFC 5280 demands.
    *(
        f"{name}-{way}"
        for name in ("root-crl", "pck-crl")
        for way in ("authority", "early", "no-authority", "no-number")
    ),
    # The SGX extension is searched, not parsed.
    *(f"pck-repeats-{entry}" for entry in ("1", "2", "2.1", "2.16", "2.17", "2.18", "3", "4", "5")),
    *(f"pck-without-{entry}" for entry in ("2.1", "2.16", "6", "7")),
    *("pck-instance-length", "pck-pce-id-length", "pck-ppid-length", "pck-sgx-type-9"),
    "pck-unknown-entry",
    # Documents: later versions, unknown fields, repeated levels, other PCEs.
    *("tcb-info-level-twice", "tcb-info-pce-id", "tcb-info-type", "tcb-info-version-4"),
    *("tcb-info-unknown-field", "qe-identity-unknown-field"),
    *("tcb-info-module-twice", "tcb-info-module-level-twice", "qe-identity-level-twice"),
    # The container: outer type, bytes inside the signature data, reserved bytes.
    *("outer-type-5", "outer-type-7", "outer-type-99", "padding-inside", "trailing-bytes"),
    *("header-reserved", "sgx-reserved", "sgx-provision-key", "sgx-einittoken-key"),
}

PEER_REFUSES = {
    # Authentication data of other lengths than Intel's enclaves use.
    *("auth-data-0", "auth-data-1", "auth-data-64", "auth-data-1000"),
    # The last second of a list.
    *("root-crl-ends-now", "pck-crl-ends-now"),
    # SGX components are read from the opaque CPUSVN; a PCE SVN above 32767 does not parse.
    *("cpu-svn-opaque", "platform-ahead"),
    # QE and module levels are taken in the order of the document.
    *("qe-levels-backwards", "module-levels-backwards"),
    # The old form of TCB info.
    "tcb-info-version-2",
}


def fitting(deviations: Mapping[str, Fault]) -> list[tuple[str, str]]:
    """Each deviation with each kind of quote that can have it."""
    return [
        (name, base)
        for (name, deviation), base in product(deviations.items(), BASES)
        if deviation.fits(SAMPLES[base])
    ]


def accepted(evidence: Evidence) -> bool:
    """Whether the peer finds the evidence genuine and up to date."""
    text = json.dumps(evidence.collateral)
    try:
        report = dcap_qvl.verify_with_root_ca(
            evidence.quote,
            dcap_qvl.QuoteCollateralV3.from_json(text),
            evidence.root_der,
            int(evidence.at.timestamp()),
        )
    except ValueError:
        return False
    return report.status == "UpToDate"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_peer_accepts_good_evidence(name: str) -> None:
    """Every kind of quote, but SGX beyond version 3, which it does not know."""
    assert accepted(SAMPLES[name].mint()) == (name not in NO_SGX_BEYOND_VERSION_3)


def test_simulated_evidence_never_passes_under_intels_root() -> None:
    """What the simulator mints is worth nothing to whoever trusts Intel."""
    evidence = SAMPLES["td10-v4-platform"].mint()
    collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(evidence.collateral))
    with pytest.raises(ValueError, match="InvalidCrlSignatureForPublicKey"):
        dcap_qvl.verify(evidence.quote, collateral, int(AT.timestamp()))


@pytest.mark.parametrize(("name", "base"), fitting(FAULTS))
def test_the_peer_refuses_faults(name: str, base: str) -> None:
    """Every fault but those it is known to overlook."""
    evidence = FAULTS[name].deviate(SAMPLES[base]).mint()
    assert accepted(evidence) == (name in PEER_ACCEPTS)


@pytest.mark.parametrize(("name", "base"), fitting(VARIATIONS))
def test_the_peer_accepts_variations(name: str, base: str) -> None:
    """Every variation but those it is known not to support."""
    evidence = VARIATIONS[name].deviate(SAMPLES[base]).mint()
    assert accepted(evidence) == (name not in PEER_REFUSES)
