"""One gateway, one folder, one chain: what every step of `quotary gateway` begins with."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from urllib.parse import urlsplit

from quotary.cli.gateway import open_gateway
from quotary.cli.output import visible
from quotary.workloads.live import Gateway

from quotary_bridge.cli.gateway_flags import Judgement
from quotary_bridge.cli.options import Context
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.gateways import (
    Challenged,
    Desk,
    ExchangeFolder,
    Protocol,
    Signer,
    Standing,
    Terms,
    speech,
)

__all__ = ["Visit", "invalid", "missing"]


class Visit:
    """
    What a step works with. `fields` gathers what `--json` says.

    Raises `ConfigurationError` for a folder that is about another gateway, app or chain.
    """

    def __init__(self, args: Namespace) -> None:
        """Open the folder, or make it where it is new and the options say all it needs."""
        self.args = args
        self.context = Context.of(args)
        self.record = self.context.deployment()
        self.desk = Desk(self.context.chain, self.record)
        self.folder = ExchangeFolder(args.folder)
        self._gateway: Gateway | None = None
        self.terms = self._terms()
        self.speech = speech(self.terms.protocol)
        args.url = self.terms.url
        self.fields: dict[str, object] = {
            "folder": str(self.folder.path),
            "url": self.terms.url,
            "protocol": self.terms.protocol.value,
            "app_id": self.terms.app_id,
        }
        self._judgement: Judgement | None = None

    @property
    def host(self) -> str:
        """The gateway's host, which its TLS keys may be listed for."""
        return urlsplit(self.terms.url).hostname or ""

    @property
    def judgement(self) -> Judgement:
        """By what quotes are judged; read from the options when it is first needed."""
        if self._judgement is None:
            self._judgement = Judgement.of(self.args, self.context, self.host)
        return self._judgement

    def gateway(self) -> Gateway:
        """Return the gateway, ready to be asked; it holds no connection between questions."""
        if self._gateway is None:
            with open_gateway(self.args) as self._gateway:
                pass
        return self._gateway

    def challenged(self) -> Challenged:
        """Return the report that is kept; raises `ConfigurationError` where there is none."""
        kept = self.folder.challenged()
        if kept is None:
            raise missing(
                f"{self.folder.path} holds no report", "run: quotary gateway enrol, or run"
            )
        return kept

    def signers(self, challenged: Challenged) -> tuple[Signer, ...]:
        """Return whatever may sign an answer, verified."""
        return self.speech.signers(challenged, self.judgement.demands)

    def standing(self, signer: Signer) -> Standing:
        """Return whether what a signer signs would count now."""
        return self.desk.standing(self.terms.app_id, signer.key, signer.keyset_digest)

    def tell(self, rows: Mapping[str, object]) -> None:
        """Tell people of a step at once, unless programs listen."""
        if self.args.json:
            return
        for name, value in rows.items():
            sys.stdout.write(visible(f"{name:<13}{value}") + "\n")
        sys.stdout.flush()

    def _terms(self) -> Terms:
        args, kept = self.args, self.folder.terms()
        url = getattr(args, "url", None)
        if kept is None:
            if not url or args.app is None:
                raise missing(
                    f"{self.folder.path} holds nothing yet",
                    "begin with quotary gateway run, or enrol, and give --url and --app",
                )
            terms = Terms(
                url.rstrip("/"),
                args.protocol or Protocol.ACI,
                self.context.chain.chain_id,
                self.desk.keys.address,
                args.app,
            )
            args.url = terms.url
            self.gateway()  # refuses an address that nobody should ask, before anything is made
            self.folder.begin(terms)
            return terms
        self._compare(kept, url)
        return kept

    def _compare(self, kept: Terms, url: str | None) -> None:
        app, protocol = self.args.app, self.args.protocol
        for what, given, found in (
            ("--url", None if url is None else url.rstrip("/"), kept.url),
            ("--app", None if app is None else f"0x{app.hex()}", f"0x{kept.app_id.hex()}"),
            ("--protocol", protocol, kept.protocol),
            ("the chain's id", self.context.chain.chain_id, kept.chain_id),
            ("the chain's GatewayKeys", self.desk.keys.address, kept.gateway_keys),
        ):
            if given is not None and given != found:
                raise invalid(
                    f"{self.folder.path} is about another exchange: {what} is {given}, "
                    f"there it is {found}",
                    "name another folder for another exchange",
                )


def missing(what: str, remedy: str) -> ConfigurationError:
    """Return the error of something that the step needs and was not given."""
    return ConfigurationError(Reason.CONFIGURATION_MISSING, what, remedy)


def invalid(what: str, remedy: str) -> ConfigurationError:
    """Return the error of options that do not fit the folder."""
    return ConfigurationError(Reason.CONFIGURATION_INVALID, what, remedy)
