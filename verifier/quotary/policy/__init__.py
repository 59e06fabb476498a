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
    FieldIn,
    ProductRules,
    TeeTypes,
)
from quotary.policy._platform import (
    AdvisoriesWithin,
    AllowedStatuses,
    DeniedAdvisories,
    FmspcRules,
    InstanceRules,
    MinimumEvaluation,
    PlatformRules,
    SameEvaluation,
    SgxTypes,
)
from quotary.policy._strict import DEFAULT, strict
from quotary.policy._temporal import GracedStatuses, MaximumCollateralAge, deadlines

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
    "FieldIn",
    "FmspcRules",
    "GracedStatuses",
    "InstanceRules",
    "MaximumCollateralAge",
    "MinimumEvaluation",
    "PlatformRules",
    "Policy",
    "ProductRules",
    "SameEvaluation",
    "SgxAttributes",
    "SgxTypes",
    "TdAttributeRules",
    "TeeTypes",
    "XfamWithin",
    "deadlines",
    "strict",
]
