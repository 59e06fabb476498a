"""Faults in the certificates, their chains and the revocation lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from cryptography.x509.oid import ExtensionOID

from quotary_enclave.simulator import der
from quotary_enclave.simulator.faults.deviations import (
    certificate,
    collateral,
    pck,
    pck_crl,
    quote,
    root_crl,
    scenario,
)
from quotary_enclave.simulator.faults.fault import Deviation, Fault, platform_ca
from quotary_enclave.simulator.pck_extension import PCK_EXTENSION_OID
from quotary_enclave.simulator.pki import Role
from quotary_enclave.simulator.quotes import CertificationType
from quotary_enclave.simulator.scenario import Scenario

__all__ = ["CERTIFICATE_FAULTS", "CERTIFICATE_VARIATIONS"]

_SECOND: Final = timedelta(seconds=1)
_ECDSA_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_ECDSA_SHA384: Final = bytes.fromhex("06082a8648ce3d040303")
_MANY_SERIALS: Final = tuple(range(1 << 120, (1 << 120) + 129))
_EXTENSIONS: Final = {
    "authority-key-id": (ExtensionOID.AUTHORITY_KEY_IDENTIFIER, "KEY_ID_MISSING"),
    "subject-key-id": (ExtensionOID.SUBJECT_KEY_IDENTIFIER, "KEY_ID_MISSING"),
    "key-usage": (ExtensionOID.KEY_USAGE, "KEY_USAGE"),
    "crl-points": (ExtensionOID.CRL_DISTRIBUTION_POINTS, "CERT_INVALID"),
    "basic-constraints": (ExtensionOID.BASIC_CONSTRAINTS, "BASIC_CONSTRAINTS"),
}
_MEBIBYTE: Final = 1 << 20
_PLACES: Final = ("root", "ca", "tcb-signing", "pck")
_INNER: Final = ("ca", "tcb-signing", "pck")


def _role(place: str, base: Scenario) -> Role:
    return base.ca if place == "ca" else Role(place)


def _changed(place: str, base: Scenario, **changes: object) -> Scenario:
    return base.with_certificate(_role(place, base), **changes)


def _expired(place: str, base: Scenario) -> Scenario:
    return _changed(place, base, not_after=base.at - _SECOND)


def _early(place: str, base: Scenario) -> Scenario:
    return _changed(place, base, not_before=base.at + _SECOND)


def _ending_now(place: str, base: Scenario) -> Scenario:
    return _changed(place, base, not_after=base.at)


def _beginning_now(place: str, base: Scenario) -> Scenario:
    return _changed(place, base, not_before=base.at)


def _without(place: str, extension: str, base: Scenario) -> Scenario:
    return _changed(place, base, omitted=frozenset({_EXTENSIONS[extension][0]}))


def _impossible_date(place: str, base: Scenario) -> Scenario:
    start = base.certificates[_role(place, base)].not_before
    stamp = start.strftime("%y%m%d%H%M%SZ").encode()
    return _changed(place, base, patches=((stamp, stamp[:2] + b"0231" + stamp[6:]),))


def _negative_serial(place: str, base: Scenario) -> Scenario:
    """A serial number whose first bit says that it is negative, which no builder writes."""
    serial = bytes((0x7F, *range(19)))
    negative = b"\xff" + serial[1:]
    number = int.from_bytes(serial, "big")
    return _changed(place, base, serial=number, patches=((serial, negative),))


def _chain(*roles: Role | None) -> Deviation:
    """A PCK chain of these; None stands for the platform's CA."""

    def deviate(base: Scenario) -> Scenario:
        return replace(base, pck_chain=tuple(role or base.ca for role in roles))

    return deviate


def _under_another_root(base: Scenario) -> Scenario:
    moved = base.with_certificate(base.ca, issuer=Role.STRANGER)
    moved = moved.with_collateral(pck_crl_chain=(base.ca, Role.STRANGER))
    return _chain(Role.PCK, None, Role.STRANGER)(moved)


def _leaf_by_tcb_signer(base: Scenario) -> Scenario:
    moved = base.with_certificate(Role.PCK, issuer=Role.TCB_SIGNING)
    return replace(moved, pck_chain=(Role.PCK, Role.TCB_SIGNING, Role.ROOT))


