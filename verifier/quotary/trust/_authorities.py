"""Certificates issued by a root itself: few, fixed, and met in every collateral."""

from __future__ import annotations

from typing import Final

from quotary.errors import QuotaryError
from quotary.trust._memory import Memory
from quotary.x509 import Certificate, Role, require_issued, require_role

__all__ = ["PROVEN_AUTHORITIES", "verify_authority"]

PROVEN_AUTHORITIES: Final[Memory[tuple[bytes, bytes, Role], Certificate]] = Memory(64)
"""
By the bytes of certificate and root, and the role it was proven for. Intel's hierarchy has three.

That one key signed the other is a fact about bytes: it holds for ever and for everyone. Validity
and revocation are not part of it.
"""


def verify_authority(
    der: bytes, role: Role, root: Certificate, item: str, error: type[QuotaryError]
) -> Certificate:
    """
    Return the certificate `root` issued for `role`; raises `error` or `ParseError`.

    The caller checks validity and revocation, whether the certificate was met before or not.
    """
    key = der, root.der, role
    known = PROVEN_AUTHORITIES.recall(key)
    if known is not None:
        return known
    certificate = Certificate.parse(der, item)
    require_role(certificate, role, item, error)
    require_issued(certificate, root, item, error)
    PROVEN_AUTHORITIES.remember(key, certificate)
    return certificate
