"""The catalogue of attacks on admission and on agreement: cases 63 to 90 and 128 to 138."""

from __future__ import annotations

from tests.contracts.admission_attack import AdmissionAttack
from tests.contracts.attacks_agreement import AGREEMENT
from tests.contracts.attacks_binding import BINDING
from tests.contracts.attacks_governance import GOVERNANCE

__all__ = ["ADMISSION_ATTACKS", "AdmissionAttack"]

ADMISSION_ATTACKS = (*BINDING, *GOVERNANCE, *AGREEMENT)
"""All cases in order."""
