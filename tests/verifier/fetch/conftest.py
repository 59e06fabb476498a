"""A simulated platform, a service that knows it, and both clients behind one face."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quotary.cli import main
from quotary.errors import QuotaryError, Reason
from quotary.fetch import (
    AsyncCollateralClient,
    CollateralClient,
    CollateralService,
    Limits,
    PckCa,
    PlatformKey,
    Retries,
)
from quotary.tcb import TeeType
from quotary.trust import TrustRoot
from quotary_enclave.simulator import Platform, Simulator

from tests.verifier.fetch.service import Service, serving

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
END = AT + timedelta(days=25)
"""Simulated collateral is issued five days before `AT` for thirty days."""

PATIENT = Limits(connect_seconds=60, read_seconds=60, document_seconds=60, total_seconds=300)

Run = Callable[..., int]


class Twin:
    """One of the two clients; what it returns is awaited where that is needed."""

    def __init__(self, kind: str, service: CollateralService, **options: Any) -> None:
        """Make a client that remembers its waits in place of waiting."""
        self.waits: list[float] = []
        if kind == "sync":
            self.client: Any = CollateralClient(service, sleep=self.waits.append, **options)
        else:
            self.client = AsyncCollateralClient(service, sleep=self._sleep, **options)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The client's method, its result awaited if it has to be."""
        method = getattr(self.client, name)

        def call(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            return asyncio.run(_result(result)) if inspect.isawaitable(result) else result

        return call


async def _result(awaitable: Any) -> Any:
    return await awaitable


@pytest.fixture(scope="session")
def simulator() -> Simulator:
    return Simulator(AT, seed=b"collateral client")


@pytest.fixture(scope="session")
def platform(simulator: Simulator) -> Platform:
    return simulator.platform()


@pytest.fixture(scope="session")
def root(simulator: Simulator) -> TrustRoot:
    return TrustRoot.from_certificate(simulator.root_der)


@pytest.fixture(scope="session")
def key(platform: Platform) -> PlatformKey:
    return PlatformKey(TeeType.TDX, platform.pck.fmspc, PckCa.PLATFORM)


@pytest.fixture
def pcs(simulator: Simulator, platform: Platform) -> Iterator[Service]:
    """A running PCS, with the root's distribution point beside it."""
    service = Service()
    service.publish(simulator.collateral(platform))
    with serving(service):
        yield service


@pytest.fixture
def pccs(simulator: Simulator, platform: Platform) -> Iterator[Service]:
    """A running PCCS."""
    service = Service(pccs=True)
    service.publish(simulator.collateral(platform))
    with serving(service):
        yield service


def settings_for(service: Service, **changes: Any) -> CollateralService:
    """How a client is told of a running service."""
    values: dict[str, Any] = {
        "base_url": service.url,
        "root_crl_url": None if service.pccs else f"{service.url}/IntelSGXRootCA.der",
        "allowed_hosts": frozenset({"127.0.0.1"}),
        "limits": PATIENT,
        "retries": Retries(attempts=3, first_wait=0.5, longest_wait=4),
    }
    return CollateralService(**(values | changes))


@pytest.fixture(params=["sync", "async"])
def client_of(request: pytest.FixtureRequest, root: TrustRoot) -> Callable[..., Twin]:
    """Makes a client of a running service: the blocking one and the asyncio one in turn."""

    def make(service: Service, *, options: dict[str, Any] | None = None, **changes: Any) -> Twin:
        return Twin(
            request.param, settings_for(service, **changes), **({"root": root} | (options or {}))
        )

    return make


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def run(
    tmp_path: Path, cache_dir: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a command of `quotary collateral` under the simulated root, with its own cache."""
    root = tmp_path / "root.der"
    root.write_bytes(simulator.root_der)
    monkeypatch.setenv("QUOTARY_CACHE_DIR", str(cache_dir))
    monkeypatch.delenv("QUOTARY_PCCS_URL", raising=False)

    def command(name: str, *options: object, at: datetime | None = AT) -> int:
        time = [] if at is None else ["--at", at.isoformat()]
        return main(["collateral", name, "--root", str(root), *time, *map(str, options)])

    return command


@pytest.fixture
def fmspc(key: PlatformKey) -> tuple[str, str]:
    return ("--fmspc", key.fmspc.hex())


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one JSON object on stdout."""
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def refusal(kind: type[QuotaryError], call: Callable[[], object]) -> Reason:
    """The reason `call` is refused for."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return caught.value.reason
