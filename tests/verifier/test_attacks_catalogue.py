"""Cases 1 to 74 of the catalogue of attacks: each is refused for its exact reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quotary import (
    Collateral,
    Policy,
    QuotaryError,
    Quote,
    RawCollateral,
    Reason,
    TrustRoot,
    Verdict,
    strict,
    verify,
)
from quotary.binding import WorkerBinding, challenge, extended_report_data
from quotary.policy import (
    DEFAULT,
    DeniedAdvisories,
    ExpectedReportData,
    ExpectedTd,
    MinimumEvaluation,
    SameEvaluation,
)
from quotary.quote.encoding import decode_quote
from quotary_enclave.simulator import Evidence, Role, Scenario, Simulator, samples
from quotary_enclave.simulator.documents import IsvLevel
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.verifier.attacks import ATTACKS, Attack

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"attacks"))
BASES = ("td15-v5-platform", "td10-v4-platform", "sgx-v3-platform", "sgx-v5-processor")
TD = SAMPLES["td15-v5-platform"]
Act = Callable[[], Reason]


def verdict_of(evidence: Evidence, policy: Policy | None = DEFAULT, at: datetime = AT) -> Verdict:
    """Verify as a user would, trusting the test root."""
    return verify(
        Quote.parse(evidence.quote),
        RawCollateral.from_json(json.dumps(evidence.collateral)),
        policy=policy,
        at=at,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


def reason_of(act: Callable[[], object]) -> Reason:
    """The reason `act` is refused for."""
    with pytest.raises(QuotaryError) as caught:
        act()
    return caught.value.reason


def refused(scenario: Scenario, policy: Policy | None = DEFAULT) -> Reason:
    """Why `scenario`, minted, is refused."""
    evidence = scenario.mint()
    return reason_of(lambda: verdict_of(evidence, policy))


def known(scenario: Scenario) -> Collateral:
    """Collateral proven now, to be used later."""
    evidence = scenario.mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    return Collateral.verify(raw, TrustRoot.from_certificate(evidence.root_der), at=AT)


def forged_after_a_good_one() -> Reason:
    """A good quote first; then the same with a leaf somebody else signed (18)."""
    good, collateral = TD.mint(), known(TD)
    root = TrustRoot.from_certificate(good.root_der)
    assert verify(good.quote, collateral, at=AT, root=root)
    forged = FAULTS["pck-signer"].deviate(TD).mint()
    return reason_of(lambda: verify(forged.quote, collateral, at=AT, root=root))


def proven_then_expired(role: Role) -> Reason:
    """Proven now, used after one of its certificates expired (22)."""
    scenario = TD.with_certificate(role, not_after=AT + timedelta(hours=1))
    evidence, collateral = scenario.mint(), known(scenario)
    root = TrustRoot.from_certificate(evidence.root_der)
    assert verify(evidence.quote, collateral, at=AT, root=root)
    later = AT + timedelta(hours=1, seconds=1)
    return reason_of(lambda: verify(evidence.quote, collateral, at=later, root=root))


def binding(chain_id: int, registry: bytes) -> bytes:
    """Report data for one chain and registry."""
    fresh = challenge(chain_id, registry, b"\5" * 32)
    return extended_report_data(
        b"\1" * 20,
        WorkerBinding(chain_id, registry, b"\2" * 32, b"\3" * 20, b"\4" * 32, 7, fresh),
    )


def bound_elsewhere(report_data: bytes) -> Reason:
    """A quote that binds `report_data`, shown to a registry that expects its own."""
    expected = ExpectedReportData(binding(1, b"\6" * 20))
    assert verdict_of(TD.with_body(report_data=binding(1, b"\6" * 20)).mint(), strict(expected))
    return refused(TD.with_body(report_data=report_data), strict(expected))


def flipped(position: int) -> bytes:
    """The report data expected, but for one bit."""
    data = bytearray(binding(1, b"\6" * 20))
    data[position] ^= 1
    return bytes(data)


def expecting(**registers: bytes) -> Reason:
    """A TD with other registers than expected, though with the MRTD expected."""
    body = Quote.parse(TD.mint().quote).body
    expected = ExpectedTd(mr_td=getattr(body, "mr_td"), **registers)  # noqa: B009
    assert verdict_of(TD.mint(), strict(replace(expected, **dict.fromkeys(registers))))
    return refused(TD, strict(expected))


def with_advisory() -> Reason:
    """Status allowed, advisory forbidden (61)."""
    level = IsvLevel(1, advisories=("INTEL-SA-00001", "INTEL-SA-00002"))
    scenario = TD.with_qe_identity(levels=(level,))
    assert verdict_of(scenario.mint()).tcb_status == "UpToDate"
    return refused(scenario, strict(DeniedAdvisories(frozenset({"INTEL-SA-00002"}))))


R = Reason
WORD = b"\7" * 48
ACTS: dict[int, tuple[tuple[Act, Reason], ...]] = {
    15: (
        (
            lambda: reason_of(lambda: decode_quote(b"0x 12 34 no hex, no base64")),
            R.QUOTE_ENCODING_INVALID,
        ),
        (lambda: reason_of(lambda: decode_quote(b"0" * 2001)), R.QUOTE_ENCODING_INVALID),
    ),
    16: (
        (lambda: reason_of(lambda: Quote.parse(bytes(1 << 24))), R.INPUT_TOO_LARGE),
        (
            lambda: reason_of(lambda: Quote.parse(gzip.compress(bytes(1 << 20)))),
            R.UNSUPPORTED_QUOTE_VERSION,
        ),
    ),
    18: ((forged_after_a_good_one, R.CERT_SIGNATURE_INVALID),),
    22: (
        (lambda: proven_then_expired(TD.ca), R.CERT_EXPIRED),
        (lambda: proven_then_expired(Role.TCB_SIGNING), R.CERT_EXPIRED),
        (lambda: proven_then_expired(Role.PCK), R.CERT_EXPIRED),
    ),
    24: (
        (lambda: refused(replace(TD, pck_chain=(Role.ROOT, TD.ca, Role.PCK))), R.ROOT_NOT_PINNED),
        (lambda: refused(replace(TD, pck_chain=(TD.ca, Role.PCK, Role.ROOT))), R.ISSUER_ROLE),
    ),
    37: ((lambda: refused(TD, strict(MinimumEvaluation(1 << 20))), R.COLLATERAL_ROLLBACK),),
    38: (
        (
            lambda: refused(TD.with_tcb_info(evaluation_number=19), strict(SameEvaluation())),
            R.COLLATERAL_INCONSISTENT,
        ),
    ),
    60: tuple(
        (lambda xfam=xfam: refused(TD.with_body(xfam=xfam)), R.XFAM_INVALID)  # type: ignore[misc]
        for xfam in (0, 1, 2, 0x602E7 & ~2, 0x602E7 | 1 << 3, 0x602E7 | 1 << 63)
    ),
    61: ((with_advisory, R.ADVISORY_NOT_ALLOWED),),
    63: ((lambda: bound_elsewhere(b"\1" * 20 + bytes(44)), R.REPORT_DATA_MISMATCH),),
    64: tuple(
        (
            lambda position=position: bound_elsewhere(flipped(position)),  # type: ignore[misc]
            R.REPORT_DATA_MISMATCH,
        )
        for position in range(0, 64, 9)
    ),
    68: (
        (lambda: bound_elsewhere(binding(2, b"\6" * 20)), R.REPORT_DATA_MISMATCH),
        (lambda: bound_elsewhere(binding(1, b"\x08" * 20)), R.REPORT_DATA_MISMATCH),
    ),
    70: tuple(
        (lambda name=name: expecting(**{name: WORD}), R.MEASUREMENT_MISMATCH)  # type: ignore[misc]
        for name in ("rtmr0", "rtmr1", "rtmr2", "rtmr3")
    ),
    73: tuple(
        (lambda name=name: expecting(**{name: WORD}), R.MEASUREMENT_MISMATCH)  # type: ignore[misc]
        for name in ("mr_config_id", "mr_owner", "mr_owner_config")
    ),
}
"""What needs more than one deviation, or a policy of its own."""


def base_of(name: str, catalogue: object) -> Scenario:
    """The first kind of quote the deviation fits."""
    assert isinstance(catalogue, type(FAULTS))
    fault = catalogue[name]
    return next(SAMPLES[base] for base in BASES if fault.fits(SAMPLES[base]))


def test_the_catalogue_is_whole() -> None:
    """Seventy-four cases, in order, each with something that is tested."""
    assert [attack.number for attack in ATTACKS] == list(range(1, 75))
    for attack in ATTACKS:
        assert attack.faults or attack.accepted or attack.elsewhere or attack.number in ACTS


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=[f"attack-{attack.number}: {attack.title}" for attack in ATTACKS]
)
def test_attack(attack: Attack) -> None:
    """Refused for the exact reason; what only looks unusual passes."""
    for name, reason in attack.faults.items():
        scenario = FAULTS[name].deviate(base_of(name, FAULTS))
        assert refused(scenario) is reason, name
    for act, reason in ACTS.get(attack.number, ()):
        assert act() is reason
    for name in attack.accepted:
        assert verdict_of(VARIATIONS[name].deviate(base_of(name, VARIATIONS)).mint()), name
    for pointer in attack.elsewhere:
        path, _, test = pointer.partition("::")
        keyword = "function" if path.endswith(".sol") else "def"
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"{keyword} {test}(" in text, pointer
