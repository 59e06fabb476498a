"""Explanations: the verdict of `verify`, with every check told in its order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary import (
    Collateral,
    QuotaryError,
    Quote,
    RawCollateral,
    Reason,
    TrustRoot,
    Verdict,
    VerificationError,
    strict,
    verify,
)
from quotary.policy import AnyOf, FmspcRules, MinimumEvaluation
from quotary.policy import Evidence as PolicyEvidence
from quotary.verify import STEPS
from quotary.verify._found import FOUND
from quotary.verify.explain import Check, CheckStatus, Explanation, explain
from quotary.verify.matrix import MATRIX
from quotary_enclave.simulator import Evidence, Scenario, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.verifier.genuine import collateral_of, genuine_cases, pick

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"explain"))
BASES = ("sgx-v3-platform", "td10-v4-platform", "td15-v5-platform")
TD = SAMPLES["td10-v4-platform"]


def explained(evidence: Evidence, at: datetime = AT) -> Explanation:
    """Explain the simulator's evidence, trusting its root."""
    return explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        at=at,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


def judged(evidence: Evidence) -> Verdict | Reason:
    """What `verify` says of the same evidence."""
    try:
        return verify(
            Quote.parse(evidence.quote),
            RawCollateral.from_json(json.dumps(evidence.collateral)),
            at=AT,
            root=TrustRoot.from_certificate(evidence.root_der),
        )
    except QuotaryError as error:
        return error.reason


def by_title(explanation: Explanation, title: str) -> Check:
    """The check of this title."""
    return next(check for check in explanation.checks if check.title == title)


def require_consistent(explanation: Explanation) -> None:
    """What holds of every explanation."""
    numbers = [tuple(map(int, check.number.split("."))) for check in explanation.checks]
    assert numbers == sorted(set(numbers))
    assert numbers[-1][0] == 11, "the engine found what no check did"
    assert explanation.accepted == (explanation.verdict is not None)
    for check in explanation.checks:
        assert (check.status is CheckStatus.FAIL) == (check.reason is not None)
        assert (check.status is CheckStatus.SKIPPED) == (check.note is not None)
        assert set(check.rows) <= set(MATRIX)
        if check.reason is not None:
            assert check.remedy
            assert check.item


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", FAULTS)
def test_the_first_failed_check_is_why_verify_refuses(name: str, base: str) -> None:
    """Over the whole catalogue of faults: same reason, and nothing passes that is refused."""
    fault = FAULTS[name]
    if not fault.fits(SAMPLES[base]):
        return
    evidence = fault.deviate(SAMPLES[base]).mint()
    explanation = explained(evidence)
    require_consistent(explanation)
    assert explanation.error is not None
    assert explanation.failures[0].reason is explanation.error.reason is judged(evidence)
    assert explanation.failures[0].found == explanation.error.found


@pytest.mark.parametrize("name", VARIATIONS)
def test_what_verify_accepts_passes_every_check(name: str) -> None:
    """Nothing fails in evidence that is in order."""
    for base in BASES:
        if VARIATIONS[name].fits(SAMPLES[base]):
            evidence = VARIATIONS[name].deviate(SAMPLES[base]).mint()
            explanation = explained(evidence)
            require_consistent(explanation)
            assert explanation.failures == ()
            assert explanation.verdict == judged(evidence)


def test_genuine_evidence_is_explained_as_it_is_judged(shared: Path) -> None:
    """Every genuine quote with every collateral, raw and verified."""
    for case in genuine_cases(shared):
        collateral = collateral_of(case.collateral_path, case.at)
        for shown in (case.raw, collateral):
            explanation = explain(case.quote, shown, at=case.at)
            require_consistent(explanation)
            try:
                expected: Verdict | Reason = verify(case.quote, collateral, at=case.at)
            except QuotaryError as error:
                expected = error.reason
            if isinstance(expected, Verdict):
                assert explanation.verdict == expected
                assert explanation.failures == ()
            else:
                assert explanation.error is not None
                assert explanation.failures[0].reason is explanation.error.reason is expected


def test_all_steps_are_told_and_what_was_found() -> None:
    """Every part of every step has its row, and what it found belongs to a real part."""
    explanation = explained(TD.mint())
    titles = {check.title for check in explanation.checks}
    parts = {part.title for step in STEPS for part in step.parts}
    assert parts <= titles
    assert set(FOUND) <= parts
    assert {check.number.split(".")[0] for check in explanation.checks} == set(map(str, range(12)))


