"""The JCS form (RFC 8785), by its library, and the digests ACI takes of it (appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import rfc8785

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document

__all__ = ["API_VERSION", "body_hash", "canonical", "require_version"]

API_VERSION: Final = "aci/1"

_MOST_VALUES: Final = 1000
"""Genuine keysets, receipts and sessions have under a hundred; thousands take milliseconds."""


def canonical(values: Mapping[str, Any], item: str) -> bytes:
    """Return the JCS form of a parsed document; raises `ParseError` for what has none."""
    _require_few(values, item)
    try:
        return rfc8785.dumps(dict(values))
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise ParseError(
            Reason.JSON_INVALID, item, expected="a document with a JCS form"
        ) from error


def body_hash(body: bytes) -> str:
    """`sha256:` and the hex digest of `body`."""
    return "sha256:" + sha256(body).hexdigest()


def require_version(fields: Document, item: str) -> None:
    """Raise `VerificationError` unless the document is of `aci/1` (appendix B)."""
    version = fields.text("api_version")
    if version != API_VERSION:
        raise VerificationError(
            Reason.API_VERSION_UNSUPPORTED, item, expected=API_VERSION, found=ascii(version)[:80]
        )


def _require_few(document: Mapping[str, Any], item: str) -> None:
    found = 0
    left: list[Any] = [document]
    while left:
        value = left.pop()
        found += len(value)
        if found > _MOST_VALUES:
            raise ParseError(
                Reason.JSON_INVALID, item, expected=f"at most {_MOST_VALUES} members and entries"
            )
        inner = value if isinstance(value, list) else value.values()
        left += [each for each in inner if isinstance(each, dict | list)]
