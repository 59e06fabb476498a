"""One refusal for each reason that fetching and filing collateral can give."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from quotary import Reason, TrustRoot
from quotary.fetch import (
    CollateralCache,
    CollateralClient,
    CollateralService,
    Limits,
    PckCa,
    PlatformKey,
    Retries,
    UpdateChannel,
)
from quotary.tcb import TeeType
from quotary_enclave.simulator import Platform, Simulator

from tests.verifier.fetch import service as faults
from tests.verifier.fetch.service import Fault, Service, serving
from tests.verifier.fetch.test_tls import certificate

__all__ = ["FETCH_REFUSALS", "FOLDER_PREFIX"]

FOLDER_PREFIX = "quotary-refusal-"

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SIMULATOR = Simulator(AT, seed=b"refusals")
LIMITS = Limits(connect_seconds=10, read_seconds=10, document_seconds=10, total_seconds=60)


def platform() -> Platform:
    """The one platform the service knows."""
    return SIMULATOR.platform()


def key() -> PlatformKey:
    """What its collateral is asked for by."""
    return PlatformKey(TeeType.TDX, platform().pck.fmspc, PckCa.PLATFORM)


def fetched(*fault: Fault, tls: Path | None = None, limits: Limits = LIMITS) -> object:
    """Fetch from a PCCS whose answers about TCB info have these faults."""
    service = Service(pccs=True)
    service.publish(SIMULATOR.collateral(platform()))
    service.fail("/tcb", *fault)
    with serving(service, tls):
        settings = CollateralService.pccs(service.url, limits=limits, retries=Retries(attempts=1))
        client = CollateralClient(settings, root=TrustRoot.from_certificate(SIMULATOR.root_der))
        return client.fetch(key(), at=AT)


def strange_authority() -> object:
    """A certificate of an authority nobody named."""
    with folder() as path:
        return fetched(tls=certificate(path, "127.0.0.1"))


def too_slow() -> object:
    """Bytes that drip beyond the document's time."""
    return fetched(faults.slow_body, limits=replace(LIMITS, document_seconds=0.3))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for a moment."""
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        yield Path(name)


def filed(path: Path) -> CollateralCache:
    """A cache in `path`."""
    return CollateralCache(path, root=TrustRoot.from_certificate(SIMULATOR.root_der))


def nothing_filed() -> object:
    """An empty cache asked for collateral."""
    with folder() as path:
        return filed(path).load(key(), UpdateChannel())


def damaged() -> object:
    """A file of the cache that is no entry."""
    with folder() as path:
        cache = filed(path)
        entry = cache.path(key(), UpdateChannel())
        entry.parent.mkdir(parents=True)
        entry.write_bytes(b"{}")
        return cache.load(key(), UpdateChannel())


def link_outside() -> object:
    """A link in the cache that leads out of it."""
    with folder() as path, folder() as outside:
        cache = filed(path)
        base = cache.path(key(), UpdateChannel()).parents[2]
        base.parent.mkdir(parents=True, exist_ok=True)
        base.symlink_to(outside, target_is_directory=True)
        return cache.load(key(), UpdateChannel())


FETCH_REFUSALS: dict[Reason, Callable[[], object]] = {
    Reason.FETCH_FAILED: partial(fetched, faults.hang_up),
    Reason.FETCH_TIMEOUT: too_slow,
    Reason.FETCH_STATUS: partial(fetched, faults.status(503)),
    Reason.FETCH_ANSWER_INVALID: partial(
        fetched, faults.without_header("SGX-TCB-Info-Issuer-Chain")
    ),
    Reason.TLS_REQUIRED: partial(CollateralService.pccs, "http://pccs.example"),
    Reason.TLS_UNTRUSTED: strange_authority,
    Reason.HOST_NOT_ALLOWED: partial(CollateralService, base_url="https://pccs.example"),
    Reason.REDIRECT_REFUSED: partial(fetched, faults.redirect("http://169.254.169.254/")),
    Reason.PLATFORM_UNKNOWN: partial(fetched, faults.status(404)),
    Reason.PATH_ESCAPE: link_outside,
    Reason.CACHE_DAMAGED: damaged,
    Reason.CACHE_EMPTY: nothing_filed,
}
