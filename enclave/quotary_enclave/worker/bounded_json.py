"""
JSON from strangers.

Python's parser recurses; how deep it may is a setting of the whole process that any library can
raise, and past the stack's end the process dies. So the depth is counted before parsing.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["MAX_DEPTH", "loads"]

MAX_DEPTH: Final = 32
"""Chat requests nest six levels deep, genuine evidence five."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def loads(content: bytes | str) -> Any:  # noqa: ANN401 - what JSON holds is for the caller to ask
    """The value in `content`. Raises `ValueError`: not UTF-8, not JSON, or nested too deep."""
    text = content if isinstance(content, str) else content.decode()
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested over {MAX_DEPTH} levels deep")
        elif first in "]}":
            depth -= 1
    return json.loads(text)
