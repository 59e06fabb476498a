"""
Collateral from Intel's PCS or any PCCS, and the cache that keeps it.

    with_cache = CollateralClient(cache=CollateralCache(folder))
    fetched = with_cache.current(Quote.parse(data), at=datetime.now(UTC))

Importing this opens no socket and needs no extra; making a client needs the extra `fetch`.
"""

from __future__ import annotations

from quotary.fetch._catalogues import FmspcPlatform, KnownFmspc
from quotary.fetch._documents import PckCrl, SignedDocument
from quotary.fetch._exchange import FetchEvent, FetchState, Progress
from quotary.fetch.cache import CacheEntry, CollateralCache
from quotary.fetch.client import (
    DEFAULT_MARGIN,
    AsyncCollateralClient,
    CollateralClient,
    FetchedCollateral,
)
from quotary.fetch.errors import FetchError, MissingExtraError
from quotary.fetch.settings import (
    INTEL_PCS_URL,
    INTEL_ROOT_CRL_URL,
    CollateralService,
    Limits,
    Retries,
    UpdateChannel,
)
from quotary.fetch.targets import (
    FMSPC_BYTES,
    PckCa,
    PckLeaf,
    PckRequest,
    PlatformKey,
    Target,
    target_of,
)

__all__ = [
    "DEFAULT_MARGIN",
    "FMSPC_BYTES",
    "INTEL_PCS_URL",
    "INTEL_ROOT_CRL_URL",
    "AsyncCollateralClient",
    "CacheEntry",
    "CollateralCache",
    "CollateralClient",
    "CollateralService",
    "FetchError",
    "FetchEvent",
    "FetchState",
    "FetchedCollateral",
    "FmspcPlatform",
    "KnownFmspc",
    "Limits",
    "MissingExtraError",
    "PckCa",
    "PckCrl",
    "PckLeaf",
    "PckRequest",
    "PlatformKey",
    "Progress",
    "Retries",
    "SignedDocument",
    "Target",
    "UpdateChannel",
    "target_of",
]
