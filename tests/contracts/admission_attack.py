"""What an entry of the catalogue of attacks on admission and on agreement says."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AdmissionAttack"]


@dataclass(frozen=True)
class AdmissionAttack:
    """
    One case: what the attacker does, and which test asserts which reasons.

    A reason is a custom error, a code of the Python packages, or what else the test says must hold.
    `why` is given where the attack has nothing to attack here, or its answer is no error.
    """

    number: int
    title: str
    held_by: dict[str, tuple[str, ...]]
    why: str = ""
