"""
What can be wrong with evidence.

    QuotaryError
    ├── ParseError          hostile or damaged bytes: not the format they claim to be
    ├── CollateralError     supporting documents missing, stale, forged or of another platform
    └── VerificationError   well formed, but not genuine or not acceptable

Malformed input raises nothing else. Wrong use of the API (a naive `datetime`, a wrong type) raises
`TypeError` or `ValueError`, as everywhere in Python.
"""

from __future__ import annotations

from quotary.errors._reason import REMEDIES, Reason

__all__ = [
    "REMEDIES",
    "CollateralError",
    "ParseError",
    "QuotaryError",
    "Reason",
    "VerificationError",
]


class QuotaryError(Exception):
    """
    Evidence was refused.

    `reason` is stable and shared with the contracts, the API and the metrics; `item` names what was
    looked at; `expected` and `found` are short texts for people. The message is not stable.
    """

    def __init__(
        self, reason: Reason, item: str, *, expected: str | None = None, found: str | None = None
    ) -> None:
        """Refuse `item` for `reason`."""
        super().__init__(reason, item, expected, found)
        self.reason = reason
        self.item = item
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        """One line: reason, item, expected and found."""
        text = f"{self.reason}: {self.item}"
        if self.expected is not None:
            text += f": expected {self.expected}"
        if self.found is not None:
            text += f"{',' if self.expected is not None else ':'} found {self.found}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy with all values, so that process pools report refusals whole."""
        return (_rebuild, (type(self), self.reason, self.item, self.expected, self.found))

    @property
    def remedy(self) -> str:
        """What the reader can do about it."""
        return REMEDIES[self.reason]


class ParseError(QuotaryError):
    """The bytes are not what they claim to be."""


class CollateralError(QuotaryError):
    """The collateral cannot support a verdict."""


class VerificationError(QuotaryError):
    """The evidence is well formed but not genuine, or not acceptable."""


def _rebuild(
    kind: type[QuotaryError], reason: Reason, item: str, expected: str | None, found: str | None
) -> QuotaryError:
    return kind(reason, item, expected=expected, found=found)
