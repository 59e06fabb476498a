"""A chain with all contracts, and gateways that speak both generations, honestly or not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from quotary import Quote, TrustRoot
from quotary.journal import measurement_id
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import Manifest, MeasurementRegistry
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.sender import Sender
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.deploy import Deployer, Parameters
from quotary_bridge.deploy.parameters import Committee
from quotary_bridge.gateways import Desk
from quotary_bridge.model import Address, Bytes32

from tests.bridge.conftest import QuietServer
from tests.verifier.workloads.guests import AT, Guest, collateral, simulator
from tests.verifier.workloads.services import Service, events, keyset, session, session_id, verified

NOW = int(AT.timestamp())
APP = "council"
APP_ID = Bytes32(keccak(text=APP))
OTHER = "another-app"
OTHER_ID = Bytes32(keccak(text=OTHER))
MEMBERS = (3, 4, 5)
"""Who vouches, by their places among the node's accounts; two of them are needed."""
MANIFEST = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org/gateway")
WALLETS = tuple(Account.from_key(bytes([number]) * 32) for number in (0x31, 0x32, 0x33))


@dataclass(frozen=True)
class Town:
    """A chain with everything deployed, and the files that judge the guests' quotes."""

    node: AnvilNode
    folder: Path
    record: Deployment
    registry: MeasurementRegistry
    image: Bytes32

    @property
    def desk(self) -> Desk:
        """What gateways' words are brought to."""
        return Desk(self.node.chain, self.record)

    @property
    def reading(self) -> tuple[object, ...]:
        """The chain alone."""
        return ("--rpc-url", self.node.url, "--deployments", self.folder)

    @property
    def evidence(self) -> tuple[object, ...]:
        """By what quotes are judged, and the chain."""
        return (
            *("--collateral", self.folder / "collateral.json"),
            *("--root", self.folder / "root.der", *self.reading),
        )

    @property
    def sending(self) -> tuple[object, ...]:
        """The account, and two members of the committee, out of order."""
        keys = [WELL_KNOWN_KEYS[number] for number in (MEMBERS[1], MEMBERS[0])]
        return (
            *("--private-key", WELL_KNOWN_KEYS[6]),
            *("--member-key", keys[0], "--member-key", keys[1]),
        )

    def transact(self, to: Address, data: bytes, account: int = 0) -> None:
        """Send a call and wait for it."""
        sender = Sender(self.node.chain, self.node.signers[account], timeout_seconds=60)
        sender.send(sender.request(to, data))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens to the chain meanwhile did not happen afterwards."""
        state = self.node.chain.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.node.chain.rpc("evm_revert", [state])


@contextmanager
def gateway_town(folder: Path) -> Iterator[Town]:
    """Deploy, and admit the guests' image for one app."""
    root = TrustRoot.from_certificate(simulator().root_der)
    (folder / "root.der").write_bytes(simulator().root_der)
    (folder / "collateral.json").write_text(json.dumps(collateral()))
    with AnvilNode(timestamp=NOW) as node:
        members = tuple(node.signers[number].address for number in MEMBERS)
        wanted = Parameters(
            governor=node.signers[0].address,
            guardian=node.signers[1].address,
            committee=Committee(members, 2),
            root_key_hashes=(root.key_hash,),
            collateral_root=root,
            allow_stub=True,
        )
        sender = Sender(node.chain, node.signers[0], timeout_seconds=60)
        record = Deployer(sender, folder).run(wanted).deployment
        registry = MeasurementRegistry(node.chain, record.address("MeasurementRegistry"))
        image = image_of(Guest().quote())
        town = Town(node, folder, record, registry, image)
        town.transact(registry.address, registry.admit(APP_ID, image, MANIFEST))
        yield town


def image_of(quote: bytes) -> Bytes32:
    """The id of the image that a quote is of."""
    parsed = Quote.parse(quote)
    return Bytes32(measurement_id(parsed.tee_type, parsed.measurement))


Twist = Callable[[str, bytes], tuple[int, bytes] | bytes]
"""Takes a path and the honest answer; returns another body, or a status and a body."""


