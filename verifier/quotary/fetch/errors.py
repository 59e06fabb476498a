"""What goes wrong between a client and a collateral service."""

from __future__ import annotations

from quotary.errors import QuotaryError

__all__ = ["FetchError", "MissingExtraError"]


class FetchError(QuotaryError):
    """
    The service could not be reached, or did not give what was asked for.

    This says nothing about evidence: what was fetched and is not genuine raises the errors of
    `quotary.errors`, as it does wherever it came from.
    """


class MissingExtraError(ImportError):
    """The base install does not fetch: the extra named in the message is missing."""
