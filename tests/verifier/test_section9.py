"""The check matrix, row by row: every row refuses what it must, and accepts what it must."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from quotary import Quote, RawCollateral, TrustRoot, strict
from quotary.policy import PlatformRules
from quotary.verify.explain import CheckStatus, Explanation, explain
from quotary.verify.matrix import MATRIX
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.verifier.attacks import ATTACKS

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"matrix"))
BASES = ("td15-v5-platform", "td10-v4-platform", "sgx-v3-platform", "sgx-v5-processor")

REFUSED: dict[int, dict[str, str]] = {
    1: {
        "version-2": "UNSUPPORTED_QUOTE_VERSION",
        "attestation-key-type-3": "UNSUPPORTED_ATT_KEY_TYPE",
        "tee-unknown": "UNSUPPORTED_TEE_TYPE",
    },
    2: {"vendor": "QE_VENDOR_MISMATCH"},
    3: {"tdx-in-version-3": "TEE_TYPE_VERSION_MISMATCH"},
    5: {
        "body-type": "BODY_TYPE_UNSUPPORTED",
        "body-size-less": "BODY_SIZE_MISMATCH",
        "body-size-more": "BODY_SIZE_MISMATCH",
    },
    6: {
        "outer-type-5": "CERT_DATA_TYPE_UNSUPPORTED",
        "outer-type-99": "CERT_DATA_TYPE_UNSUPPORTED",
    },
    7: {
        "certification-type-6": "CERT_DATA_TYPE_UNSUPPORTED",
        "certification-length": "LENGTH_OUT_OF_RANGE",
        "padding-inside": "LENGTH_OUT_OF_RANGE",
    },
    8: {"trailing-bytes": "QUOTE_TRAILING_BYTES"},
    9: {"auth-length": "QE_AUTH_LEN_INVALID"},
    10: {
        "chain-without-ca": "CHAIN_SHAPE",
        "chain-with-extra": "CHAIN_SHAPE",
        "tcb-info-chain-alone": "CHAIN_SHAPE",
        "qe-identity-chain-extra": "CHAIN_SHAPE",
    },
    11: {
        "pck-name": "ISSUER_ROLE",
        "ca-name": "ISSUER_ROLE",
        "tcb-signing-name": "ISSUER_ROLE",
        "pck-issued-by-tcb-signer": "ISSUER_ROLE",
    },
    12: {"tcb-signer-below-pck-ca": "CHAIN_SHAPE", "tcb-info-by-pck-ca": "ISSUER_ROLE"},
    13: {
        "chain-under-another-root": "ROOT_NOT_PINNED",
        "tcb-info-root": "ROOT_NOT_PINNED",
        "qe-identity-root": "ROOT_NOT_PINNED",
    },
    14: {"ca-path-length": "BASIC_CONSTRAINTS", "pck-is-a-ca": "BASIC_CONSTRAINTS"},
    15: {"ca-cannot-sign": "KEY_USAGE", "tcb-signing-cannot-sign": "KEY_USAGE"},
    16: {
        "pck-no-authority-key-id": "KEY_ID_MISSING",
        "ca-no-subject-key-id": "KEY_ID_MISSING",
        "tcb-signing-no-crl-points": "CERT_INVALID",
        "pck-no-key-usage": "KEY_USAGE",
        "pck-no-basic-constraints": "BASIC_CONSTRAINTS",
    },
    17: {
        "pck-early": "CERT_NOT_YET_VALID",
        "ca-early": "CERT_NOT_YET_VALID",
        "tcb-signing-early": "CERT_NOT_YET_VALID",
        "root-early": "CERT_NOT_YET_VALID",
    },
    18: {
        "pck-expired": "CERT_EXPIRED",
        "ca-expired": "CERT_EXPIRED",
        "tcb-signing-expired": "CERT_EXPIRED",
        "root-expired": "CERT_EXPIRED",
    },
    19: {
        "root-crl-signer": "CRL_SIGNATURE_INVALID",
        "pck-crl-signer": "CRL_SIGNATURE_INVALID",
        "pck-crl-of-other-ca": "CRL_ISSUER_MISMATCH",
        "root-crl-issuer": "CRL_ISSUER_MISMATCH",
    },
    20: {"root-crl-early": "CRL_NOT_YET_VALID", "pck-crl-early": "CRL_NOT_YET_VALID"},
    21: {
        "root-crl-expired": "CRL_EXPIRED",
        "pck-crl-expired": "CRL_EXPIRED",
        "pck-crl-no-next-update": "CRL_NO_NEXT_UPDATE",
    },
    22: {"pck-crl-no-number": "CRL_INVALID", "root-crl-no-authority": "KEY_ID_MISSING"},
    23: {
        "pck-revoked": "CERT_REVOKED",
        "ca-revoked": "CERT_REVOKED",
        "tcb-signing-revoked": "CERT_REVOKED",
    },
    24: {"root-revoked": "CERT_REVOKED"},
    25: {
        "tcb-info-signature": "TCB_INFO_SIGNATURE_INVALID",
        "qe-identity-signature": "QE_IDENTITY_SIGNATURE_INVALID",
        "qe-identity-altered": "QE_IDENTITY_SIGNATURE_INVALID",
    },
    26: {
        "tcb-info-early": "COLLATERAL_NOT_YET_VALID",
        "qe-identity-early": "COLLATERAL_NOT_YET_VALID",
    },
    27: {"tcb-info-expired": "COLLATERAL_EXPIRED", "qe-identity-expired": "COLLATERAL_EXPIRED"},
    28: {
        "tcb-info-version-4": "COLLATERAL_VERSION_UNSUPPORTED",
        "tcb-info-type": "COLLATERAL_VERSION_UNSUPPORTED",
        "tcb-info-of-other-tee": "COLLATERAL_TYPE_MISMATCH",
    },
    29: {
        "tcb-info-level-twice": "TCB_LEVEL_DUPLICATE",
        "tcb-info-15-sgx-components": "TCB_COMPONENTS_COUNT",
        "tcb-info-17-tdx-components": "TCB_COMPONENTS_COUNT",
    },
    30: {"tcb-info-fmspc": "FMSPC_MISMATCH"},
    31: {"tcb-info-pce-id": "PCEID_MISMATCH"},
    32: {"platform-ancient": "TCB_NO_MATCH", "level-crossing": "TCB_NO_MATCH"},
    35: {"microcode-outdated": "TCB_STATUS_NOT_ALLOWED"},
    36: {
        "module-signer": "TDX_MODULE_SIGNER_MISMATCH",
        "module-attributes": "TDX_MODULE_ATTRIBUTES_MISMATCH",
        "module-out-of-reach": "TDX_MODULE_TCB_NO_MATCH",
        "modules-none": "TDX_MODULE_UNKNOWN",
    },
    37: {
        "relaunch-advised": "TCB_STATUS_NOT_ALLOWED",
        "relaunch-current-unknown": "TCB_NO_MATCH",
    },
    38: {
        "qe-signature-flipped": "QE_REPORT_SIGNATURE_INVALID",
        "quote-signature-flipped": "QUOTE_SIGNATURE_INVALID",
        "qe-binds-another-key": "QE_REPORT_DATA_MISMATCH",
    },
    39: {
        "qe-misc": "QE_MISCSELECT_MISMATCH",
        "qe-flags": "QE_ATTRIBUTES_MISMATCH",
        "qe-mrsigner": "QE_MRSIGNER_MISMATCH",
        "qe-product": "QE_ISVPRODID_MISMATCH",
        "qe-identity-of-other-tee": "COLLATERAL_TYPE_MISMATCH",
        "qe-identity-version-4": "COLLATERAL_VERSION_UNSUPPORTED",
    },
    40: {"qe-debug": "QE_DEBUG"},
    41: {"qe-outdated": "TCB_STATUS_NOT_ALLOWED", "module-outdated": "TCB_STATUS_NOT_ALLOWED"},
    42: {"platform-revoked": "TCB_REVOKED", "qe-revoked": "TCB_REVOKED"},
    43: {
        "sgx-debug": "SGX_ATTR_FORBIDDEN",
        "td-debug-0": "TD_DEBUG",
        "td-attribute-29": "TD_ATTR_FORBIDDEN",
        "service-td": "SERVICE_TD_FORBIDDEN",
        "sept-ve": "SEPT_VE_NOT_DISABLED",
    },
    44: {
        "pck-without-2.18": "PCK_EXT_INVALID",
        "pck-repeats-1": "PCK_EXT_INVALID",
        "pck-unknown-entry": "PCK_EXT_INVALID",
        "pck-ppid-length": "PCK_EXT_INVALID",
    },
    45: {"tcb-info-number-deep": "SCHEMA_INVALID"},
}
"""By row: deviations of the simulator, and the exact reason."""

ACCEPTED: dict[int, tuple[str, ...]] = {
    8: ("zero-padding",),
    9: ("auth-data-0", "auth-data-64", "auth-data-1000"),
    17: ("pck-begins-now",),
    18: ("pck-ends-now", "root-ends-now"),
    26: ("tcb-info-begins-now",),
    27: ("tcb-info-ends-now", "qe-identity-ends-now"),
    28: ("tcb-info-version-2",),
    30: ("fmspc-lower-case",),
    32: ("cpu-svn-opaque", "platform-ahead"),
    33: ("tcb-levels-backwards",),
    34: ("qe-levels-backwards", "module-levels-backwards"),
    35: ("first-module",),
    36: ("module-ahead",),
    37: ("relaunch-launched-current",),
    38: ("quote-high-s", "qe-high-s"),
}
"""By row: what only looks unusual."""


def explained(evidence: Evidence) -> Explanation:
    """Explain under the default policy."""
    return explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


@pytest.mark.parametrize("row", MATRIX)
def test_row(row: int) -> None:
    """Its deviations are refused for their reasons, its variations accepted."""
    for name, reason in REFUSED.get(row, {}).items():
        base = next(SAMPLES[base] for base in BASES if FAULTS[name].fits(SAMPLES[base]))
        explanation = explained(FAULTS[name].deviate(base).mint())
        assert explanation.error is not None
        assert explanation.error.reason == reason, name
    for name in ACCEPTED.get(row, ()):
        base = next(SAMPLES[base] for base in BASES if VARIATIONS[name].fits(SAMPLES[base]))
        assert explained(VARIATIONS[name].deviate(base).mint()).accepted, name
    if row == 4:
        assert explained(SAMPLES["sgx-v5-processor"].mint()).accepted
    if row == 46:
        evidence = SAMPLES["td10-v4-platform"].mint()
        quote, raw = (
            Quote.parse(evidence.quote),
            RawCollateral.from_json(json.dumps(evidence.collateral)),
        )
        explanation = explain(
            quote,
            raw,
            policy=strict(PlatformRules(allowed=frozenset())),
            at=AT,
            root=TrustRoot.from_certificate(evidence.root_der),
        )
        assert [check.rows for check in explanation.failures] == [(46,)]


def test_every_row_is_tested_and_told() -> None:
    """No row without a deviation, a variation, or a test of its own; every row has its check."""
    tested = {*REFUSED, *ACCEPTED, 4, 46}
    assert tested == set(MATRIX)
    assert len(ATTACKS) == 74
    evidence = SAMPLES["td15-v5-platform"].mint()
    explanation = explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        policy=strict(PlatformRules()),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )
    told = {row for check in explanation.checks for row in check.rows}
    assert told == set(MATRIX)
    assert all(check.status is not CheckStatus.FAIL for check in explanation.checks)


@pytest.mark.parametrize("row", [row for row in REFUSED if row not in (12, 28, 39)])
def test_the_check_that_fails_first_answers_the_row(row: int) -> None:
    """An explanation's first failure carries the number of the row that is violated."""
    for name in REFUSED[row]:
        base = next(SAMPLES[base] for base in BASES if FAULTS[name].fits(SAMPLES[base]))
        failure = explained(FAULTS[name].deviate(base).mint()).failures[0]
        expected = {row} | ALIKE.get(name, set())
        assert expected & set(failure.rows) or not failure.rows, (name, failure)


ALIKE: dict[str, set[int]] = {
    "tcb-info-number-deep": {28},
    "microcode-outdated": {41},
    "qe-outdated": {41},
    "module-outdated": {41},
    "relaunch-advised": {37},
    "pck-issued-by-tcb-signer": {11, 13},
    "pck-crl-of-other-ca": {19},
    "pck-crl-no-next-update": {22},
    "tcb-info-number-float": {28},
}
"""Where a neighbouring row's check sees the deviation first."""
