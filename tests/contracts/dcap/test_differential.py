"""
Python and Solidity judge the same evidence, and agree on acceptance, journal and reason.

Evidence is genuine, simulated with one fault, or mutated. The chain takes collateral item by item,
so what Python says of a bundle is said here by whoever brings it.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quotary import INTEL_ROOT, QuotaryError, RawCollateral, TrustRoot
from quotary.quote import Quote
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.contracts.dcap.agreement import agree, of_python, told
from tests.contracts.dcap.dcap_world import (
    Node,
    Refused,
    World,
    compact_parts,
    key_id,
    running_node,
)
from tests.contracts.dcap.genuine_cases import genuine_cases
from tests.contracts.dcap.onchain_judge import OnChainJudge

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"on chain"))
BASES = ("sgx-v3-platform", "sgx-v5-processor", "td10-v4-platform", "td15ex-v5-processor")
CHAINED = [
    name for name, it in SAMPLES.items() if Quote.parse(it.mint().quote).certification_type == 5
]
MUTANTS = int(os.environ.get("QUOTARY_MUTANTS", "400"))

NOT_OF_CHAINS = frozenset({"pck-chain-twice", "pck-chain-nowhere"})
"""Faults of a part of collateral that has no place on a chain: the PCK chain is the quote's."""

NOT_SENDABLE = frozenset({"root-crl-enormous", "pck-crl-enormous"})
"""Faults that no transaction has room for."""

FAULT_BASES = BASES if os.environ.get("QUOTARY_LONG") else BASES[:1] + BASES[3:]


@pytest.fixture(scope="module")
def judge() -> Iterator[OnChainJudge]:
    """One node for the module."""
    with running_node() as node:
        yield OnChainJudge(node)


def world_of(node: Node, evidence: Evidence) -> tuple[World, RawCollateral, TrustRoot]:
    """A new world under the evidence's root, at its time, with its collateral."""
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    root = TrustRoot.from_certificate(evidence.root_der)
    world = World.deploy(node, root.certificate.der)
    node.freeze(int(evidence.at.timestamp()))
    world.push(raw, root)
    return world, raw, root


@pytest.fixture
def node() -> Iterator[Node]:
    """A node of the test's own."""
    with running_node() as node:
        yield node


def test_genuine_quotes_get_the_same_journal(judge: OnChainJudge, shared: Path) -> None:
    """Every genuine quote, under every collateral that fits it."""
    for quote, raw, at in genuine_cases(shared):
        expected = of_python(quote, raw, INTEL_ROOT, at)
        assert judge.judge(quote, raw, INTEL_ROOT, int(at.timestamp())) == expected


def collateral_of(evidence: Evidence) -> RawCollateral | str:
    """The collateral, or the reason why it is none."""
    try:
        return RawCollateral.from_json(json.dumps(evidence.collateral))
    except QuotaryError as error:
        return str(error.reason)


@pytest.mark.parametrize("base", FAULT_BASES)
def test_faults_and_variations_are_judged_alike(judge: OnChainJudge, base: str) -> None:
    """Every fault and variation of the simulator: signed throughout, wrong in at most one way."""
    disagreements = []
    for name, deviation in {**FAULTS, **VARIATIONS}.items():
        if name in NOT_OF_CHAINS | NOT_SENDABLE or not deviation.fits(SAMPLES[base]):
            continue
        evidence = deviation.deviate(SAMPLES[base]).mint()
        raw = collateral_of(evidence)
        if isinstance(raw, str):  # refused by the one who would bring it
            continue
        root = root_of(evidence)
        if root is None:
            continue
        python = of_python(evidence.quote, raw, root, evidence.at)
        chain = judge.judge(evidence.quote, raw, root, int(evidence.at.timestamp()))
        if not agree(python, chain):
            disagreements.append((name, told(python), told(chain)))
    assert disagreements == []


def root_of(evidence: Evidence) -> TrustRoot | None:
    """The root to trust; None where no verifier would pin it."""
    try:
        return TrustRoot.from_certificate(evidence.root_der)
    except QuotaryError:
        return None


@pytest.mark.parametrize("base", BASES)
def test_mutated_quotes_are_judged_alike(node: Node, base: str) -> None:
    """Bytes changed, removed, doubled: both refuse, for the same reason."""
    evidence = SAMPLES[base].mint()
    world, raw, root = world_of(node, evidence)
    dice = random.Random(f"{base} 1")
    disagreements = []
    for number in range(MUTANTS):
        quote = mutated(evidence.quote, dice)
        python = of_python(quote, raw, root, evidence.at)
        try:
            chain: bytes | str = world.verifier_call("verify(bytes)", quote)
        except Refused as refused:
            chain = refused.reason
        if not agree(python, chain):
            disagreements.append((number, told(python), told(chain)))
    assert disagreements == []


def mutated(quote: bytes, dice: random.Random) -> bytes:
    """A quote with one to three changes: bits, bytes, pieces cut out or doubled."""
    data = bytearray(quote)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        place = dice.randrange(len(data))
        match dice.randrange(6):
            case 0 | 1 | 2:
                data[place] ^= 1 << dice.randrange(8)
            case 3:
                data[place] = dice.randrange(256)
            case 4:
                del data[place : place + dice.choice((1, 2, 4, 64))]
            case _:
                data[place:place] = data[place : place + dice.choice((1, 2, 4, 64))]
    return bytes(data)


@pytest.mark.parametrize("base", CHAINED)
def test_all_forms_get_the_same_journal(node: Node, base: str) -> None:
    """Raw, compact under a proven key, endorsed by a proven platform, and with a leaf in DER."""
    evidence = SAMPLES[base].mint()
    world, raw, root = world_of(node, evidence)
    expected = of_python(evidence.quote, raw, root, evidence.at)
    assert isinstance(expected, bytes)
    quote = Quote.parse(evidence.quote)
    compact, endorsement, pem = compact_parts(evidence.quote)
    leaf, authority, certificate = world.leaf_of(pem)
    proven = ("proveWithCertificate", compact, endorsement, leaf, authority)
    assert world.verifier_call("prove", evidence.quote) == expected
    assert world.verifier_call(*proven) == expected
    world.verifier_send(*proven)
    key = key_id(quote)
    assert world.verifier_call("verifyEndorsed", compact, endorsement, certificate) == expected
    assert world.verifier_call("verifyCompact", compact, key) == expected
    assert world.verifier_call("verify(bytes,bytes)", evidence.quote, b"") == expected
    assert world.verifier_call("verify(bytes,bytes)", compact, key) == expected
    proof = certificate + endorsement
    assert world.verifier_call("verify(bytes,bytes)", compact, proof) == expected
    world.assemble(int(quote.tee_type), raw, authority)
    assert world.verifier_call("verifyCompact", compact, key) == expected
