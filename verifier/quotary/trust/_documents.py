"""Signed documents, parsed once; signature, role and time are judged at every use."""

from __future__ import annotations

from typing import Final, Protocol, Self, TypeVar, cast

from quotary.trust._memory import Memory
from quotary.trust._rules import require_list_of
from quotary.x509 import Certificate, RevocationList

__all__ = ["READ_DOCUMENTS", "READ_LISTS", "read_list_of", "read_signed"]

READ_DOCUMENTS: Final[Memory[tuple[type[object], bytes], object]] = Memory(16)
"""What documents say, by their form and the SHA-256 of their bytes; each was signed by somebody."""

READ_LISTS: Final[Memory[bytes, RevocationList]] = Memory(16)
"""Revocation lists taken apart, by their exact bytes; each was signed by somebody."""


class _Document(Protocol):
    @classmethod
    def parse(cls, document: bytes) -> Self: ...


D = TypeVar("D", bound=_Document)


def read_signed(form: type[D], document: bytes, digest: bytes) -> D:
    """
    Return what `document`, whose SHA-256 is `digest`, says; raises `ParseError`.

    The caller has checked a signature over `digest`, and judges the document's time and type.
    """
    known = READ_DOCUMENTS.recall((form, digest))
    if known is None:
        known = form.parse(document)
        READ_DOCUMENTS.remember((form, digest), known)
    return cast("D", known)


def read_list_of(issuer: Certificate, der: bytes, item: str) -> RevocationList:
    """
    Return the revocation list that `issuer` signed; raises `CollateralError` or `ParseError`.

    Name, key id and signature are checked whether the list was met before or not.
    """
    known = READ_LISTS.recall(der)
    crl = RevocationList.parse(der, item) if known is None else known
    require_list_of(crl, issuer, item)
    if known is None:
        READ_LISTS.remember(der, crl)
    return crl
