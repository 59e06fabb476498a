"""The PCK chain: from the pinned root to one platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from quotary._keccak import keccak256
from quotary.errors import ParseError, Reason, VerificationError
from quotary.trust._collateral import Collateral
from quotary.trust._rules import (
    certificate_window,
    require_not_revoked,
    require_same_authority,
)
from quotary.trust._window import Window
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

    @classmethod
    def assemble(cls, leaf: Certificate, above: tuple[Window, ...] = ()) -> Platform:
        """
        Read the platform out of a PCK certificate the caller has checked; raises `ParseError`.

        `above` are the windows of further certificates that were needed. Warning: nothing is
        verified here; `verify_pck_chain` is the way to a platform worth anything.
        """
        if leaf.sgx_extension is None:
            raise ParseError(Reason.PCK_EXT_INVALID, _LEAF, expected="the SGX extension")
        windows = (*above, certificate_window(leaf, _LEAF))
        return cls(
            certificate=leaf,
            identity=PckIdentity.parse(leaf.sgx_extension),
            windows=windows,
            valid_from=max(window.start for window in windows),
            valid_until=min(window.end for window in windows),
        )

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
        windows = (certificate_window(authority, "PCK CA certificate"),)
    leaf = Certificate.parse(leaf_der, _LEAF)
    require_role(leaf, Role.PCK, _LEAF)
    require_issued(leaf, authority, _LEAF)
    require_not_revoked(leaf, collateral.pck_crl, _LEAF, VerificationError)
    return Platform.assemble(leaf, windows)


def _other_authority(der: bytes, collateral: Collateral) -> Certificate:
    """Verify a PCK CA certificate other than the collateral's: same name, same key."""
    item = "PCK CA certificate"
    authority = Certificate.parse(der, item)
    require_role(authority, Role.PCK_CA, item)
    require_issued(authority, collateral.root.certificate, item)
    require_not_revoked(authority, collateral.root_crl, item, VerificationError)
    require_same_authority(authority, collateral.pck_ca)
    return authority
