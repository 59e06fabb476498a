"""Which root collateral stands under, and which PCK chain speaks for a quote."""

from __future__ import annotations

from typing import Final

from quotary.errors import CollateralError, Reason
from quotary.quote import CertificationType, Quote
from quotary.trust import Collateral, TrustRoot
from quotary.x509 import split_pem

__all__ = ["pck_chain_of", "require_root"]

_ITEM: Final = "pck_certificate_chain"
_CHAIN_LENGTH: Final = 3


def pck_chain_of(quote: Quote, collateral: Collateral) -> bytes:
    """
    Return the PEM chain to verify the quote with.

    The quote's own chain is used; a chain in the collateral must then start with the same leaf, so
    that FMSPC and platform never come from a certificate the caller did not expect. A quote without
    a chain needs the collateral's. Raises `CollateralError`.
    """
    given = collateral.pck_certificate_chain
    if quote.certification_type is CertificationType.PCK_CHAIN:
        own = quote.certification_data
        if given is not None and _leaf(given) != _leaf(own):
            raise _conflict()
        return own
    if given is None:
        raise CollateralError(
            Reason.PCK_CHAIN_MISSING,
            _ITEM,
            expected="a PCK chain in the quote or in the collateral",
            found=f"certification data of type {quote.certification_type}",
        )
    if quote.certification_type is CertificationType.PCK_LEAF:
        data = quote.certification_data
        own_leaf = data if data[:1] == b"\x30" else split_pem(data, "PCK certificate", 1)[0]
        if own_leaf != _leaf(given):
            raise _conflict()
    return given


def require_root(collateral: Collateral, root: TrustRoot) -> None:
    """Raise `CollateralError` when `collateral` was verified under another root than `root`."""
    known = collateral.root
    if known is not root and known.certificate.der != root.certificate.der:
        raise CollateralError(
            Reason.ROOT_NOT_PINNED,
            "collateral",
            expected=f"root key {root.key_hash.hex()}",
            found=collateral.root.key_hash.hex(),
        )


def _leaf(pem: bytes) -> bytes:
    return split_pem(pem, _ITEM, _CHAIN_LENGTH)[0]


def _conflict() -> CollateralError:
    return CollateralError(
        Reason.PCK_CHAIN_CONFLICT, _ITEM, expected="the PCK certificate the quote carries"
    )
