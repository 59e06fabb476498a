"""
Policies as files, TOML or JSON: strict where they are silent, refused where they are unclear.

    version = 1

    [tcb]
    statuses = ["UpToDate"]
    grace_days = { OutOfDate = 30 }

See docs/policy.md for every key.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Final, TypeVar

from quotary._keccak import keccak256
from quotary.collateral._json import repeated_key
from quotary.policy._attributes import SgxAttributes, TdAttributeRules, XfamWithin
from quotary.policy._base import AllOf, Policy
from quotary.policy._expectations import (
    ExpectedMeasurement,
    ExpectedReportData,
    FieldIn,
    ProductRules,
    TeeTypes,
)
from quotary.policy._keys import PolicyFileError, Section
from quotary.policy._platform import (
    AdvisoriesWithin,
    DeniedAdvisories,
    FmspcRules,
    InstanceRules,
    MinimumEvaluation,
    PlatformRules,
    SameEvaluation,
    SgxTypes,
)
from quotary.policy._temporal import GracedStatuses, MaximumCollateralAge
from quotary.quote import SgxFlags, TdAttributes
from quotary.tcb import TcbStatus, TeeType
from quotary.x509 import SgxType

__all__ = ["MAX_POLICY_BYTES", "PolicyFileError", "parse_policy"]

MAX_POLICY_BYTES: Final = 1024 * 1024
"""A deny list of ten thousand platforms fits."""

_MAX_BRACKETS: Final = 1000
"""So deep any interpreter parses JSON, whatever its recursion limit was raised to."""

_MAX_ESCAPES: Final = 1000
"""No rule needs one; thousands of them take milliseconds to read."""

_Flag = TypeVar("_Flag", SgxFlags, TdAttributes)

_VERSION: Final = 1
_DAY: Final = 86400
_MOST_DAYS: Final = 3650
_STATUSES: Final = {status.value: status for status in TcbStatus if status is not TcbStatus.REVOKED}
_TEE_TYPES: Final = {kind.name: kind for kind in TeeType}
_SGX_TYPES: Final = {
    "standard": SgxType.STANDARD,
    "scalable": SgxType.SCALABLE,
    "scalable-with-integrity": SgxType.SCALABLE_WITH_INTEGRITY,
}
_TOP_KEYS: Final = "version, tcb, collateral, platform, sgx, td, expect"
_TCB_KEYS: Final = (
    "statuses, grace_days, advisories_allowed, advisories_denied, minimum_evaluation, "
    "same_evaluation"
)
_PLATFORM_KEYS: Final = (
    "fmspc_allowed, fmspc_denied, ppid_allowed, ppid_denied, instance_allowed, instance_denied, "
    "sgx_types, allow_dynamic_platform, allow_cached_keys, allow_smt"
)
_SGX_FIELDS: Final = {
    "mr_enclave": 32,
    "mr_signer": 32,
    "config_id": 64,
    "isv_ext_prod_id": 16,
    "isv_family_id": 16,
}
_SGX_KEYS: Final = (
    f"{', '.join(_SGX_FIELDS)}, isv_prod_id, minimum_isv_svn, minimum_config_svn, allow_debug, "
    "allow_provision_key, allow_einittoken_key, attributes_required, attributes_forbidden"
)
_SGX_FLAGS: Final = {flag.name or "": flag for flag in SgxFlags}
_TD_FLAGS: Final = {flag.name or "": flag for flag in TdAttributes}
_TD_FIELDS: Final = (
    "mr_td",
    "rtmr0",
    "rtmr1",
    "rtmr2",
    "rtmr3",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "mr_service_td",
)
_TD_KEYS: Final = (
    f"{', '.join(_TD_FIELDS)}, allow_debug, allow_migratable, allow_service_td, allow_sept_ve, "
    "attributes_forbidden, xfam_required, xfam_allowed"
)


def parse_policy(data: bytes | str) -> AllOf:
    """
    Return the policy a TOML or JSON text states; what starts with a brace is JSON.

    A key that is left out has its strict default. Raises `PolicyFileError`, one line with the path
    of the key, for unknown keys, wrong types, and rules that would accept by accident.
    """
    top = Section(_table(data), "")
    if top.number("version", None) != _VERSION:
        raise PolicyFileError("version", f"expected {_VERSION}: the form this release reads")
    sgx, td = top.section("sgx"), top.section("td")
    rules: list[Policy] = [_sgx_attributes(sgx), *_td_rules(td)]
    sgx_expectations, td_expectations = _sgx_expectations(sgx), _td_expectations(td)
    rules += _tcb(top.section("tcb"))
    rules += _collateral(top.section("collateral"))
    rules += _platform(top.section("platform"))
    expected = [
        kind
        for kind, found in ((TeeType.SGX, sgx_expectations), (TeeType.TDX, td_expectations))
        if found
    ]
    rules += _expect(top.section("expect"), frozenset(expected))
    rules += [*sgx_expectations, *td_expectations]
    sgx.finish(_SGX_KEYS)
    td.finish(_TD_KEYS)
    top.finish(_TOP_KEYS)
    return AllOf(tuple(rules))


def _table(data: bytes | str) -> object:
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyFileError("file", f"longer than {MAX_POLICY_BYTES} bytes")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise PolicyFileError("file", "not UTF-8") from None
    if text.count("\\") > _MAX_ESCAPES:
        raise PolicyFileError("file", f"more than {_MAX_ESCAPES} backslashes")
    try:
        if text.lstrip()[:1] == "{":
            if text.count("{") + text.count("[") > _MAX_BRACKETS:
                raise PolicyFileError("file", f"more than {_MAX_BRACKETS} brackets")
            table: object = json.loads(text, object_pairs_hook=_once)
        else:
            table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise PolicyFileError("file", " ".join(str(error).split())) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, PolicyFileError):
            raise
        raise PolicyFileError("file", "neither TOML nor JSON of reasonable form") from None
    return table


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise PolicyFileError(repeated_key(pairs), "given twice")
    return table


def _tcb(section: Section) -> list[Policy]:
    statuses = section.names("statuses", _STATUSES)
    allowed = frozenset({TcbStatus.UP_TO_DATE} if statuses is None else map(TcbStatus, statuses))
    grace = _grace(section.section("grace_days"), allowed)
    rules: list[Policy] = [GracedStatuses(allowed, grace)]
    denied, within = section.texts("advisories_denied"), section.texts("advisories_allowed")
    if denied:
        rules.append(DeniedAdvisories(frozenset(denied)))
    if within is not None:
        rules.append(AdvisoriesWithin(frozenset(within)))
    minimum = section.number("minimum_evaluation", None)
    if minimum is not None:
        rules.append(MinimumEvaluation(minimum))
    if section.flag("same_evaluation", default=False):
        rules.append(SameEvaluation())
    section.finish(_TCB_KEYS)
    return rules


def _grace(section: Section, allowed: frozenset[TcbStatus]) -> Mapping[TcbStatus, int]:
    grace: dict[TcbStatus, int] = {}
    for key in section.left:
        if key not in _STATUSES:
            raise section.wrong(key, f"unknown status; known are {', '.join(_STATUSES)}")
        if _STATUSES[key] in allowed:
            raise section.wrong(key, "this status is accepted for ever by tcb.statuses")
        days = section.number(key, None, _MOST_DAYS)
        grace[_STATUSES[key]] = (days or 0) * _DAY
    return grace


def _collateral(section: Section) -> list[Policy]:
    days = section.number("maximum_age_days", None, _MOST_DAYS)
    section.finish("maximum_age_days")
    return [] if days is None else [MaximumCollateralAge(days * _DAY)]


def _platform(section: Section) -> list[Policy]:
    rules: list[Policy] = []
    for rule, name, length in ((FmspcRules, "fmspc", 6), (InstanceRules, "instance", 16)):
        allowed = section.octets(f"{name}_allowed", length)
        denied = section.octets(f"{name}_denied", length) or frozenset()
        if allowed is not None or denied:
            rules.append(rule(allowed, denied))
    ppids = section.octets("ppid_allowed", 16)
    rules.append(
        PlatformRules(
            allowed=None if ppids is None else frozenset(map(keccak256, ppids)),
            denied=frozenset(map(keccak256, section.octets("ppid_denied", 16) or ())),
            allow_dynamic_platform=section.flag("allow_dynamic_platform", default=True),
            allow_cached_keys=section.flag("allow_cached_keys", default=True),
            allow_smt=section.flag("allow_smt", default=True),
        )
    )
    types = section.names("sgx_types", _SGX_TYPES)
    if types is not None:
        rules.append(SgxTypes(frozenset(_SGX_TYPES[name] for name in types)))
    section.finish(_PLATFORM_KEYS)
    return rules


def _sgx_attributes(section: Section) -> Policy:
    forbidden = SgxFlags(0)
    for name, flag in (
        ("allow_debug", SgxFlags.DEBUG),
        ("allow_provision_key", SgxFlags.PROVISION_KEY),
        ("allow_einittoken_key", SgxFlags.EINITTOKEN_KEY),
    ):
        if not section.flag(name, default=False):
            forbidden |= flag
    required = _flags(SgxFlags(0), section.names("attributes_required", _SGX_FLAGS))
    forbidden = _flags(forbidden, section.names("attributes_forbidden", _SGX_FLAGS))
    if (required | SgxFlags.INIT) & forbidden:
        raise section.wrong("attributes_forbidden", "an attribute is required and forbidden")
    return SgxAttributes(forbidden, required | SgxFlags.INIT)


def _flags(flags: _Flag, names: tuple[str, ...] | None) -> _Flag:
    """Return `flags` and those of `names` besides."""
    for name in names or ():
        flags |= type(flags)[name]
    return flags


def _sgx_expectations(section: Section) -> list[Policy]:
    signed, enclave = "mr_signer" in section, "mr_enclave" in section
    if (
        signed
        and not enclave
        and ("isv_prod_id" not in section or "minimum_isv_svn" not in section)
    ):
        raise section.wrong(
            "mr_signer",
            "alone it admits whatever its holder builds: give isv_prod_id and minimum_isv_svn too",
        )
    rules: list[Policy] = []
    for name, length in _SGX_FIELDS.items():
        values = section.octets(name, length)
        if values is not None:
            rules.append(FieldIn(TeeType.SGX, name, values))
    product = section.number("isv_prod_id", None, 0xFFFF)
    minimum = section.number("minimum_isv_svn", 0, 0xFFFF) or 0
    configuration = section.number("minimum_config_svn", 0, 0xFFFF) or 0
    if product is not None or minimum or configuration:
        rules.append(ProductRules(product, minimum, configuration))
    return rules


def _td_expectations(section: Section) -> list[Policy]:
    rules: list[Policy] = []
    for name in _TD_FIELDS:
        values = section.octets(name, 48)
        if values is not None:
            rules.append(FieldIn(TeeType.TDX, name, values))
    return rules


def _td_rules(section: Section) -> list[Policy]:
    attributes = TdAttributeRules(
        allow_debug=section.flag("allow_debug", default=False),
        allow_migratable=section.flag("allow_migratable", default=False),
        allow_service_td=section.flag("allow_service_td", default=False),
        allow_sept_ve=section.flag("allow_sept_ve", default=False),
        forbidden=_flags(TdAttributes(0), section.names("attributes_forbidden", _TD_FLAGS)),
    )
    if "mr_service_td" in section and not attributes.allow_service_td:
        raise section.wrong("mr_service_td", "no service TD is accepted: set allow_service_td")
    default = XfamWithin()
    required = section.number("xfam_required", default.required, (1 << 63) - 1)
    allowed = section.number("xfam_allowed", default.allowed, (1 << 63) - 1)
    return [attributes, XfamWithin(required or 0, allowed or 0)]


def _expect(section: Section, expected: frozenset[TeeType]) -> list[Policy]:
    names = section.names("tee_types", _TEE_TYPES)
    types = expected if names is None else frozenset(_TEE_TYPES[name] for name in names)
    # Expectations about one kind of TEE say nothing of the other: it is refused, not let through.
    rules: list[Policy] = [TeeTypes(types)] if types else []
    if names == ():
        raise section.wrong("tee_types", "an empty list accepts nothing")
    report_data = section.octets("report_data", 64)
    if report_data is not None:
        if len(report_data) != 1:
            raise section.wrong("report_data", "expected one value of 64 bytes")
        rules.append(ExpectedReportData(*report_data))
    measurements = section.octets("measurement_ids", 32)
    if measurements is not None:
        rules.append(ExpectedMeasurement(measurements))
    section.finish("tee_types, report_data, measurement_ids")
    return rules