def test_it_never_stops_at_the_first_failure() -> None:
    """Three things wrong in three places: all three are told."""
    scenario = FAULTS["td-debug-0"].deviate(
        FAULTS["qe-debug"].deviate(FAULTS["pck-expired"].deviate(TD))
    )
    reasons = [check.reason for check in explained(scenario.mint()).failures]
    assert reasons == [
        Reason.CERT_EXPIRED,
        Reason.QE_DEBUG,
        Reason.QE_ATTRIBUTES_MISMATCH,
        Reason.TD_DEBUG,
    ]


def test_expired_collateral_does_not_hide_the_rest() -> None:
    """What is stale is named once per item; levels and policy are still told."""
    evidence = TD.mint()
    explanation = explained(evidence, AT + timedelta(days=4000))
    require_consistent(explanation)
    assert by_title(explanation, "TCB info is current").reason is Reason.COLLATERAL_EXPIRED
    assert by_title(explanation, "PCK CRL is current").reason is Reason.CRL_EXPIRED
    assert by_title(explanation, "the policy accepts").status is CheckStatus.PASS
    assert not explanation.accepted


def test_what_cannot_be_read_is_skipped_with_its_cause() -> None:
    """No quote: the collateral is still judged. No collateral: the quote still is."""
    evidence = TD.mint()
    without = explained(replace(evidence, quote=b"\4\0"))
    assert without.failures[0].reason is Reason.QUOTE_TRUNCATED
    assert by_title(without, "TCB info is signed by its signer").status is CheckStatus.PASS
    vendor = by_title(without, "the QE vendor id is Intel's")
    assert vendor.note == "needs a quote that parses"
    bare = explained(replace(evidence, collateral={}))
    assert by_title(bare, "the QE vendor id is Intel's").status is CheckStatus.PASS
    assert by_title(bare, "PCK certificate is issued by the PCK CA").status is CheckStatus.PASS
    assert by_title(bare, "the policy accepts").status is CheckStatus.SKIPPED


def test_collateral_under_another_root_is_told() -> None:
    """Verified collateral of one root proves nothing under another."""
    evidence = TD.mint()
    collateral = Collateral.verify(
        RawCollateral.from_json(json.dumps(evidence.collateral)),
        TrustRoot.from_certificate(evidence.root_der),
        at=AT,
    )
    explanation = explain(evidence.quote, collateral, at=AT)
    require_consistent(explanation)
    assert explanation.failures[0].reason is Reason.ROOT_NOT_PINNED
    assert by_title(explanation, "TCB info parses").note is not None


def lowered(component: int, by: int) -> Scenario:
    """A platform that lacks one component version for the newest level."""
    components = list(TD.pck.components)
    components[component] -= by
    return TD.with_pck(components=tuple(components))


def test_a_shortfall_names_component_version_and_need() -> None:
    """What it is, what it has, and what each better status needs."""
    explanation = explained(lowered(0, 1).mint())
    assert explanation.error is not None
    assert explanation.error.reason is Reason.TCB_STATUS_NOT_ALLOWED
    check = by_title(explanation, "the platform reaches a level")
    assert check.status is CheckStatus.PASS
    (shortfall,) = check.shortfalls
    (need,) = shortfall.needs
    have = TD.pck.components[0] - 1
    assert shortfall.status == "UpToDate"
    assert need.component.startswith("SGX component 1")
    assert (need.has, need.needs) == (have, have + 1)
    policy = by_title(explanation, "the TCB status is allowed")
    assert policy.shortfalls == (shortfall,)


def test_a_platform_below_every_level_is_told_every_status() -> None:
    """Without any match, each status of the TCB info says what it would need."""
    scenario = TD.with_pck(components=(0,) * 16, pce_svn=0)
    check = by_title(explained(scenario.mint()), "the platform reaches a level")
    assert check.reason is Reason.TCB_NO_MATCH
    statuses = [shortfall.status for shortfall in check.shortfalls]
    assert statuses[0] == "UpToDate"
    assert len(statuses) == len(set(statuses)) > 1
    for shortfall in check.shortfalls:
        assert all(need.has < need.needs for need in shortfall.needs)
        assert shortfall.needs


