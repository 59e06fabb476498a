"""The SP1 verifier judges genuine proofs as Succinct's does, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.errors import ConfigurationError, ContractError
from quotary_bridge.zk.groth16 import FIELD, ORDER

from tests.contracts.zk_chain import Contract, deploy, key_argument
from tests.contracts.zk_vectors import Sp1Vector, sp1_vectors

NAME = "Sp1Groth16Verifier"


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilNode]:
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    with AnvilNode() as started:
        yield started


@pytest.fixture(scope="module")
def vectors(shared: Path) -> tuple[Sp1Vector, ...]:
    return sp1_vectors(shared)


@pytest.fixture(scope="module")
def verifiers(node: AnvilNode, vectors: tuple[Sp1Vector, ...]) -> dict[bytes, Contract]:
    """A verifier for every release that a proof was made with, by selector."""
    one_each = {vector.selector: vector for vector in vectors}
    return {
        selector: deploy(node, NAME, key_argument(vector.key), vector.verifier_hash)
        for selector, vector in one_each.items()
    }


def test_genuine_proofs_verify(
    verifiers: dict[bytes, Contract], vectors: tuple[Sp1Vector, ...]
) -> None:
    """Proofs of three releases, most of them of DCAP verification."""
    assert len({vector.selector for vector in vectors}) == 3
    for vector in vectors:
        verifier = verifiers[vector.selector]
        assert verifier.call("VERIFIER_HASH") == (vector.verifier_hash,)
        verifier.call("verifyProof", vector.program, vector.journal, vector.seal)


def test_another_program_or_journal_is_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[Sp1Vector, ...]
) -> None:
    """The proof speaks of one program and one journal."""
    for vector in vectors:
        program = bytes([0, *vector.program[1:31], vector.program[31] ^ 1])
        for arguments in (
            (program, vector.journal),
            (vector.program, vector.journal + b"\0"),
            (vector.program, vector.journal[:-1]),
        ):
            assert _refusal(verifiers, vector, *arguments, vector.seal) == "InvalidProof"


def test_an_alias_of_the_program_is_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[Sp1Vector, ...]
) -> None:
    """Careless arithmetic takes x + r for the same public input."""
    vector = vectors[0]
    alias = (int.from_bytes(vector.program) + ORDER).to_bytes(32)
    assert _refusal(verifiers, vector, alias, vector.journal, vector.seal) == "PublicInputTooLarge"


def test_a_changed_proof_is_refused_with_a_reason(
    verifiers: dict[bytes, Contract], vectors: tuple[Sp1Vector, ...]
) -> None:
    """Selector, length, coordinates and points each have theirs."""
    vector = vectors[0]
    seal = vector.seal
    words = [int.from_bytes(seal[i : i + 32]) for i in range(4, 260, 32)]
    alias = seal[:4] + (words[0] + FIELD).to_bytes(32) + seal[36:]
    negated = seal[:36] + (FIELD - words[1]).to_bytes(32) + seal[68:]
    for changed, name in (
        (b"", "SealLengthWrong"),
        (seal[:-1], "SealLengthWrong"),
        (seal + b"\0", "SealLengthWrong"),
        (b"\0\0\0\0" + seal[4:], "WrongVerifierSelector"),
        (alias, "CoordinateTooLarge"),
        (negated, "InvalidProof"),
        (seal[:259] + bytes([seal[259] ^ 1]), "Bn254PointInvalid"),
    ):
        assert _refusal(verifiers, vector, vector.program, vector.journal, changed) == name


def test_a_key_for_other_inputs_is_not_deployed(
    node: AnvilNode, vectors: tuple[Sp1Vector, ...]
) -> None:
    """A circuit of SP1 before 6 has two public inputs."""
    alpha, beta, gamma, delta, ic = key_argument(vectors[0].key)
    for points in (ic[:2], (*ic, ic[0])):
        with pytest.raises(ContractError) as caught:
            deploy(node, NAME, (alpha, beta, gamma, delta, points), vectors[0].verifier_hash)
        assert caught.value.name == "KeyLengthWrong"


def _refusal(
    verifiers: dict[bytes, Contract],
    vector: Sp1Vector,
    program: bytes,
    journal: bytes,
    seal: bytes,
) -> str:
    with pytest.raises(ContractError) as caught:
        verifiers[vector.selector].call("verifyProof", program, journal, seal)
    return caught.value.name
