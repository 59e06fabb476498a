"""Fixtures of exchanges with gateways: one chain for a module, found as it was by each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quotary_bridge.cli import gateway, zk
from quotary_bridge.gateways import Protocol

from tests.bridge.gateway_desk import Desk
from tests.bridge.gateway_town import Town, gateway_town, open_gateway
from tests.bridge.test_cli import Command, runner


@pytest.fixture(scope="module")
def gateway_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with gateway_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest.fixture
def gateway_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((gateway, zk), capsys, monkeypatch)


@pytest.fixture
def desk(gateway_command: Command, gateway_chain: Town, tmp_path: Path) -> Iterator[Desk]:
    """A gateway, and the chain as it was deployed."""
    with gateway_chain.undone(), open_gateway() as serving:
        yield Desk(gateway_command, gateway_chain, serving, tmp_path)


@pytest.fixture(params=list(Protocol))
def desk_of_either(desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """The same of both generations."""
    desk.protocol = request.param
    return desk
