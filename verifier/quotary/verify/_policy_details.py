"""Step 11 in detail: every rule of the policy by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from quotary.policy import AllOf, AnyOf, FieldIn, Policy
from quotary.verify._facts import Detail, Facts, Shortfall
from quotary.verify._level_details import LEVEL_DETAILS
from quotary.verify._steps import evidence_of

__all__ = ["policy_details"]

_TITLES: Final = {
    "AdvisoriesWithin": "no advisory but those allowed applies",
    "AllowedStatuses": "the TCB status is allowed",
    "DeniedAdvisories": "no denied advisory applies",
    "ExpectedMeasurement": "the measurement is admitted",
    "ExpectedReportData": "report data is as expected",
    "ExpectedSgx": "the enclave is as expected",
    "ExpectedTd": "the TD is as expected",
    "GracedStatuses": "the TCB status is allowed, or in its grace",
    "InstanceRules": "the platform instance is accepted",
    "MaximumCollateralAge": "the collateral is young enough",
    "ProductRules": "product and version of the enclave are as expected",
    "SgxTypes": "the platform's memory protection is accepted",
    "TeeTypes": "the kind of TEE is accepted",
    "FmspcRules": "the platform family is accepted",
    "MinimumEvaluation": "the TCB evaluation is not rolled back",
    "PlatformRules": "the platform is accepted",
    "SameEvaluation": "both documents are of one TCB evaluation",
    "SgxAttributes": "SGX attributes: initialised, no debug, no special keys",
    "TdAttributeRules": "TD attributes: no debug, no migration, no service TD",
    "XfamWithin": "XFAM is one that TDX modules allow",
}
_ROWS: Final = {
    "SgxAttributes": (43,),
    "TdAttributeRules": (43,),
    "XfamWithin": (43,),
    "PlatformRules": (46,),
}


def policy_details(policy: Policy | None) -> tuple[Detail, ...]:
    """Return one detail for every rule that must hold, in the order `policy` asks them."""
    return tuple(
        Detail(
            _title(rule),
            partial(_check, rule),
            _ROWS.get(type(rule).__name__, ()),
            shortfalls=_shortfalls if _judges_status(rule) else _none,
        )
        for rule in _rules(policy)
    )


def _rules(policy: Policy | None) -> Iterator[Policy]:
    if policy is None:
        return
    if isinstance(policy, AllOf):
        for part in policy.policies:
            yield from _rules(part)
    else:
        yield policy


def _title(rule: Policy) -> str:
    if isinstance(rule, AnyOf):
        return " or ".join(_title(part) for part in rule.policies)
    if isinstance(rule, AllOf):
        return " and ".join(_title(part) for part in rule.policies)
    if isinstance(rule, FieldIn):
        return f"{rule.name} has a value expected"
    name = type(rule).__name__
    return _TITLES.get(name, f"the rule {name} holds")


def _check(rule: Policy, facts: Facts) -> None:
    rule.check(evidence_of(facts))


def _judges_status(rule: Policy) -> bool:
    return "Status" in type(rule).__name__


def _shortfalls(facts: Facts) -> tuple[Shortfall, ...]:
    """What the parts lack, told again where the policy asks for a better status."""
    return tuple(
        shortfall
        for detail in LEVEL_DETAILS
        if detail.inapplicable(facts) is None
        for shortfall in detail.shortfalls(facts)
    )


def _none(_: Facts) -> tuple[Shortfall, ...]:
    return ()
