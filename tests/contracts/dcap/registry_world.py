"""Workers whose quotes the chain verifies by itself: a registry beside store and verifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from quotary import TrustRoot
from quotary.binding import WorkerBinding, extended_report_data
from quotary.quote import Quote
from quotary_enclave.simulator import Platform, Simulator, sample_td
from web3 import Web3

from tests.contracts.dcap.dcap_world import SENDER, World, compact_parts, encode, key_id

__all__ = ["ROUTE", "Enrolment", "RegistryWorld"]

ROUTE = b"OnCh"
APP = sha256(b"app").digest()
CHAIN_ID = 31337
_ACCEPTED_STATUSES = 0b11110
_SEATS = 4
_MEASUREMENT_ID = slice(11 * 32, 12 * 32)
"""Where a journal has the id of its measurement (docs/formats.md)."""


@dataclass(frozen=True)
class Enrolment:
    """A quote that binds a worker's key to the registry, and what the registry is told of it."""

    quote: bytes
    binding: WorkerBinding

    def arguments(self, *, compact: bool) -> tuple[object, ...]:
        """What `register` is given: the raw quote, or its compact form under its known key."""
        values = (
            1,
            self.binding.chain_id,
            Web3.to_checksum_address(self.binding.registry),
            self.binding.app_id,
            Web3.to_checksum_address(self.binding.operator),
            self.binding.encryption_key,
            self.binding.challenge_block,
            self.binding.challenge,
        )
        if not compact:
            return ROUTE, self.quote, b"", values
        return ROUTE, compact_parts(self.quote)[0], key_id(Quote.parse(self.quote)), values


@dataclass
class RegistryWorld:
    """The contracts that a registration goes through, all governed by one account."""

    world: World
    simulator: Simulator
    measurements: str
    registry: str

    @classmethod
    def deploy(cls, world: World, simulator: Simulator) -> RegistryWorld:
        """Deploy them; the route to the verifier is open, under the simulator's root."""
        node = world.node
        root = TrustRoot.from_certificate(simulator.root_der)
        log = node.deploy("ChangeLog", _SEATS)
        hands = (SENDER, SENDER, log)
        measurements = node.deploy("MeasurementRegistry", *hands)
        router = node.deploy("VerifierRouter", *hands, False, [root.key_hash])
        policy = node.deploy("TcbPolicy", *hands, _ACCEPTED_STATUSES)
        beside, nowhere = node.deploy("Corroborations"), "0x" + 40 * "0"
        terms = (beside, nowhere, 200, 0, 7 * 86_400)
        registry = node.deploy("WorkerRegistry", measurements, router, policy, *terms)
        node.send(router, encode("VerifierRouter", "addRoute", ROUTE, world.verifier))
        return cls(world, simulator, measurements, registry)

    def enrolment(self, platform: Platform, name: str) -> Enrolment:
        """A worker called `name` on `platform` asks to be registered, by the newest challenge."""
        node = self.world.node
        block = int(node.ask("eth_blockNumber"), 16)
        node.ask("evm_mine")  # no challenge is of the newest block
        challenge = node.call(self.registry, encode("WorkerRegistry", "challengeAt", block))
        binding = WorkerBinding(
            chain_id=CHAIN_ID,
            registry=bytes.fromhex(self.registry[2:]),
            app_id=APP,
            operator=bytes.fromhex(SENDER[2:]),
            encryption_key=sha256(name.encode()).digest(),
            challenge_block=block,
            challenge=challenge,
        )
        worker = sha256(b"worker" + name.encode()).digest()[:20]
        report = replace(
            sample_td(self.simulator), report_data=extended_report_data(worker, binding)
        )
        return Enrolment(platform.quote(report), binding)

    def admit(self, quote: bytes) -> None:
        """Admit what `quote` measures for the app; its collateral must be there."""
        journal = self.world.verifier_call("verify(bytes)", quote)
        manifest = (sha256(b"commit").digest(), sha256(b"build").digest(), "https://example.org")
        self.world.node.send(
            self.measurements,
            encode("MeasurementRegistry", "admit", APP, journal[_MEASUREMENT_ID], manifest),
        )

    def register(self, enrolment: Enrolment, *, compact: bool) -> dict[str, Any]:
        """The receipt of a registration; raises `Refused`."""
        arguments = enrolment.arguments(compact=compact)
        return self.world.node.send(self.registry, encode("WorkerRegistry", "register", *arguments))

    def require_active(self, receipt: dict[str, Any]) -> None:
        """Require that the worker `receipt` registered serves the app now; raises `Refused`."""
        topics = receipt["logs"][-1]["topics"]  # name, worker, app, measurement
        worker = Web3.to_checksum_address("0x" + topics[1][-40:])
        self.world.node.call(self.registry, encode("WorkerRegistry", "requireActive", worker, APP))
