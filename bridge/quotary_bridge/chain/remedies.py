"""What a person can do about each custom error; names are the contracts' own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["REMEDIES"]

REMEDIES: Mapping[str, str] = MappingProxyType({})
