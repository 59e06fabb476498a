"""Step 0 in detail: the quote's form, and every part of the collateral."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final

from quotary.collateral import QeIdentity, RawCollateral, TcbInfo
from quotary.errors import CollateralError
from quotary.quote import Quote
from quotary.trust import (
    Collateral,
    Window,
    certificate_window,
    document_window,
    list_window,
    require_list_of,
    require_not_revoked,
    require_same_tee,
    require_signed,
    require_within,
)
from quotary.verify._certification import require_root
from quotary.verify._facts import Detail, Facts, MissingFactError
from quotary.x509 import (
    Certificate,
    RevocationList,
    Role,
    require_issued,
    require_role,
    split_pem,
)

__all__ = ["COLLATERAL_DETAILS", "gather_collateral", "shown_time", "window_found"]

_ROOT: Final = "root certificate"
_TCB_CHAIN: Final = "tcb_info_issuer_chain"
_QE_CHAIN: Final = "qe_identity_issuer_chain"
_PCK_CRL_CHAIN: Final = "pck_crl_issuer_chain"


def shown_time(seconds: int) -> str:
    """Return Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window_found(window: Window) -> str:
    """Return a window in words."""
    return f"{shown_time(window.start)} to {shown_time(window.end)}"


def gather_collateral(facts: Facts) -> None:
    """Put together what was read, so that later steps can be tried; nothing when parts lack."""
    if isinstance(facts.given_collateral, Collateral):
        facts.collateral = facts.given_collateral
        return
    try:
        facts.collateral = Collateral.assemble(
            facts.raw,
            facts.root,
            documents=(facts.tcb_info, facts.qe_identity),
            digests=(
                sha256(facts.raw.tcb_info).digest(),
                sha256(facts.raw.qe_identity).digest(),
            ),
            signers=(facts.certificate(_TCB_CHAIN), facts.certificate(_QE_CHAIN)),
            pck_ca=facts.certificate(_PCK_CRL_CHAIN),
            lists=(facts.revocation_list("root_ca_crl"), facts.revocation_list("pck_crl")),
            remembers=0,
        )
    except MissingFactError:
        return


def _quote(facts: Facts) -> str:
    given = facts.given_quote
    facts.begin_with(given if isinstance(given, Quote) else Quote.parse(given))
    return f"{facts.quote.tee_type.name} quote, version {facts.quote.version}"


def _form(facts: Facts) -> str | None:
    given = facts.given_collateral
    if isinstance(given, bytes | str):
        facts.raw = RawCollateral.from_json(given)
    elif isinstance(given, RawCollateral):
        facts.raw = given
    return None


def _proven_before(facts: Facts) -> str | None:
    if isinstance(facts.given_collateral, Collateral):
        return "proven when the collateral was verified"
    return None


def _given_raw(facts: Facts) -> str | None:
    if isinstance(facts.given_collateral, Collateral):
        return None
    return "raw collateral is verified under the pinned root itself"


def _list_parses(item: str, facts: Facts) -> str:
    crl = RevocationList.parse(getattr(facts.raw, item), item)
    facts.keep(item, crl)
    return f"number {crl.number}, {len(crl.revoked)} certificates"


def _root_list_issued(facts: Facts) -> str:
    root = facts.root.certificate
    require_list_of(facts.revocation_list("root_ca_crl"), root, "root_ca_crl")
    return f"signed by {root.common_name}"


def _pck_list_issued(facts: Facts) -> str:
    authority = facts.certificate(_PCK_CRL_CHAIN)
    require_list_of(facts.revocation_list("pck_crl"), authority, "pck_crl")
    return f"signed by {authority.common_name}"


def _root_stands(facts: Facts) -> None:
    require_not_revoked(facts.root.certificate, facts.revocation_list("root_ca_crl"), _ROOT)


def _shape(item: str, facts: Facts) -> str:
    leaf, anchor = split_pem(getattr(facts.raw, item), item, 2)
    facts.keep(f"{item}: leaf", leaf)
    facts.keep(f"{item}: root", anchor)
    return "2 certificates"


def _pinned(item: str, facts: Facts) -> None:
    facts.root.require_pinned(facts.octets(f"{item}: root"), item, CollateralError)


def _certificate(item: str, facts: Facts) -> str:
    certificate = Certificate.parse(facts.octets(f"{item}: leaf"), item)
    facts.keep(item, certificate)
    return f"{certificate.common_name}, serial {certificate.serial:x}"


def _role(item: str, role: Role, facts: Facts) -> str:
    certificate = facts.certificate(item)
    require_role(certificate, role, item, CollateralError)
    return certificate.common_name


def _issued(item: str, facts: Facts) -> None:
    require_issued(facts.certificate(item), facts.root.certificate, item, CollateralError)


def _stands(item: str, facts: Facts) -> str:
    certificate = facts.certificate(item)
    require_not_revoked(certificate, facts.revocation_list("root_ca_crl"), item)
    return f"serial {certificate.serial:x} is not listed"


