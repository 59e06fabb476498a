"""One platform, as its PCK certificate tells it."""

from __future__ import annotations

from typing import Final, NamedTuple

from quotary._ecdsa import PublicKey, load_key
from quotary._keccak import keccak256
from quotary.errors import ParseError, Reason
from quotary.trust._rules import certificate_window
from quotary.trust._window import Window
from quotary.x509 import Certificate, PckIdentity

__all__ = ["PCK_ITEM", "Platform"]

PCK_ITEM: Final = "PCK certificate"


class Platform(NamedTuple):
    """
    A platform whose PCK certificate was proven under one collateral.

    Kept small, as a collateral remembers many: `der` is the certificate, `key` its key, loaded, and
    `above` the windows of further certificates that were needed. Times are Unix seconds.
    """

    der: bytes
    key: PublicKey
    identity: PckIdentity
    above: tuple[Window, ...]
    valid_from: int
    valid_until: int

    @classmethod
    def assemble(cls, leaf: Certificate, above: tuple[Window, ...] = ()) -> Platform:
        """
        Read the platform out of a PCK certificate the caller has checked; raises `QuotaryError`.

        Warning: nothing is verified here; `verify_pck_chain` is the way to a platform worth
        anything.
        """
        if leaf.sgx_extension is None:
            raise ParseError(Reason.PCK_EXT_INVALID, PCK_ITEM, expected="the SGX extension")
        key = load_key(leaf.public_key, f"key of {leaf.common_name}")
        identity = PckIdentity.parse(leaf.sgx_extension)
        valid_from, valid_until = leaf.not_before, leaf.not_after
        for window in above:
            valid_from, valid_until = max(valid_from, window.start), min(valid_until, window.end)
        return cls(leaf.der, key, identity, above, valid_from, valid_until)

    @property
    def windows(self) -> tuple[Window, ...]:
        """When each certificate is valid, in the order in which they are asked."""
        return (*self.above, certificate_window(self.certificate, PCK_ITEM))

    @property
    def certificate(self) -> Certificate:
        """The PCK certificate, parsed anew."""
        return Certificate.parse(self.der, PCK_ITEM)

    @property
    def platform_id(self) -> bytes:
        """Keccak-256 of the PPID: the name journals and contracts know the platform by."""
        return keccak256(self.identity.ppid)
