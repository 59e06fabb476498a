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
from quotary import INTEL_ROOT, QuotaryError, RawCollateral, TrustRoot, verify
from quotary.policy import AllOf, SgxAttributes, TdAttributeRules
from quotary.quote import Quote
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.contracts.dcap.dcap_world import (
    Node,
    Refused,
    World,
    compact_parts,
    key_id,
    running_node,
)
from tests.contracts.dcap.genuine_cases import genuine_cases

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"on chain"))
BASES = ("sgx-v3-platform", "sgx-v5-processor", "td10-v4-platform", "td15ex-v5-processor")
CHAINED = [
    name for name, it in SAMPLES.items() if Quote.parse(it.mint().quote).certification_type == 5
]
MUTANTS = int(os.environ.get("QUOTARY_MUTANTS", "400"))

ON_CHAIN = AllOf((SgxAttributes(), TdAttributeRules()))
"""What the contract refuses by itself: which statuses are acceptable, registries decide."""

EQUIVALENT = {
    # The store finds collateral by what it is for, so what does not fit is not found.
    ("CRL_ISSUER_MISMATCH", "CRL_MISSING"),
    ("COLLATERAL_TYPE_MISMATCH", "FMSPC_MISMATCH"),
    ("COLLATERAL_TYPE_MISMATCH", "COLLATERAL_INCOMPLETE"),
    ("CRL_ISSUER_MISMATCH", "COLLATERAL_INCOMPLETE"),
    # A PCK CA is accepted as such; as a signer of documents it is unknown.
    ("ISSUER_ROLE", "COLLATERAL_INCOMPLETE"),
}

CERTIFICATE_FORM = frozenset(
    {
        "BASIC_CONSTRAINTS",
        "CERT_INVALID",
        "DER_NONCANONICAL",
        "KEY_ID_MISSING",
        "KEY_USAGE",
    }
)
"""What a malformed certificate may be refused for: the rule that notices first names it, and the
two sides read extensions in different order."""

NOT_OF_CHAINS = frozenset({"pck-chain-twice", "pck-chain-nowhere"})
"""Faults of a part of collateral that has no place on a chain: the PCK chain is the quote's."""

NOT_SENDABLE = frozenset({"root-crl-enormous", "pck-crl-enormous"})
"""Faults that no transaction has room for."""

FAULT_BASES = BASES if os.environ.get("QUOTARY_LONG") else BASES[:1] + BASES[3:]


class Judge:
    """One node; a world per root, and its state without any collateral."""

    def __init__(self, node: Node) -> None:
        """Judge on `node`, which must be new."""
        self.node = node
        self._genesis = node.ask("evm_snapshot")

    def world(self, root: bytes, at: int) -> World:
        """A new world at the time `at`: nothing is remembered."""
        self.node.ask("evm_revert", self._genesis)
        self._genesis = self.node.ask("evm_snapshot")
        world = World.deploy(self.node, root)
        self.node.freeze(at)
        return world

    def of_chain(
        self, quote: bytes, collateral: RawCollateral, root: TrustRoot, at: int
    ) -> bytes | str:
        """The journal, or the reason."""
        world = self.world(root.certificate.der, at)
        try:
            world.push(collateral, root)
            return world.verifier_call("verify(bytes)", quote)
        except Refused as refused:
            return refused.reason
        except QuotaryError as error:
            return str(error.reason)


def of_python(
    quote: bytes, collateral: RawCollateral, root: TrustRoot, at: datetime
) -> bytes | str:
    """The journal, or the reason."""
    try:
        return verify(quote, collateral, policy=ON_CHAIN, at=at, root=root).journal()
    except QuotaryError as error:
        return str(error.reason)


def agree(python: bytes | str, chain: bytes | str) -> bool:
    """Whether both say the same, or what the two shapes of collateral make of the same."""
    both = {python, chain}
    return len(both) == 1 or (python, chain) in EQUIVALENT or both <= CERTIFICATE_FORM


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """One node for the module."""
    with running_node() as node:
        yield Judge(node)


def test_genuine_quotes_get_the_same_journal(judge: Judge, shared: Path) -> None:
    """Every genuine quote, under every collateral that fits it."""
    for quote, raw, at in genuine_cases(shared):
        expected = of_python(quote, raw, INTEL_ROOT, at)
        assert judge.of_chain(quote, raw, INTEL_ROOT, int(at.timestamp())) == expected


def collateral_of(evidence: Evidence) -> RawCollateral | str:
    """The collateral, or the reason why it is none."""
    try:
        return RawCollateral.from_json(json.dumps(evidence.collateral))
    except QuotaryError as error:
        return str(error.reason)


@pytest.mark.parametrize("base", FAULT_BASES)
def test_faults_and_variations_are_judged_alike(judge: Judge, base: str) -> None:
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
        chain = judge.of_chain(evidence.quote, raw, root, int(evidence.at.timestamp()))
        if not agree(python, chain):
            disagreements.append((name, told(python), told(chain)))
    assert disagreements == []


def root_of(evidence: Evidence) -> TrustRoot | None:
    """The root to trust; None where no verifier would pin it."""
    try:
        return TrustRoot.from_certificate(evidence.root_der)
    except QuotaryError:
        return None


def told(answer: bytes | str) -> str:
    """The reason, or that there is a journal."""
    return answer if isinstance(answer, str) else "a journal"


@pytest.mark.parametrize("base", BASES)
def test_mutated_quotes_are_judged_alike(judge: Judge, base: str) -> None:
    """Bytes changed, removed, doubled: both refuse, for the same reason."""
    evidence = SAMPLES[base].mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    root = TrustRoot.from_certificate(evidence.root_der)
    world = judge.world(root.certificate.der, int(evidence.at.timestamp()))
    world.push(raw, root)
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
def test_all_forms_get_the_same_journal(judge: Judge, base: str) -> None:
    """Raw, compact under a proven key, endorsed by a proven platform, and with a leaf in DER."""
    evidence = SAMPLES[base].mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    root = TrustRoot.from_certificate(evidence.root_der)
    world = judge.world(root.certificate.der, int(evidence.at.timestamp()))
    world.push(raw, root)
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