def _chain(name: str, item: str, role: Role) -> tuple[Detail, ...]:
    return (
        Detail(f"{name}: two certificates", partial(_shape, item), (10,), _proven_before),
        Detail(f"{name}: ends at the pinned root", partial(_pinned, item), (13,), _proven_before),
        Detail(f"{name}: certificate parses", partial(_certificate, item), (16,), _proven_before),
        Detail(
            f"{name}: certificate has its role",
            partial(_role, item, role),
            (11, 14, 15),
            _proven_before,
        ),
        Detail(
            f"{name}: certificate is issued by the root",
            partial(_issued, item),
            (12,),
            _proven_before,
        ),
        Detail(
            f"{name}: certificate is not revoked", partial(_stands, item), (23,), _proven_before
        ),
    )


def _tcb_info_signed(facts: Facts) -> None:
    raw, signer = facts.raw, facts.certificate(_TCB_CHAIN)
    require_signed(sha256(raw.tcb_info).digest(), raw.tcb_info_signature, signer, "tcb_info")


def _qe_identity_signed(facts: Facts) -> None:
    raw, signer = facts.raw, facts.certificate(_QE_CHAIN)
    require_signed(
        sha256(raw.qe_identity).digest(), raw.qe_identity_signature, signer, "qe_identity"
    )


def _tcb_info(facts: Facts) -> str:
    facts.tcb_info = TcbInfo.parse(facts.raw.tcb_info)
    info = facts.tcb_info
    return (
        f"{info.tee_type.name}, FMSPC {info.fmspc.hex()}, evaluation {info.evaluation_number}, "
        f"{len(info.levels)} levels"
    )


def _qe_identity(facts: Facts) -> str:
    facts.qe_identity = QeIdentity.parse(facts.raw.qe_identity)
    identity = facts.qe_identity
    return f"{identity.tee_type.name}, evaluation {identity.evaluation_number}"


def _one_tee(facts: Facts) -> str:
    require_same_tee(facts.tcb_info, facts.qe_identity)
    return facts.tcb_info.tee_type.name


def _within(window: Window, facts: Facts) -> str:
    require_within((window,), facts.at, CollateralError)
    return window_found(window)


def _root_window(facts: Facts) -> str:
    return _within(certificate_window(facts.root.certificate, _ROOT), facts)


def _chain_window(item: str, facts: Facts) -> str:
    return _within(certificate_window(facts.certificate(item), item), facts)


def _list_window(item: str, facts: Facts) -> str:
    return _within(list_window(facts.revocation_list(item), item), facts)


def _tcb_info_window(facts: Facts) -> str:
    return _within(document_window(facts.tcb_info, "tcb_info"), facts)


def _qe_identity_window(facts: Facts) -> str:
    return _within(document_window(facts.qe_identity, "qe_identity"), facts)


def _same_root(facts: Facts) -> str:
    given = facts.given_collateral
    if isinstance(given, Collateral):
        require_root(given, facts.root)
    return facts.root.certificate.common_name


COLLATERAL_DETAILS: Final = (
    Detail("the quote parses", _quote, (1, 3, 4, 5, 6, 7, 8, 9)),
    Detail("the collateral is complete", _form, (), _proven_before),
    Detail("root CRL parses", partial(_list_parses, "root_ca_crl"), (22,), _proven_before),
    Detail("root CRL is the root's", _root_list_issued, (19,), _proven_before),
    Detail("the root is not revoked", _root_stands, (24,), _proven_before),
    *_chain("TCB info signer", _TCB_CHAIN, Role.TCB_SIGNING),
    *_chain("QE identity signer", _QE_CHAIN, Role.TCB_SIGNING),
    Detail("TCB info is signed by its signer", _tcb_info_signed, (25,), _proven_before),
    Detail("QE identity is signed by its signer", _qe_identity_signed, (25,), _proven_before),
    Detail("TCB info parses", _tcb_info, (28, 29, 45), _proven_before),
    Detail("QE identity parses", _qe_identity, (39, 45), _proven_before),
    Detail("TCB info and QE identity are of one TEE type", _one_tee, (39,), _proven_before),
    *_chain("PCK CA", _PCK_CRL_CHAIN, Role.PCK_CA),
    Detail("PCK CRL parses", partial(_list_parses, "pck_crl"), (22,), _proven_before),
    Detail("PCK CRL is the PCK CA's", _pck_list_issued, (19,), _proven_before),
    Detail("the root is in its validity", _root_window, (17, 18), _proven_before),
    Detail("root CRL is current", partial(_list_window, "root_ca_crl"), (20, 21), _proven_before),
    Detail(
        "TCB info signer is in its validity",
        partial(_chain_window, _TCB_CHAIN),
        (17, 18),
        _proven_before,
    ),
    Detail(
        "QE identity signer is in its validity",
        partial(_chain_window, _QE_CHAIN),
        (17, 18),
        _proven_before,
    ),
    Detail("TCB info is current", _tcb_info_window, (26, 27), _proven_before),
    Detail("QE identity is current", _qe_identity_window, (26, 27), _proven_before),
    Detail(
        "PCK CA is in its validity",
        partial(_chain_window, _PCK_CRL_CHAIN),
        (17, 18),
        _proven_before,
    ),
    Detail("PCK CRL is current", partial(_list_window, "pck_crl"), (20, 21), _proven_before),
    Detail("the collateral was verified under the pinned root", _same_root, (13,), _given_raw),
)
"""In the order in which verification asks: the first to fail is what verification refuses for."""
