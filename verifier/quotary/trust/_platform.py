"""One platform, as its PCK certificate tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quotary._ecdsa import PublicKey, load_key
from quotary._keccak import keccak256
from quotary.errors import ParseError, Reason
from quotary.trust._rules import certificate_window
from quotary.trust._window import Window
from quotary.x509 import Certificate, PckIdentity

__all__ = ["PCK_ITEM", "Platform"]

PCK_ITEM: Final = "PCK certificate"


@dataclass(frozen=True, slots=True)
class Platform:
    """
    A platform whose PCK certificate was proven under one collateral. `windows` are its own.

    Kept small, as a collateral remembers many: `der` is the certificate, `key` its key, loaded.
    """

    der: bytes
    key: PublicKey
    identity: PckIdentity
    windows: tuple[Window, ...]
    valid_from: int
    valid_until: int

    @classmethod
    def assemble(cls, leaf: Certificate, above: tuple[Window, ...] = ()) -> Platform:
        """
        Read the platform out of a PCK certificate the caller has checked; raises `QuotaryError`.

        `above` are the windows of further certificates that were needed. Warning: nothing is
        verified here; `verify_pck_chain` is the way to a platform worth anything.
        """
        if leaf.sgx_extension is None:
            raise ParseError(Reason.PCK_EXT_INVALID, PCK_ITEM, expected="the SGX extension")
        windows = (*above, certificate_window(leaf, PCK_ITEM))
        return cls(
            der=leaf.der,
            key=load_key(leaf.public_key, f"key of {leaf.common_name}"),
            identity=PckIdentity.parse(leaf.sgx_extension),
            windows=windows,
            valid_from=max(window.start for window in windows),
            valid_until=min(window.end for window in windows),
        )

    @property
    def certificate(self) -> Certificate:
        """The PCK certificate, parsed anew."""
        return Certificate.parse(self.der, PCK_ITEM)

    @property
    def platform_id(self) -> bytes:
        """Keccak-256 of the PPID: the name journals and contracts know the platform by."""
        return keccak256(self.identity.ppid)