def test_module_and_quoting_enclave_shortfalls() -> None:
    """An outdated enclave or module is named with its ISV SVN."""
    for fault, title, component in (
        ("qe-outdated", "the quoting enclave reaches a level", "QE ISVSVN"),
        ("qe-ancient", "the quoting enclave reaches a level", "QE ISVSVN"),
        ("module-out-of-reach", "the TDX module reaches a level", "TDX module ISVSVN"),
    ):
        check = by_title(explained(FAULTS[fault].deviate(TD).mint()), title)
        need = check.shortfalls[0].needs[0]
        assert need.component == component
        assert need.has < need.needs


def test_genuine_shortfalls_use_intels_names(shared: Path) -> None:
    """The component is named as Intel's TCB info names it, and the need is the level's."""
    case = pick(shared, "tdx", "OutOfDate")
    explanation = explain(case.quote, case.raw, at=case.at)
    needs = [
        need
        for check in explanation.checks
        for shortfall in check.shortfalls
        if shortfall.status == "UpToDate"
        for need in shortfall.needs
    ]
    assert needs
    assert all(need.has < need.needs for need in needs)


def test_policies_are_told_rule_by_rule() -> None:
    """Nested policies are flattened in the order they are asked; a choice is one rule."""
    evidence = TD.mint()
    policy = strict(
        AnyOf((MinimumEvaluation(1 << 30), FmspcRules(allowed=frozenset()))),
        MinimumEvaluation(1 << 30),
    )
    explanation = explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        policy=policy,
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )
    assert [check.reason for check in explanation.failures] == [
        Reason.FMSPC_NOT_ALLOWED,
        Reason.COLLATERAL_ROLLBACK,
    ]
    assert " or " in explanation.failures[0].title
    assert (
        by_title(explanation, "the policy accepts").note == f"see {explanation.failures[0].number}"
    )


class Moody:
    """A policy that refuses only what it is asked for the third time."""

    def __init__(self) -> None:
        """Not asked yet."""
        self.asked = 0

    def check(self, evidence: PolicyEvidence) -> None:
        """Refuse the third time."""
        self.asked += 1
        if self.asked == 3:
            raise VerificationError(Reason.PLATFORM_NOT_ALLOWED, evidence.quote.tee_type.name)


def test_verify_has_the_last_word() -> None:
    """Should a check ever accept what `verify` refuses, the explanation is a refusal."""
    evidence = TD.mint()
    explanation = explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        policy=Moody(),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )
    assert not explanation.accepted
    assert explanation.verdict is None
    assert [check.reason for check in explanation.failures] == [Reason.PLATFORM_NOT_ALLOWED]
    assert explanation.failures[0].title == "verification as a whole"


GOOD = TD.mint()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_evidence_is_explained_as_it_is_judged(data: st.DataObject) -> None:
    """Any byte of the quote, any character of the collateral: same reason, nothing else raised."""
    quote, collateral = bytearray(GOOD.quote), dict(GOOD.collateral)
    if data.draw(st.booleans()):
        quote[data.draw(st.integers(0, len(quote) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        name = data.draw(st.sampled_from(sorted(collateral)))
        place = data.draw(st.integers(0, len(collateral[name]) - 1))
        text = collateral[name]
        changed = data.draw(st.characters(min_codepoint=10, max_codepoint=126))
        collateral[name] = text[:place] + changed + text[place + 1 :]
    evidence = replace(GOOD, quote=bytes(quote), collateral=collateral)
    explanation = explained(evidence)
    require_consistent(explanation)
    outcome = judged(evidence)
    if isinstance(outcome, Verdict):
        assert explanation.verdict == outcome
        assert explanation.failures == ()
    else:
        assert explanation.failures[0].reason is outcome


def test_json_is_complete() -> None:
    """Everything a program needs, and nothing that JSON cannot say."""
    shown = json.loads(json.dumps(explained(lowered(1, 1).mint()).to_json()))
    assert shown["ok"] is False
    assert shown["reason"] == "TCB_STATUS_NOT_ALLOWED"
    assert shown["verdict"] is None
    assert sum(shown["counts"].values()) == len(shown["checks"])
    assert json.loads(json.dumps(explained(TD.mint()).to_json()))["verdict"]["fmspc"]


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    """As with `verify`."""
    with pytest.raises(ValueError, match="time zone"):
        explain(b"", b"", at=datetime(2026, 1, 1))  # noqa: DTZ001
