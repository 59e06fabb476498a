"""
Groth16 proofs over BN254, verified without a chain.

The same check as `contracts/src/zk/Groth16.sol`, on py_ecc's pairing: every coordinate in the
field, every point on its curve and in its group, every input below the order, and the equation
e(-A, B) e(alpha, beta) e(sum, gamma) e(C, delta) = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.fields.field_properties import field_properties
from py_ecc.optimized_bn128 import optimized_curve as curve
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from quotary_bridge.errors import EvidenceRejected, Reason

__all__ = ["FIELD", "ORDER", "PROOF_BYTES", "G1Point", "G2Point", "Groth16Key", "require_proof"]

FIELD: int = field_properties["bn128"]["field_modulus"]
"""What every coordinate is below (EIP-196, p)."""
ORDER: int = curve.curve_order
"""What every public input is below (EIP-196, the order of G1)."""
PROOF_BYTES = 256
"""A (2 words), B (4, imaginary parts first), C (2): 32 bytes big-endian each (EIP-197)."""

_WORD = 32
G1Point = tuple[int, int]
"""x and y; (0, 0) is infinity."""
G2Point = tuple[int, int, int, int]
"""x imaginary, x real, y imaginary, y real, in the order of EIP-197."""
_Point = Any  # py_ecc's points are untyped tuples of its field elements.


@dataclass(frozen=True, slots=True)
class Groth16Key:
    """A verification key; `ic` holds a point for one, and one for each public input."""

    alpha: G1Point
    beta: G2Point
    gamma: G2Point
    delta: G2Point
    ic: tuple[G1Point, ...]


def require_proof(key: Groth16Key, proof: bytes, inputs: Sequence[int]) -> None:
    """
    Require that `proof` shows that the circuit of `key` takes these public inputs.

    Raises `EvidenceRejected` (`SEAL_LENGTH_WRONG`, `COORDINATE_TOO_LARGE`, `POINT_INVALID`,
    `PUBLIC_INPUT_TOO_LARGE`, `PROOF_INVALID`), and `ValueError` where `key` is for another number
    of inputs.
    """
    if len(inputs) + 1 != len(key.ic):
        raise ValueError(f"the key is for {len(key.ic) - 1} inputs, not {len(inputs)}")
    a, b, c = _points(proof)
    total = _g1(key.ic[0])
    for value, point in zip(inputs, key.ic[1:], strict=True):
        if not 0 <= value < ORDER:
            raise EvidenceRejected(
                Reason.PUBLIC_INPUT_TOO_LARGE, f"input {value} is not below the order"
            )
        total = curve.add(total, curve.multiply(_g1(point), value))
    product = pairing(b, curve.neg(a), final_exponentiate=False)
    for left, right in (
        (_g1(key.alpha), key.beta),
        (total, key.gamma),
        (c, key.delta),
    ):
        product = product * pairing(_g2(right), left, final_exponentiate=False)
    if final_exponentiate(product) != FQ12.one():
        raise EvidenceRejected(Reason.PROOF_INVALID, "the pairing equation does not hold")


def _points(proof: bytes) -> tuple[_Point, _Point, _Point]:
    if len(proof) != PROOF_BYTES:
        raise EvidenceRejected(
            Reason.SEAL_LENGTH_WRONG, f"a proof of {len(proof)} bytes, not {PROOF_BYTES}"
        )
    words = [int.from_bytes(proof[start : start + _WORD]) for start in range(0, PROOF_BYTES, _WORD)]
    for index, word in enumerate(words):
        if word >= FIELD:
            raise EvidenceRejected(
                Reason.COORDINATE_TOO_LARGE, f"coordinate {index} is not below the modulus"
            )
    return (
        _g1((words[0], words[1])),
        _g2((words[2], words[3], words[4], words[5])),
        _g1((words[6], words[7])),
    )


def _g1(point: G1Point) -> _Point:
    if point == (0, 0):
        return curve.Z1
    made = (FQ(point[0]), FQ(point[1]), FQ(1))
    if not curve.is_on_curve(made, curve.b):
        raise EvidenceRejected(Reason.POINT_INVALID, "a point is not on the curve")
    return made


def _g2(point: G2Point) -> _Point:
    if point == (0, 0, 0, 0):
        return curve.Z2
    x, y = FQ2((point[1], point[0])), FQ2((point[3], point[2]))
    made = (x, y, FQ2.one())
    if not curve.is_on_curve(made, curve.b2):
        raise EvidenceRejected(Reason.POINT_INVALID, "a point is not on the twist")
    # The twist has a cofactor: on it is not yet in the group.
    if not curve.is_inf(curve.multiply(made, ORDER)):
        raise EvidenceRejected(Reason.POINT_INVALID, "a point is not in the group of order r")
    return made
