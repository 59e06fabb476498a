"""The Groth16 verifier judges genuine RISC Zero receipts as RISC Zero does, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from py_ecc import optimized_bn128 as curve
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.errors import ConfigurationError, ContractError
from quotary_bridge.zk.groth16 import FIELD, ORDER
from quotary_bridge.zk.risc_zero import KEY, RELEASES, Release

from tests.contracts.zk_chain import Contract, deploy, key_argument
from tests.contracts.zk_vectors import RiscZeroVector, releases, risc_zero_vectors

NAME = "RiscZeroGroth16Verifier"
# RISC Zero's own verifier takes 250,140 for the same transaction.
GAS_BUDGET = 255_000


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilNode]:
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    with AnvilNode() as started:
        yield started


@pytest.fixture(scope="module")
def vectors(shared: Path) -> tuple[RiscZeroVector, ...]:
    return risc_zero_vectors(shared)


@pytest.fixture(scope="module")
def verifiers(node: AnvilNode, vectors: tuple[RiscZeroVector, ...]) -> dict[bytes, Contract]:
    """A verifier for every release that a receipt was made with, by selector."""
    return {
        selector: _deploy(node, release)
        for selector, release in {v.release.selector: v.release for v in vectors}.items()
    }


def _deploy(node: AnvilNode, release: Release) -> Contract:
    return deploy(node, NAME, key_argument(release.key), release.control_root, release.control_id)


def test_every_published_selector_is_derived(node: AnvilNode, shared: Path) -> None:
    """Key, control root and control id hash to the selector RISC Zero published."""
    published = releases(shared)
    assert len(published) > 20
    for selector, release in published.items():
        assert release.selector == selector
    for release in RELEASES:
        verifier = _deploy(node, release)
        assert verifier.call("SELECTOR") == (release.selector,)
        assert verifier.call("PARAMETERS_DIGEST") == (release.parameters_digest,)


def test_genuine_receipts_verify_within_the_budget(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """Each as a transaction, through both doors of the interface."""
    assert len(vectors) > 10
    for vector in vectors:
        verifier = verifiers[vector.release.selector]
        gas = verifier.send("verify", vector.seal, vector.image_id, vector.journal_digest)
        assert gas <= GAS_BUDGET, vector.name
        verifier.call("verifyIntegrity", (vector.seal, vector.claim_digest))


def test_another_claim_is_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """One bit of the image id, journal digest or claim, and the proof proves nothing."""
    for vector in vectors:
        verifier = verifiers[vector.release.selector]
        changed = (
            ("verify", (vector.seal, _flip(vector.image_id, 3), vector.journal_digest)),
            ("verify", (vector.seal, vector.image_id, _flip(vector.journal_digest, 255))),
            ("verifyIntegrity", ((vector.seal, _flip(vector.claim_digest, 128)),)),
        )
        for function, arguments in changed:
            with pytest.raises(ContractError) as caught:
                verifier.call(function, *arguments)
            assert caught.value.name == "VerificationFailed"


def test_every_flipped_bit_is_refused_with_a_reason(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """All bits of the selector, and a sample of those of each word, by seed."""
    chosen = random.Random(7)
    seen = set()
    for vector in vectors:
        verifier = verifiers[vector.release.selector]
        bits = [*range(0, 32, 5)]
        for word in range(8):
            start = 32 + word * 256
            bits += [start + bit for bit in chosen.sample(range(256), 3)]
        for bit in bits:
            name = _refusal(verifier, _flip(vector.seal, bit), vector)
            expected = {"SelectorMismatch"} if bit < 32 else _PROOF_REFUSALS
            assert name in expected, (vector.name, bit)
            seen.add(name)
    assert seen == {"SelectorMismatch", "Bn254PointInvalid", "CoordinateTooLarge"}


_PROOF_REFUSALS = {"Bn254PointInvalid", "CoordinateTooLarge", "VerificationFailed"}


def test_an_alias_of_a_coordinate_is_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """Careless arithmetic takes x + p for x; the field has one name for each."""
    vector = vectors[0]
    verifier = verifiers[vector.release.selector]
    for word in range(8):
        value = int.from_bytes(vector.seal[4 + word * 32 :][:32]) + FIELD
        for alias in (value, FIELD, 2**256 - 1):
            seal = _with_word(vector.seal, word, alias)
            with pytest.raises(ContractError) as caught:
                verifier.call("verify", seal, vector.image_id, vector.journal_digest)
            assert caught.value.name == "CoordinateTooLarge"
            assert caught.value.values == {"index": word, "value": alias}


def test_points_that_are_no_proof_are_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """Infinity, a sound point in the wrong place, and one on the twist but outside the group."""
    vector = vectors[0]
    verifier = verifiers[vector.release.selector]
    infinity = vector.seal
    for word in range(8):
        infinity = _with_word(infinity, word, 0)
    assert _refusal(verifier, infinity, vector) == "VerificationFailed"
    a, b, c = vector.seal[4:68], vector.seal[68:196], vector.seal[196:]
    selector = vector.seal[:4]
    assert _refusal(verifier, selector + c + b + a, vector) == "VerificationFailed"
    # -A is a point, but not the one.
    y = FIELD - int.from_bytes(a[32:])
    assert _refusal(verifier, _with_word(vector.seal, 1, y), vector) == "VerificationFailed"
    outside = b"".join(word.to_bytes(32) for word in _outside_the_group())
    assert _refusal(verifier, selector + a + outside + c, vector) == "Bn254PointInvalid"


def test_a_seal_of_another_length_is_refused(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """Nothing may follow a proof, and nothing be missing."""
    vector = vectors[0]
    verifier = verifiers[vector.release.selector]
    for seal in (b"", vector.seal[:3], vector.seal[:4], vector.seal[:-1], vector.seal + b"\0"):
        assert _refusal(verifier, seal, vector) == "SealLengthWrong"


def test_a_rerandomised_proof_proves_the_same_claim(
    verifiers: dict[bytes, Contract], vectors: tuple[RiscZeroVector, ...]
) -> None:
    """Seals are malleable by nature: whoever counts them counts nothing."""
    vector = vectors[0]
    words = [int.from_bytes(vector.seal[i : i + 32]) for i in range(4, 260, 32)]
    a = (curve.FQ(words[0]), curve.FQ(words[1]), curve.FQ(1))
    b = (curve.FQ2((words[3], words[2])), curve.FQ2((words[5], words[4])), curve.FQ2.one())
    factor = 5
    inverse = pow(factor, -1, ORDER)
    ax, ay = curve.normalize(curve.multiply(a, factor))
    bx, by = curve.normalize(curve.multiply(b, inverse))
    seal = vector.seal
    fresh = (ax.n, ay.n, bx.coeffs[1], bx.coeffs[0], by.coeffs[1], by.coeffs[0])
    for word, value in enumerate(fresh):
        seal = _with_word(seal, word, int(value))
    assert seal != vector.seal
    verifiers[vector.release.selector].call("verify", seal, vector.image_id, vector.journal_digest)


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("alpha", (1, 3), "Bn254PointInvalid"),
        ("alpha", (0, 0), "KeyPointMissing"),
        ("beta", (0, 0, 0, 0), "KeyPointMissing"),
        ("gamma", (1, 2, 3, 4), "Bn254PointInvalid"),
        ("delta", (0, FIELD, 0, 0), "Bn254PointInvalid"),
        ("ic", KEY.ic[:5], "KeyLengthWrong"),
        ("ic", (*KEY.ic, KEY.ic[0]), "KeyLengthWrong"),
        ("ic", (*KEY.ic[:3], (0, 0), *KEY.ic[4:]), "KeyPointMissing"),
        ("ic", ((1, 1), *KEY.ic[1:]), "Bn254PointInvalid"),
    ],
)
def test_a_key_that_is_none_is_not_deployed(
    node: AnvilNode, field: str, value: object, name: str
) -> None:
    """A verifier with a degenerate key would accept anything, or nothing."""
    names = ("alpha", "beta", "gamma", "delta", "ic")
    argument = tuple(value if name == field else getattr(KEY, name) for name in names)
    release = RELEASES[0]
    with pytest.raises(ContractError) as caught:
        deploy(node, NAME, argument, release.control_root, release.control_id)
    assert caught.value.name == name


def test_a_control_id_above_the_order_is_not_deployed(node: AnvilNode) -> None:
    """It would alias a smaller one."""
    with pytest.raises(ContractError) as caught:
        deploy(node, NAME, key_argument(KEY), bytes(32), ORDER.to_bytes(32))
    assert caught.value.name == "PublicInputTooLarge"


def _refusal(verifier: Contract, seal: bytes, vector: RiscZeroVector) -> str:
    with pytest.raises(ContractError) as caught:
        verifier.call("verify", seal, vector.image_id, vector.journal_digest)
    return caught.value.name


def _flip(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _with_word(seal: bytes, word: int, value: int) -> bytes:
    start = 4 + word * 32
    return seal[:start] + value.to_bytes(32) + seal[start + 32 :]


def _outside_the_group() -> tuple[int, int, int, int]:
    """A point of the twist that is not of order r: nearly every point of it."""
    for real in range(1, 100):
        x = curve.FQ2((real, 0))
        y = _square_root(x * x * x + curve.b2)
        if y is not None and not curve.is_inf(curve.multiply((x, y, curve.FQ2.one()), ORDER)):
            return 0, real, int(y.coeffs[1]), int(y.coeffs[0])
    raise AssertionError("no such point among the first hundred")


def _square_root(value: curve.FQ2) -> curve.FQ2 | None:
    """A root in the quadratic extension, or None (p = 3 mod 4)."""
    half = pow(2, -1, FIELD)
    c0, c1 = (int(part) for part in value.coeffs)
    norm = pow(c0 * c0 + c1 * c1, (FIELD + 1) // 4, FIELD)
    for root in (norm, FIELD - norm):
        real = pow((c0 + root) * half % FIELD, (FIELD + 1) // 4, FIELD)
        if real:
            found = curve.FQ2((real, c1 * pow(2 * real, -1, FIELD) % FIELD))
            if found * found == value:
                return found
    return None
