"""The PCK chain: from the pinned root to one platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from quotary._keccak import keccak256
from quotary.errors import ParseError, Reason, VerificationError
from quotary.trust._collateral import Collateral
from quotary.trust._window import Window, WindowKind
from quotary.x509 import (
    Certificate,
    PckIdentity,
    Role,
    require_issued,
    require_role,
    split_pem,
)

__all__ = ["Platform", "verify_pck_chain"]

_CHAIN: Final = "PCK chain"
_LEAF: Final = "PCK certificate"


@dataclass(frozen=True)
class Platform:
    """A platform whose PCK certificate was proven under one collateral. `windows` are its own."""

    certificate: Certificate
    identity: PckIdentity
    windows: tuple[Window, ...]
    valid_from: int
    valid_until: int

    @cached_property
    def platform_id(self) -> bytes:
        """Keccak-256 of the PPID: the name journals and contracts know the platform by."""
        return keccak256(self.identity.ppid)


def verify_pck_chain(pem: bytes, collateral: Collateral) -> Platform:
    """
    Verify leaf, PCK CA and root; raises `VerificationError` or `ParseError`.

    The caller checks `windows` against its time. The revocation list must be the one of this leaf's
    issuer. The collateral's own PCK CA certificate is known good: the same bytes need no second
    check.
    """
    leaf_der, ca_der, root_der = split_pem(pem, _CHAIN, 3)
    collateral.root.require_pinned(root_der, _CHAIN)
    authority = collateral.pck_ca
    windows: tuple[Window, ...] = ()
    if ca_der != authority.der:
        authority = _other_authority(ca_der, collateral)
        windows = (_window(authority, "PCK CA certificate"),)
    leaf = Certificate.parse(leaf_der, _LEAF)
    require_role(leaf, Role.PCK, _LEAF)
    require_issued(leaf, authority, _LEAF)
    if leaf.serial in collateral.pck_crl.revoked:
        raise VerificationError(
            Reason.CERT_REVOKED,
            _LEAF,
            expected="a certificate in good standing",
            found=f"serial {leaf.serial:x}",
        )
    if leaf.sgx_extension is None:
        raise ParseError(Reason.PCK_EXT_INVALID, _LEAF, expected="the SGX extension")
    windows = (*windows, _window(leaf, _LEAF))
    return Platform(
        certificate=leaf,
        identity=PckIdentity.parse(leaf.sgx_extension),
        windows=windows,
        valid_from=max(window.start for window in windows),
        valid_until=min(window.end for window in windows),
    )


def _other_authority(der: bytes, collateral: Collateral) -> Certificate:
    """Verify a PCK CA certificate other than the collateral's: same name, same key."""
    item = "PCK CA certificate"
    authority = Certificate.parse(der, item)
    require_role(authority, Role.PCK_CA, item)
    require_issued(authority, collateral.root.certificate, item)
    if authority.serial in collateral.root_crl.revoked:
        raise VerificationError(Reason.CERT_REVOKED, item, found=f"serial {authority.serial:x}")
    known = collateral.pck_ca
    if authority.subject != known.subject or authority.public_key != known.public_key:
        raise VerificationError(
            Reason.CRL_ISSUER_MISMATCH,
            "pck_crl",
            expected=f"the revocation list of {authority.common_name}",
            found=f"that of {known.common_name}",
        )
    return authority


def _window(certificate: Certificate, item: str) -> Window:
    return Window(item, WindowKind.CERTIFICATE, certificate.not_before, certificate.not_after)
