"""A desk for exchanges with gateways: the commands over one gateway and one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bridge.gateway_town import APP, Gateway, Town
from tests.bridge.test_cli import Command, Ran

REQUEST = b'{"model":"m-1","messages":[{"role":"user","content":"Why?"}]}'


@dataclass
class Desk:
    """One exchange of one test: its folder, its gateway, and the commands over both."""

    quotary: Command
    town: Town
    serving: Gateway
    folder: Path
    protocol: str = "aci"
    app: str = APP

    @property
    def begun(self) -> tuple[object, ...]:
        """The options of a first run."""
        gateway_ = ("--url", self.serving.url, "--app", self.app, "--protocol", self.protocol)
        return (self.folder / "kept", *gateway_, *self.town.evidence)

    @property
    def request(self) -> tuple[object, ...]:
        """What is asked."""
        path = self.folder / "request.json"
        path.write_bytes(REQUEST)
        return ("--request", path)

    def enrol(self, *more: object) -> Ran:
        """`quotary gateway enrol`."""
        return self.quotary("gateway", "enrol", *self.begun, *self.town.sending, "--json", *more)

    def ask(self, *more: object) -> Ran:
        """`quotary gateway ask`."""
        return self.quotary("gateway", "ask", *self.begun, *self.request, "--json", *more)

    def record(self, *more: object) -> Ran:
        """`quotary gateway record`."""
        chain = (*self.town.reading, *self.town.sending)
        return self.quotary("gateway", "record", self.begun[0], *chain, "--json", *more)

    def run(self, *more: object) -> Ran:
        """`quotary gateway run`."""
        options = (*self.begun, *self.request, *self.town.sending, "--json")
        return self.quotary("gateway", "run", *options, *more)

    def status(self) -> dict[str, Any]:
        """What `quotary gateway status` says."""
        return self.quotary("gateway", "status", self.begun[0], *self.town.reading, "--json").json

    def enrolled(self) -> None:
        """The gateway, enrolled."""
        ran = self.enrol()
        assert ran.code == 0, ran

    def asked(self) -> None:
        """The gateway, enrolled and asked."""
        self.enrolled()
        ran = self.ask()
        assert ran.code == 0, ran


def refused(ran: Ran, code: int, reason: str) -> None:
    """One object, with that exit code and reason."""
    assert (ran.code, ran.json["reason"]) == (code, reason), ran


def reverted(ran: Ran, name: str) -> None:
    """The contract's own error, and what to do about it."""
    assert (ran.code, ran.json["error"]["name"]) == (4, name), ran
    assert ran.json["remedy"]
