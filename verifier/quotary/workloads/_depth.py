"""
How deep JSON nests and how much it opens, found without recursion.

The standard parser recurses on the C stack and trusts the interpreter's recursion limit to stop it.
Libraries raise that limit for the whole process (py_ecc does, at import), and then a few kilobytes
of brackets end the process instead of raising an error.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["FEW_OPENINGS", "nests_deeper_than", "openings"]

# A text that never ends takes the rest: no parser gets past it, and nothing is scanned twice.
_TEXT: Final = r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)'
_TEXTS: Final = re.compile(_TEXT, re.DOTALL)
_TOKENS: Final = re.compile(_TEXT + r"|[\[{]+|[\]}]+", re.DOTALL)
FEW_OPENINGS: Final = 1000
"""So many cost nothing worth a second look."""


def nests_deeper_than(text: str, limit: int) -> bool:
    """
    Whether a JSON parser reading `text` could get more than `limit` levels deep.

    Exact for JSON; for other texts, up to where a parser stops reading, never too small.
    """
    depth = 0
    for match in _TOKENS.finditer(text):
        first = text[match.start()]
        if first in "[{":
            depth += match.end() - match.start()
            if depth > limit:
                return True
        elif first in "]}":
            depth -= match.end() - match.start()
    return False


def openings(text: str) -> int:
    """How many objects and lists `text` opens; brackets in texts count while they are few."""
    counted = text.count("{") + text.count("[")
    if counted <= FEW_OPENINGS:
        return counted
    bare = _TEXTS.sub("", text)
    return bare.count("{") + bare.count("[")
