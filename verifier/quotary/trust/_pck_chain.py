"""The PCK chain: from the pinned root to one platform."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from quotary.errors import VerificationError
from quotary.trust._authorities import verify_authority
from quotary.trust._collateral import Collateral
from quotary.trust._platform import PCK_ITEM, Platform
from quotary.trust._rules import certificate_window, require_not_revoked, require_same_authority
from quotary.trust._window import Window
from quotary.x509 import Certificate, Role, require_issued, require_role, split_pem

__all__ = ["verify_pck_chain"]

_CHAIN: Final = "PCK chain"
_CA_ITEM: Final = "PCK CA certificate"


def verify_pck_chain(pem: bytes, collateral: Collateral) -> Platform:
    """
    Verify leaf, PCK CA and root; raises `VerificationError` or `ParseError`.

    The caller checks `windows` against its time. The revocation list must be the one of this leaf's
    issuer. The collateral's own PCK CA certificate is known good, and so is a chain this collateral
    has proven before: the same bytes need no second check.
    """
    if collateral.remembers == 0:
        return _verify(pem, collateral)
    key = sha256(pem).digest()
    known = collateral.platforms.recall(key)
    if known is not None:
        return known
    platform = _verify(pem, collateral)
    collateral.platforms.remember(key, platform)
    return platform


def _verify(pem: bytes, collateral: Collateral) -> Platform:
    leaf_der, ca_der, root_der = split_pem(pem, _CHAIN, 3)
    collateral.root.require_pinned(root_der, _CHAIN)
    authority = collateral.pck_ca
    windows: tuple[Window, ...] = ()
    if ca_der != authority.der:
        authority = _other_authority(ca_der, collateral)
        windows = (certificate_window(authority, _CA_ITEM),)
    leaf = Certificate.parse(leaf_der, PCK_ITEM)
    require_role(leaf, Role.PCK, PCK_ITEM)
    require_issued(leaf, authority, PCK_ITEM)
    require_not_revoked(leaf, collateral.pck_crl, PCK_ITEM, VerificationError)
    return Platform.assemble(leaf, windows)


def _other_authority(der: bytes, collateral: Collateral) -> Certificate:
    """Verify a PCK CA certificate other than the collateral's: same name, same key."""
    root = collateral.root.certificate
    authority = verify_authority(der, Role.PCK_CA, root, _CA_ITEM, VerificationError)
    require_not_revoked(authority, collateral.root_crl, _CA_ITEM, VerificationError)
    require_same_authority(authority, collateral.pck_ca)
    return authority
