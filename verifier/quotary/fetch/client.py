"""
The clients: twins with the same methods, one that blocks and one for asyncio.

Both only carry requests and answers; what to ask, what answers mean and what is refused is decided
in `_plan`, `_documents` and `_exchange`, once for both.

INTEGRATOR RESPONSIBILITIES. `fetch` and `current` return verified collateral; the methods that
fetch one document return it unverified. `CollateralService.pccs` believes its caller about the
address: never give it one that came with a request.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from quotary.collateral import RawCollateral
from quotary.errors import Reason
from quotary.fetch import _plan as plans
from quotary.fetch._catalogues import FmspcPlatform, KnownFmspc
from quotary.fetch._documents import PckCrl, SignedDocument
from quotary.fetch._exchange import FetchEvent, Pause, Progress, Request, Response, exchange
from quotary.fetch.cache import CollateralCache
from quotary.fetch.errors import FetchError, MissingExtraError
from quotary.fetch.settings import CollateralService
from quotary.fetch.targets import PckCa, PckLeaf, PckRequest, PlatformKey, Target, target_of
from quotary.quote import Quote
from quotary.tcb import TeeType
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, verify_pck_chain

if TYPE_CHECKING:
    from quotary.fetch._http import AsyncHttp, Http

__all__ = ["AsyncCollateralClient", "CollateralClient", "FetchedCollateral"]

T = TypeVar("T")

DEFAULT_MARGIN: Final = timedelta(days=1)
"""Cached collateral that ends sooner than this is fetched anew."""


@dataclass(frozen=True, slots=True)
class FetchedCollateral:
    """
    Verified collateral, and the bytes it was verified from.

    `raw` is what `quotary.verify` and the JSON form take; it has a `pck_certificate_chain` when the
    target had none of its own. `from_cache` says that no service was asked for it.
    """

    key: PlatformKey
    raw: RawCollateral
    collateral: Collateral
    from_cache: bool


class _Client:
    """What the twins share: every decision that is neither sending nor waiting."""

    def __init__(
        self,
        service: CollateralService,
        root: TrustRoot,
        cache: CollateralCache | None,
        progress: Progress | None,
    ) -> None:
        self.service = service
        self.root = root
        self.cache = cache
        self._progress: Progress = progress or _silent

    def _accept(self, fetched: plans.Fetched, at: datetime) -> FetchedCollateral:
        """Verify first, then file: nothing unverified ever reaches the cache."""
        collateral = Collateral.verify(fetched.raw, self.root, at=at)
        if fetched.raw.pck_certificate_chain is not None:
            verify_pck_chain(fetched.raw.pck_certificate_chain, collateral)
        if self.cache is not None:
            # A PCK chain belongs to one platform, a cache entry to all platforms of its family.
            shared = replace(fetched.raw, pck_certificate_chain=None)
            self.cache.store(fetched.key, self.service.channel, shared, at=at)
        return FetchedCollateral(fetched.key, fetched.raw, collateral, from_cache=False)

    def _cached(
        self, target: PlatformKey | PckLeaf, at: datetime, margin: timedelta
    ) -> FetchedCollateral | None:
        if self.cache is None:
            return None
        key = target if isinstance(target, PlatformKey) else target.key
        entry = self.cache.fresh(key, self.service.channel, at=at, margin=margin)
        if entry is None:
            return None
        raw, collateral = entry.raw, entry.collateral
        if isinstance(target, PckLeaf):
            chain = target.chain(raw.pck_crl_issuer_chain)
            verify_pck_chain(chain, collateral)
            raw = replace(raw, pck_certificate_chain=chain)
            collateral = replace(collateral, pck_certificate_chain=chain)
        return FetchedCollateral(key, raw, collateral, from_cache=True)


class CollateralClient(_Client):
    """
    Fetches collateral; blocks.

    Every method raises `FetchError` when the service does not deliver, and the errors of
    `quotary.errors` when what it delivers is not genuine. Holds no connection between calls; one
    client may serve many threads.
    """

    def __init__(
        self,
        service: CollateralService | None = None,
        *,
        root: TrustRoot = INTEL_ROOT,
        cache: CollateralCache | None = None,
        progress: Progress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Fetch from `service` (Intel's by default), believing `root`.

        Raises `MissingExtraError` in a base install, `OSError` for an unreadable `ca_file`.
        """
        super().__init__(service or CollateralService(), root, cache, progress)
        _require_extra()
        from quotary.fetch._http import Http  # noqa: PLC0415 - the base install has no httpcore

        self._http: Http = Http(self.service)
        self._sleep = sleep

    def fetch(self, target: Target | Quote, *, at: datetime) -> FetchedCollateral:
        """Ask the service for everything `target` needs, verify it at `at`, and file it."""
        wanted = target_of(target) if isinstance(target, Quote) else target
        return self._accept(self._run(plans.collect(self.service, wanted)), at)

    def current(
        self, target: Target | Quote, *, at: datetime, margin: timedelta = DEFAULT_MARGIN
    ) -> FetchedCollateral:
        """Return what the cache holds if it is valid for `margin` more, else `fetch`."""
        wanted = target_of(target) if isinstance(target, Quote) else target
        if isinstance(wanted, PckRequest):
            wanted = PckLeaf.of_chain(wanted.tee_type, self.pck_chain(wanted))
        return self._cached(wanted, at, margin) or self.fetch(wanted, at=at)

    def tcb_info(self, tee_type: TeeType, fmspc: bytes) -> SignedDocument:
        """Fetch one TCB info, unverified."""
        return self._run(plans.tcb_info(self.service, tee_type, fmspc))

    def qe_identity(self, tee_type: TeeType) -> SignedDocument:
        """Fetch one QE identity, unverified."""
        return self._run(plans.qe_identity(self.service, tee_type))

    def pck_crl(self, ca: PckCa) -> PckCrl:
        """Fetch the revocation list of a PCK CA, unverified."""
        return self._run(plans.pck_crl(self.service, ca))

    def root_ca_crl(self) -> bytes:
        """Fetch the root's revocation list, DER, unverified."""
        return self._run(plans.root_ca_crl(self.service))

    def pck_chain(self, wanted: PckRequest) -> bytes:
        """Fetch the PCK chain of one platform, PEM, unverified."""
        return self._run(plans.pck_chain(self.service, wanted))

    def fmspcs(self, platform: FmspcPlatform = FmspcPlatform.ALL) -> tuple[KnownFmspc, ...]:
        """Fetch the platform families the service knows: nobody signs this list."""
        return self._run(plans.fmspcs(self.service, platform))

    def tcb_evaluations(self, tee_type: TeeType) -> SignedDocument:
        """Fetch the list of TCB evaluations, unverified: see `quotary.trust.verify_evaluations`."""
        return self._run(plans.tcb_evaluations(self.service, tee_type))

    def _run(self, plan: plans.Plan[T]) -> T:
        budget = _Budget(self.service.limits.total_seconds)
        result: T
        try:
            batch = next(plan)
            while True:
                batch = plan.send(tuple(self._exchange(request, budget) for request in batch))
        except StopIteration as stop:
            result = stop.value
        return result

    def _exchange(self, request: Request, budget: _Budget) -> Response:
        steps = exchange(request, self.service.retries, self._progress)
        response: Response
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    self._sleep(budget.allow(step.seconds, request))
                    step = next(steps)
                else:
                    step = steps.send(self._http.send(step, budget.left(request)))
        except StopIteration as stop:
            response = stop.value
        return response