def _collateral_by_ca(base: Scenario) -> Scenario:
    chain = (base.ca, Role.ROOT)
    return base.with_collateral(tcb_info_signer=base.ca, tcb_info_chain=chain)


def _identity_by_ca(base: Scenario) -> Scenario:
    chain = (base.ca, Role.ROOT)
    return base.with_collateral(qe_identity_signer=base.ca, qe_identity_chain=chain)


def _tcb_signer_below_ca(base: Scenario) -> Scenario:
    moved = base.with_certificate(Role.TCB_SIGNING, issuer=base.ca)
    chain = (Role.TCB_SIGNING, base.ca, Role.ROOT)
    return moved.with_collateral(tcb_info_chain=chain, qe_identity_chain=chain)


def _revoked_ca(base: Scenario) -> Scenario:
    return base.with_root_crl(revoked_roles=(base.ca,))


def _list_of_other_ca(base: Scenario) -> Scenario:
    other = Role.PROCESSOR_CA if base.ca is Role.PLATFORM_CA else Role.PLATFORM_CA
    return base.with_pck_crl(issuer=other).with_collateral(pck_crl_chain=(other, Role.ROOT))


def _other_leaf_in_collateral(base: Scenario) -> Scenario:
    return base.with_collateral(pck_certificate_chain=(Role.TCB_SIGNING, base.ca, Role.ROOT))


def _validity() -> Iterator[Fault]:
    for place in _PLACES:
        yield Fault(f"{place}-expired", partial(_expired, place), "CERT_EXPIRED")
        yield Fault(f"{place}-early", partial(_early, place), "CERT_NOT_YET_VALID")
    for place in _INNER:
        yield Fault(f"{place}-31-february", partial(_impossible_date, place), "CERT_TIME_INVALID")


def _shape() -> Iterator[Fault]:
    for place in _INNER:
        forged = partial(_changed, place, signer=Role.STRANGER)
        yield Fault(f"{place}-signer", forged, "CERT_SIGNATURE_INVALID")
        renamed = partial(_changed, place, common_name="Intel SGX Something Else")
        yield Fault(f"{place}-name", renamed, "ISSUER_ROLE")
        orphan = partial(_changed, place, issuer_name="Intel SGX Nobody CA")
        yield Fault(f"{place}-issuer-name", orphan, "CERT_NAME_MISMATCH")
        misled = partial(_changed, place, identified_issuer=Role.PCK)
        yield Fault(f"{place}-authority-key-id", misled, "KEY_ID_MISMATCH")
        yield Fault(f"{place}-serial-negative", partial(_negative_serial, place), "SERIAL_INVALID")
        for extension, (_, reason) in _EXTENSIONS.items():
            yield Fault(f"{place}-no-{extension}", partial(_without, place, extension), reason)
        algorithm = partial(_changed, place, patches=((_ECDSA_SHA256, _ECDSA_SHA384),))
        yield Fault(f"{place}-algorithm", algorithm, "SIG_ALG_UNEXPECTED")
    ending = partial(_changed, "ca", ca=False, path_length=None, signs_certificates=True)
    yield Fault("ca-not-a-ca", ending, "BASIC_CONSTRAINTS")
    yield Fault("ca-path-length", partial(_changed, "ca", path_length=3), "BASIC_CONSTRAINTS")
    yield Fault("ca-cannot-sign", partial(_changed, "ca", signs_certificates=False), "KEY_USAGE")
    for place in ("pck", "tcb-signing"):
        able = partial(_changed, place, ca=True, signs_certificates=False)
        yield Fault(f"{place}-is-a-ca", able, "BASIC_CONSTRAINTS")
        usage = partial(_changed, place, signs_certificates=True)
        yield Fault(f"{place}-cannot-sign", usage, "KEY_USAGE")


