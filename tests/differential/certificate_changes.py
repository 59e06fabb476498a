"""Random changes of a scenario's certificates, chains and revocation lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from cryptography.x509.oid import ExtensionOID
from quotary_enclave.simulator import Role, Scenario

from tests.differential.quote_changes import Change

__all__ = ["CERTIFICATE_CHANGES", "moment"]

_OFFSETS = (-86400 * 400, -86400, -1, 0, 1, 86400, 86400 * 400)
_EXTENSIONS = (
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.BASIC_CONSTRAINTS,
)
_NAMES = (
    "Intel SGX Root CA",
    "Intel SGX PCK Platform CA",
    "Intel SGX PCK Processor CA",
    "Intel SGX PCK Certificate",
    "Intel SGX TCB Signing",
    "Intel SGX Nobody",
)
_SUFFIXES = ("1", "2", "3", "4", "5", "6", "7", "2.1", "2.9", "2.16", "2.17", "2.18", "7.1", "7.3")


def moment(rng: Random) -> timedelta:
    """A distance from the time of verification: the edges, or years away."""
    return timedelta(seconds=rng.choice(_OFFSETS))


def _some_role(rng: Random, base: Scenario) -> Role:
    return rng.choice((Role.ROOT, base.ca, Role.TCB_SIGNING, Role.PCK))


def window(rng: Random, base: Scenario) -> Scenario:
    """When a certificate is valid."""
    role = _some_role(rng, base)
    spec = base.certificates[role]
    if rng.random() < 0.5:
        start = min(base.at + moment(rng), spec.not_after)
        return base.with_certificate(role, not_before=start)
    end = max(base.at + moment(rng), spec.not_before)
    return base.with_certificate(role, not_after=end)


def constraints(rng: Random, base: Scenario) -> Scenario:
    """What a certificate may do, is called, and carries."""
    role = _some_role(rng, base)
    changes: tuple[dict[str, Any], ...] = (
        {"ca": True, "path_length": rng.choice((None, 0, 1, 2))},
        {"ca": False, "path_length": None},
        {"signs_certificates": rng.choice((True, False))},
        {"common_name": rng.choice(_NAMES)},
        {"issuer_name": rng.choice(_NAMES)},
        {"omitted": frozenset(rng.sample(_EXTENSIONS, rng.randrange(1, 3)))},
        {"serial": rng.choice((1, 0x7F, 0x80, rng.getrandbits(159) | 1))},
        {"crl_url": "https://elsewhere.invalid/" + "a" * rng.randrange(200)},
    )
    return base.with_certificate(role, **rng.choice(changes))


def lineage(rng: Random, base: Scenario) -> Scenario:
    """Who issued a certificate, or is said to have."""
    role = rng.choice((base.ca, Role.TCB_SIGNING, Role.PCK))
    others: tuple[Role, ...] = (
        Role.ROOT,
        Role.PLATFORM_CA,
        Role.PROCESSOR_CA,
        Role.TCB_SIGNING,
        Role.STRANGER,
    )
    field = rng.choice(("issuer", "signer", "identified_issuer"))
    if field == "issuer" and role is not Role.PCK:
        others = (Role.ROOT, Role.STRANGER)
    return base.with_certificate(role, **{field: rng.choice(others)})


def chain(rng: Random, base: Scenario) -> Scenario:
    """The chain the quote carries, and what follows it."""
    roles = [Role.PCK, base.ca, Role.ROOT]
    match rng.randrange(4):
        case 0:
            rng.shuffle(roles)
        case 1:
            del roles[rng.randrange(3)]
        case 2:
            roles.insert(rng.randrange(4), rng.choice(list(Role)))
        case _:
            suffix = rng.choice((b"", b"\0", b"\n\0\0", b" \t\r\n", b"x", b"-----END", b"\xff"))
            return replace(base, chain_suffix=suffix)
    return replace(base, pck_chain=tuple(roles))


def platform(rng: Random, base: Scenario) -> Scenario:
    """What the PCK certificate says of the platform."""
    svns = tuple(
        min(255, max(0, svn + rng.choice((-1, 0, 0, 0, 1)))) for svn in base.pck.components
    )
    changes: tuple[dict[str, Any], ...] = (
        {"components": svns},
        {"components": svns, "cpu_svn": bytes(base.pck.components)},
        {"components": tuple(rng.choice((0, 127, 128, 255)) for _ in range(16))},
        {"cpu_svn": rng.randbytes(16)},
        {"pce_svn": rng.choice((0, 4, 5, 10, 11, 12, 127, 128, 255, 256, 32767, 32768, 65535))},
        {"fmspc": rng.choice((bytes(6), rng.randbytes(6)))},
        {"pce_id": rng.choice((bytes(2), rng.randbytes(2)))},
        {"sgx_type": rng.randrange(4)},
        {"dynamic_platform": rng.choice((None, True, False))},
        {"cached_keys": rng.choice((None, True, False)), "smt_enabled": None},
        {"platform_instance_id": rng.choice((None, rng.randbytes(16), rng.randbytes(15)))},
        {"omitted": frozenset({rng.choice(_SUFFIXES)})},
        {"repeated": frozenset({rng.choice(_SUFFIXES)})},
        {"ppid": rng.randbytes(rng.choice((16, 16, 16, 15, 0)))},
    )
    return base.with_pck(**rng.choice(changes))


def revocation(rng: Random, base: Scenario) -> Scenario:
    """One of the two revocation lists."""
    spec = rng.choice((base.collateral.root_crl, base.collateral.pck_crl))
    start = base.at + moment(rng)
    changes: tuple[dict[str, Any], ...] = (
        {"this_update": start, "next_update": start + timedelta(days=500)},
        {"this_update": base.at - timedelta(days=500), "next_update": base.at + moment(rng)},
        {"number": rng.choice((None, 0, 1, 1 << 100))},
        {"identifies_authority": False},
        {"identified_authority": rng.choice(list(Role))},
        {"has_next_update": False},
        {"revokes": tuple(rng.getrandbits(158) + 1 for _ in range(rng.randrange(40)))},
        {"revoked_roles": (rng.choice(list(Role)),)},
        {"issuer": rng.choice(list(Role))},
        {"signer": rng.choice(list(Role))},
    )
    change = rng.choice(changes)
    if spec is base.collateral.root_crl:
        return base.with_root_crl(**change)
    return base.with_pck_crl(**change)


CERTIFICATE_CHANGES: tuple[Change, ...] = (
    window,
    constraints,
    lineage,
    chain,
    platform,
    platform,
    platform,
    revocation,
    revocation,
)
