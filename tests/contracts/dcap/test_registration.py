"""A registry takes a worker on the chain's own verification of a compact quote, and on no less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from quotary import RawCollateral, TrustRoot
from quotary_enclave.simulator import Role, Simulator, sample_td

from tests.contracts.dcap.dcap_world import Refused, World, running_node
from tests.contracts.dcap.registry_world import RegistryWorld

AT = datetime(2026, 11, 1, tzinfo=UTC)
SIMULATOR = Simulator(AT, seed=b"registration")
MACHINE = SIMULATOR.platform("0")
MACHINE_REPORT = sample_td(SIMULATOR)


@pytest.fixture
def town() -> Iterator[RegistryWorld]:
    """A registry, with the platform's collateral and its attestation key on the chain."""
    with running_node() as node:
        world = World.deploy(node, SIMULATOR.root_der)
        node.freeze(int(AT.timestamp()))
        raw = RawCollateral.from_json(json.dumps(SIMULATOR.collateral(MACHINE, "tdx")))
        world.push(raw, TrustRoot.from_certificate(SIMULATOR.root_der))
        town = RegistryWorld.deploy(world, SIMULATOR)
        sample = town.enrolment(MACHINE, "sample").quote
        world.verifier_send("prove", sample)
        town.admit(sample)
        yield town


def test_a_compact_quote_registers_a_worker(town: RegistryWorld) -> None:
    """Nothing is given but the quote, the id of its key, and the binding; then it serves."""
    receipt = town.register(town.enrolment(MACHINE, "worker"), compact=True)
    town.require_active(receipt)


def test_a_key_that_was_never_proven_registers_nobody(town: RegistryWorld) -> None:
    """A platform that the chain does not know must come with its chain: the raw quote."""
    stranger = SIMULATOR.platform("1")
    enrolment = town.enrolment(stranger, "worker")
    with pytest.raises(Refused, match=r"^KEY_UNKNOWN$"):
        town.register(enrolment, compact=True)
    town.require_active(town.register(enrolment, compact=False))


def test_a_revoked_platform_registers_nobody(town: RegistryWorld) -> None:
    """A list that was brought after the key was proven counts at once."""
    revoking = MACHINE.scenario(MACHINE_REPORT).with_pck_crl(
        this_update=AT, revoked_roles=(Role.PCK,)
    )
    crl = bytes.fromhex(revoking.mint().collateral["pck_crl"])
    town.world.store_send("putRevocationList", crl)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        town.register(town.enrolment(MACHINE, "worker"), compact=True)
