"""Step 3 in detail: every link of the PCK chain."""

from __future__ import annotations

from typing import Final

from quotary.errors import VerificationError
from quotary.quote import CertificationType
from quotary.trust import (
    Platform,
    certificate_window,
    require_not_revoked,
    require_same_authority,
    require_within,
)
from quotary.verify._certification import pck_chain_of
from quotary.verify._documents import window_found
from quotary.verify._facts import Detail, Facts, MissingFactError
from quotary.x509 import Certificate, Role, require_issued, require_role, split_pem

__all__ = ["CHAIN_DETAILS"]

_CHAIN: Final = "PCK chain"
_CA: Final = "PCK CA certificate"
_LEAF: Final = "PCK certificate"


def _at_hand(facts: Facts) -> str:
    quote = facts.quote
    try:
        chain = pck_chain_of(quote, facts.collateral)
    except MissingFactError:
        if quote.certification_type is not CertificationType.PCK_CHAIN:
            raise
        chain = quote.certification_data
    facts.keep(_CHAIN, chain)
    return f"certification data of type {quote.certification_type.value}"


def _shape(facts: Facts) -> str:
    leaf, authority, root = split_pem(facts.octets(_CHAIN), _CHAIN, 3)
    facts.keep(_LEAF, leaf)
    facts.keep(_CA, authority)
    facts.keep(f"{_CHAIN}: root", root)
    return "3 certificates"


def _pinned(facts: Facts) -> None:
    facts.root.require_pinned(facts.octets(f"{_CHAIN}: root"), _CHAIN)


def _parse(facts: Facts, item: str) -> str:
    certificate = Certificate.parse(facts.octets(item), item)
    facts.keep(item, certificate)
    return f"{certificate.common_name}, serial {certificate.serial:x}"


def _ca_parses(facts: Facts) -> str:
    return _parse(facts, _CA)


def _ca_role(facts: Facts) -> str:
    require_role(facts.certificate(_CA), Role.PCK_CA, _CA)
    return facts.certificate(_CA).common_name


def _ca_issued(facts: Facts) -> None:
    require_issued(facts.certificate(_CA), facts.root.certificate, _CA)


def _ca_stands(facts: Facts) -> str:
    authority = facts.certificate(_CA)
    require_not_revoked(authority, facts.collateral.root_crl, _CA, VerificationError)
    return f"serial {authority.serial:x} is not listed"


def _ca_listed(facts: Facts) -> str:
    authority = facts.certificate(_CA)
    require_same_authority(authority, facts.collateral.pck_ca)
    return f"the list of {authority.common_name}"


def _leaf_parses(facts: Facts) -> str:
    return _parse(facts, _LEAF)


def _leaf_role(facts: Facts) -> str:
    require_role(facts.certificate(_LEAF), Role.PCK, _LEAF)
    return facts.certificate(_LEAF).common_name


def _leaf_issued(facts: Facts) -> None:
    require_issued(facts.certificate(_LEAF), facts.certificate(_CA), _LEAF)


def _leaf_stands(facts: Facts) -> str:
    leaf = facts.certificate(_LEAF)
    require_not_revoked(leaf, facts.collateral.pck_crl, _LEAF, VerificationError)
    return f"serial {leaf.serial:x} is not listed"


def _identity(facts: Facts) -> str:
    facts.platform = Platform.assemble(facts.certificate(_LEAF))
    identity = facts.platform.identity
    return f"FMSPC {identity.fmspc.hex()}, PCE SVN {identity.pce_svn}"


def _window(facts: Facts, item: str) -> str:
    window = certificate_window(facts.certificate(item), item)
    require_within((window,), facts.at, VerificationError)
    return window_found(window)


def _ca_window(facts: Facts) -> str:
    return _window(facts, _CA)


def _leaf_window(facts: Facts) -> str:
    return _window(facts, _LEAF)


CHAIN_DETAILS: Final = (
    Detail("a PCK chain is at hand", _at_hand, (7,)),
    Detail("three certificates", _shape, (10,)),
    Detail("the chain ends at the pinned root", _pinned, (13,)),
    Detail("PCK CA certificate parses", _ca_parses, (16,)),
    Detail("PCK CA certificate has its role", _ca_role, (11, 14, 15)),
    Detail("PCK CA certificate is issued by the root", _ca_issued, (13,)),
    Detail("PCK CA certificate is not revoked", _ca_stands, (23,)),
    Detail("the PCK CRL is the one of this PCK CA", _ca_listed, (19,)),
    Detail("PCK certificate parses", _leaf_parses, (16,)),
    Detail("PCK certificate has its role", _leaf_role, (11, 14, 15)),
    Detail("PCK certificate is issued by the PCK CA", _leaf_issued, (13,)),
    Detail("PCK certificate is not revoked", _leaf_stands, (23,)),
    Detail("SGX extension names the platform", _identity, (44,)),
    Detail("PCK CA certificate is in its validity", _ca_window, (17, 18)),
    Detail("PCK certificate is in its validity", _leaf_window, (17, 18)),
)
"""In the order in which verification asks."""