def honest(path: str, body: bytes) -> bytes:  # noqa: ARG001 (its shape)
    return body


@dataclass
class Gateway:
    """
    A gateway of both generations: a simulated guest's quotes, keys and answers of its own.

    `nodes` are the keys it signs first-generation texts with, the first of them; `keyset` and
    `serving` are what it is as an ACI service. `pages` answers by path in its place, and `twist`
    may change any answer on its way out.
    """

    nodes: tuple[Any, ...] = WALLETS[:1]
    keyset: dict[str, Any] = field(default_factory=lambda: keyset(tls_public_keys=[]))
    serving: str = "direct"
    pages: dict[str, bytes] = field(default_factory=dict)
    twist: Twist = honest
    answers: int = 0
    asked: list[str] = field(default_factory=list)
    exchanges: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    url: str = ""

    def answer(self, path: str, query: dict[str, list[str]], body: bytes) -> bytes:
        """The honest body of an answer."""
        nonce = bytes.fromhex(query.get("nonce", [""])[0])
        match path.split("/")[2:]:
            case ["attestation", "report"]:
                reports = [self.report(wallet, nonce) for wallet in self.nodes]
                return json.dumps({**reports[0], "all_attestations": reports}).encode()
            case ["aci", "attestation"]:
                return json.dumps(self.service(nonce).report()).encode()
            case ["chat", "completions"]:
                self.answers += 1
                identifier = f"chatcmpl-{self.answers}"
                made = json.dumps({"id": identifier, "choices": [len(body)]}).encode()
                self.exchanges[identifier] = (body, made)
                return made
            case ["signature", identifier]:
                return json.dumps(self.signature(*self.exchanges[identifier])).encode()
            case ["aci", "receipts", identifier]:
                key = query.get("key_id", ["r-1"])[0]
                return json.dumps(self.receipt(identifier, key)).encode()
            case ["aci", "sessions", _]:
                return json.dumps(session()).encode()
        raise AssertionError(path)

    def report(self, wallet: Any, nonce: bytes) -> dict[str, Any]:
        """One node's report of the first generation."""
        identity = bytes.fromhex(wallet.address[2:]).ljust(32, b"\0")
        guest = Guest(report_data=identity + nonce)
        return {
            "signing_address": wallet.address,
            "signing_algo": "ecdsa",
            "request_nonce": nonce.hex(),
            "intel_quote": guest.quote().hex(),
            "event_log": guest.events,
            "info": {"tcb_info": {"app_compose": guest.compose.decode()}},
        }

    def signature(self, request: bytes, response: bytes) -> dict[str, Any]:
        """The first generation's word about an exchange."""
        text = f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"
        wallet = self.nodes[0]
        made = bytes(wallet.sign_message(encode_defunct(text=text)).signature).hex()
        return {
            "text": text,
            "signature": f"0x{made}",
            "signing_address": wallet.address,
            "signing_algo": "ecdsa",
        }

    def service(self, nonce: bytes | None = None) -> Service:
        """The ACI service it is."""
        return Service(keyset=self.keyset, nonce=nonce, serving=self.serving)

    def receipt(self, identifier: str, key_id: str) -> dict[str, Any]:
        """The receipt of an exchange; of an aggregator it cites the one session there is."""
        request, response = self.exchanges[identifier]
        cited = [verified(session_id(session()))] if self.serving == "aggregator" else []
        algorithm = {"r-1": "ed25519", "r-2": "secp256k1-eip191"}[key_id]
        log = events(*cited, request=request, response=response)
        return self.service().receipt(algorithm, chat_id=identifier, event_log=log)


@contextmanager
def open_gateway(**differences: Any) -> Iterator[Gateway]:
    """A gateway that listens on a loopback port."""
    gateway = Gateway(**differences)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            gateway.asked.append(parts.path)
            made = gateway.pages.get(parts.path)
            if made is None:
                made = gateway.answer(parts.path, parse_qs(parts.query), body)
            twisted = gateway.twist(parts.path, made)
            status, answer = twisted if isinstance(twisted, tuple) else (200, twisted)
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", f"{gateway.url}/elsewhere")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