def _chains() -> Iterator[Fault]:
    shape = "CHAIN_SHAPE"
    yield Fault("chain-without-root", _chain(Role.PCK, None), shape)
    yield Fault("chain-without-ca", _chain(Role.PCK, Role.ROOT), shape)
    yield Fault("chain-of-leaf", _chain(Role.PCK), shape)
    yield Fault("chain-empty", _chain(), shape)
    yield Fault("chain-with-extra", _chain(Role.PCK, None, Role.ROOT, Role.TCB_SIGNING), shape)
    private_key = b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"
    yield Fault("chain-with-private-key", scenario(chain_suffix=private_key), "PEM_INVALID")
    yield Fault("chain-with-garbage", scenario(chain_suffix=b"garbage"), "PEM_INVALID")
    yield Fault("chain-enormous", scenario(chain_suffix=b"\n" * 20_000), "CERT_TOO_LARGE")
    yield Fault("chain-under-another-root", _under_another_root, "ROOT_NOT_PINNED")
    yield Fault("chain-ends-elsewhere", _chain(Role.PCK, None, Role.STRANGER), "ROOT_NOT_PINNED")
    yield Fault("pck-issued-by-tcb-signer", _leaf_by_tcb_signer, "ISSUER_ROLE")
    for name, chain in (
        ("alone", (Role.TCB_SIGNING,)),
        ("extra", (Role.TCB_SIGNING, Role.ROOT, Role.PLATFORM_CA)),
    ):
        yield Fault(f"tcb-info-chain-{name}", collateral(tcb_info_chain=chain), shape)
        yield Fault(f"qe-identity-chain-{name}", collateral(qe_identity_chain=chain), shape)
    yield Fault("pck-crl-chain-alone", collateral(pck_crl_chain=(Role.PLATFORM_CA,)), shape)
    yield Fault("pck-chain-twice", _other_leaf_in_collateral, "PCK_CHAIN_CONFLICT")
    leaf_only = quote(certification_type=CertificationType.PCK_LEAF)
    yield Fault("pck-chain-nowhere", leaf_only, "PCK_CHAIN_MISSING")
    foreign = (Role.TCB_SIGNING, Role.STRANGER)
    yield Fault("tcb-info-root", collateral(tcb_info_chain=foreign), "ROOT_NOT_PINNED")
    yield Fault("qe-identity-root", collateral(qe_identity_chain=foreign), "ROOT_NOT_PINNED")
    yield Fault("tcb-info-by-pck-ca", _collateral_by_ca, "ISSUER_ROLE")
    yield Fault("qe-identity-by-pck-ca", _identity_by_ca, "ISSUER_ROLE")
    yield Fault("tcb-signer-below-pck-ca", _tcb_signer_below_ca, shape)


def _pck_extension() -> Iterator[Fault]:
    invalid = "PCK_EXT_INVALID"
    yield Fault("pck-no-sgx-extension", certificate(Role.PCK, pck=None), invalid)
    for suffix in ("1", "2", "3", "4", "5", "2.1", "2.16", "2.17", "2.18"):
        yield Fault(f"pck-without-{suffix}", pck(omitted=frozenset({suffix})), invalid)
        yield Fault(f"pck-repeats-{suffix}", pck(repeated=frozenset({suffix})), invalid)
    for suffix in ("6", "7"):
        absent = pck(omitted=frozenset({suffix}))
        yield Fault(f"pck-without-{suffix}", absent, invalid, platform_ca)
    unknown = der.sequence(der.object_id(f"{PCK_EXTENSION_OID}.9"), der.octets(b"\0"))
    yield Fault("pck-unknown-entry", pck(added=(unknown,)), invalid)
    yield Fault("pck-ppid-length", pck(ppid=bytes(15)), invalid)
    yield Fault("pck-fmspc-length", pck(fmspc=bytes(7)), invalid)
    yield Fault("pck-pce-id-length", pck(pce_id=bytes(3)), invalid)
    yield Fault("pck-cpu-svn-length", pck(cpu_svn=bytes(15)), invalid)
    yield Fault("pck-component-256", pck(components=(256, *(0,) * 15)), invalid)
    yield Fault("pck-component-negative", pck(components=(-1, *(0,) * 15)), invalid)
    yield Fault("pck-pce-svn-65536", pck(pce_svn=65536), invalid)
    yield Fault("pck-sgx-type-9", pck(sgx_type=9), invalid)
    yield Fault("pck-instance-length", pck(platform_instance_id=bytes(15)), invalid, platform_ca)


