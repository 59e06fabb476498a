"""
Policies: what a relying party asks of evidence beyond its being genuine.

A policy is a value with one method. Combine them with `AllOf` and `AnyOf`; write your own by giving
a class a `check` method.
"""

from __future__ import annotations

from quotary.policy._attributes import SgxAttributes, TdAttributeRules, XfamWithin
from quotary.policy._base import AllOf, AnyOf, Evidence, Policy
from quotary.policy._expectations import (
    ExpectedMeasurement,
    ExpectedReportData,
    ExpectedSgx,
    ExpectedTd,
)
from quotary.policy._platform import (
    AdvisoriesWithin,
    AllowedStatuses,
    DeniedAdvisories,
    FmspcRules,
    MinimumEvaluation,
    PlatformRules,
    SameEvaluation,
)
from quotary.policy._strict import DEFAULT, strict

__all__ = [
    "DEFAULT",
    "AdvisoriesWithin",
    "AllOf",
    "AllowedStatuses",
    "AnyOf",
    "DeniedAdvisories",
    "Evidence",
    "ExpectedMeasurement",
    "ExpectedReportData",
    "ExpectedSgx",
    "ExpectedTd",
    "FmspcRules",
    "MinimumEvaluation",
    "PlatformRules",
    "Policy",
    "SameEvaluation",
    "SgxAttributes",
    "TdAttributeRules",
    "XfamWithin",
    "strict",
]