class AsyncCollateralClient(_Client):
    """
    Fetches collateral from asyncio programs: `CollateralClient`, awaited.

    Documents that do not depend on each other are fetched at the same time. The cache's few files
    are read and written in a thread.
    """

    def __init__(
        self,
        service: CollateralService | None = None,
        *,
        root: TrustRoot = INTEL_ROOT,
        cache: CollateralCache | None = None,
        progress: Progress | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Fetch from `service`, believing `root`. Raises as `CollateralClient` does."""
        super().__init__(service or CollateralService(), root, cache, progress)
        _require_extra()
        from quotary.fetch._http import AsyncHttp  # noqa: PLC0415 - as above

        self._http: AsyncHttp = AsyncHttp(self.service)
        self._sleep = sleep

    async def fetch(self, target: Target | Quote, *, at: datetime) -> FetchedCollateral:
        """Ask the service for everything `target` needs, verify it at `at`, and file it."""
        wanted = target_of(target) if isinstance(target, Quote) else target
        fetched = await self._run(plans.collect(self.service, wanted))
        return await asyncio.to_thread(self._accept, fetched, at)

    async def current(
        self, target: Target | Quote, *, at: datetime, margin: timedelta = DEFAULT_MARGIN
    ) -> FetchedCollateral:
        """Return what the cache holds if it is valid for `margin` more, else `fetch`."""
        wanted = target_of(target) if isinstance(target, Quote) else target
        if isinstance(wanted, PckRequest):
            wanted = PckLeaf.of_chain(wanted.tee_type, await self.pck_chain(wanted))
        cached = await asyncio.to_thread(self._cached, wanted, at, margin)
        return cached or await self.fetch(wanted, at=at)

    async def tcb_info(self, tee_type: TeeType, fmspc: bytes) -> SignedDocument:
        """Fetch one TCB info, unverified."""
        return await self._run(plans.tcb_info(self.service, tee_type, fmspc))

    async def qe_identity(self, tee_type: TeeType) -> SignedDocument:
        """Fetch one QE identity, unverified."""
        return await self._run(plans.qe_identity(self.service, tee_type))

    async def pck_crl(self, ca: PckCa) -> PckCrl:
        """Fetch the revocation list of a PCK CA, unverified."""
        return await self._run(plans.pck_crl(self.service, ca))

    async def root_ca_crl(self) -> bytes:
        """Fetch the root's revocation list, DER, unverified."""
        return await self._run(plans.root_ca_crl(self.service))

    async def pck_chain(self, wanted: PckRequest) -> bytes:
        """Fetch the PCK chain of one platform, PEM, unverified."""
        return await self._run(plans.pck_chain(self.service, wanted))

    async def fmspcs(self, platform: FmspcPlatform = FmspcPlatform.ALL) -> tuple[KnownFmspc, ...]:
        """Fetch the platform families the service knows: nobody signs this list."""
        return await self._run(plans.fmspcs(self.service, platform))

    async def tcb_evaluations(self, tee_type: TeeType) -> SignedDocument:
        """Fetch the list of TCB evaluations, unverified: see `quotary.trust.verify_evaluations`."""
        return await self._run(plans.tcb_evaluations(self.service, tee_type))

    async def _run(self, plan: plans.Plan[T]) -> T:
        budget = _Budget(self.service.limits.total_seconds)
        result: T
        try:
            batch = next(plan)
            while True:
                batch = plan.send(await self._batch(batch, budget))
        except StopIteration as stop:
            result = stop.value
        return result

    async def _batch(self, batch: tuple[Request, ...], budget: _Budget) -> tuple[Response, ...]:
        tasks = [asyncio.ensure_future(self._exchange(request, budget)) for request in batch]
        try:
            return tuple(await asyncio.gather(*tasks))
        finally:
            # The first failure decides; what is still under way would only hold connections.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _exchange(self, request: Request, budget: _Budget) -> Response:
        steps = exchange(request, self.service.retries, self._progress)
        response: Response
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await self._sleep(budget.allow(step.seconds, request))
                    step = next(steps)
                else:
                    step = steps.send(await self._http.send(step, budget.left(request)))
        except StopIteration as stop:
            response = stop.value
        return response


class _Budget:
    """The time one call may take, with all its documents and retries."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def left(self, request: Request) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise FetchError(Reason.FETCH_TIMEOUT, request.item, found="no time left for it")
        return left

    def allow(self, seconds: float, request: Request) -> float:
        if seconds >= self.left(request):
            raise FetchError(Reason.FETCH_TIMEOUT, request.item, found="no time left to ask again")
        return seconds


def _require_extra() -> None:
    try:
        importlib.import_module("httpcore")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "fetching collateral takes the extra `fetch`: pip install 'quotary[fetch]'"
        ) from error


def _silent(event: FetchEvent) -> None:
    del event