def _revocation() -> Iterator[Fault]:
    revoked = "CERT_REVOKED"
    yield Fault("pck-revoked", pck_crl(revoked_roles=(Role.PCK,)), revoked)
    crowded = pck_crl(revoked_roles=(Role.PCK,), revokes=_MANY_SERIALS)
    yield Fault("pck-revoked-among-many", crowded, revoked)
    yield Fault("ca-revoked", _revoked_ca, revoked)
    yield Fault("tcb-signing-revoked", root_crl(revoked_roles=(Role.TCB_SIGNING,)), revoked)
    yield Fault("root-revoked", root_crl(revoked_roles=(Role.ROOT,)), revoked)
    yield Fault("pck-crl-of-other-ca", _list_of_other_ca, "CRL_ISSUER_MISMATCH")
    for name, part, change in (
        ("root-crl", "root_ca_crl", root_crl),
        ("pck-crl", "pck_crl", pck_crl),
    ):
        yield Fault(f"{name}-signer", change(signer=Role.STRANGER), "CRL_SIGNATURE_INVALID")
        yield Fault(f"{name}-no-next-update", change(has_next_update=False), "CRL_NO_NEXT_UPDATE")
        yield Fault(f"{name}-no-number", change(number=None), "CRL_INVALID")
        yield Fault(f"{name}-no-authority", change(identifies_authority=False), "KEY_ID_MISSING")
        wrong = change(identified_authority=Role.TCB_SIGNING)
        yield Fault(f"{name}-authority", wrong, "CRL_SIGNATURE_INVALID")
        yield Fault(f"{name}-issuer", change(issuer=Role.TCB_SIGNING), "CRL_ISSUER_MISMATCH")
        yield Fault(f"{name}-missing", collateral(missing=frozenset({part})), "CRL_MISSING")
        yield Fault(f"{name}-empty", collateral(replaced=((part, ""),)), "CRL_MISSING")
        yield Fault(f"{name}-garbage", collateral(replaced=((part, "3000"),)), "DER_NONCANONICAL")
        enormous = collateral(replaced=((part, "30" * (_MEBIBYTE + 1)),))
        yield Fault(f"{name}-enormous", enormous, "CRL_TOO_LARGE")
        yield Fault(f"{name}-expired", partial(_crl_ending, name, -_SECOND), "CRL_EXPIRED")
        early = partial(_crl_beginning, name, _SECOND)
        yield Fault(f"{name}-early", early, "CRL_NOT_YET_VALID")


def _crl_ending(name: str, distance: timedelta, base: Scenario) -> Scenario:
    change = base.with_root_crl if name == "root-crl" else base.with_pck_crl
    return change(this_update=base.at - timedelta(days=1), next_update=base.at + distance)


def _crl_beginning(name: str, distance: timedelta, base: Scenario) -> Scenario:
    change = base.with_root_crl if name == "root-crl" else base.with_pck_crl
    return change(this_update=base.at + distance, next_update=base.at + timedelta(days=1))


def _variations() -> Iterator[Fault]:
    for place in _PLACES:
        yield Fault(f"{place}-ends-now", partial(_ending_now, place), None)
        yield Fault(f"{place}-begins-now", partial(_beginning_now, place), None)
    for name in ("root-crl", "pck-crl"):
        yield Fault(f"{name}-ends-now", partial(_crl_ending, name, timedelta()), None)
        yield Fault(f"{name}-begins-now", partial(_crl_beginning, name, timedelta()), None)
    for name, suffix in (("nothing", b""), ("white-space", b"\r\n \t\n"), ("nuls", bytes(8))):
        yield Fault(f"chain-then-{name}", scenario(chain_suffix=suffix), None)
    yield Fault("pck-crl-129-entries", pck_crl(revokes=_MANY_SERIALS), None)
    yield Fault("root-crl-lists-strangers", root_crl(revokes=_MANY_SERIALS), None)
    absent = pck(dynamic_platform=None, cached_keys=None, smt_enabled=None)
    yield Fault("configuration-unstated", absent, None, platform_ca)
    high = pck(components=(200, *(255,) * 15), cpu_svn=None)
    yield Fault("components-above-127", high, None)
    yield Fault("cpu-svn-opaque", pck(cpu_svn=bytes(16)), None)


CERTIFICATE_FAULTS: Final = (
    *_validity(),
    *_shape(),
    *_chains(),
    *_pck_extension(),
    *_revocation(),
)
CERTIFICATE_VARIATIONS: Final = tuple(_variations())
