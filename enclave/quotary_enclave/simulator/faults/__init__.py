"""
A catalogue of deviations: each makes good evidence wrong in exactly one way, signed throughout.

    evidence = FAULTS["vendor"].deviate(platform.scenario(TdReport())).mint()

Signatures stay valid over what deviates unless the signature itself is the fault, so a verifier
that refuses does so for the fault and not for a broken seal.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from quotary_enclave.simulator.faults.certificates import (
    CERTIFICATE_FAULTS,
    CERTIFICATE_VARIATIONS,
)
from quotary_enclave.simulator.faults.documents import DOCUMENT_FAULTS, DOCUMENT_VARIATIONS
from quotary_enclave.simulator.faults.fault import Deviation, Fault
from quotary_enclave.simulator.faults.levels import LEVEL_FAULTS, LEVEL_VARIATIONS, relaunch
from quotary_enclave.simulator.faults.quotes import QUOTE_FAULTS, QUOTE_VARIATIONS

__all__ = ["FAULTS", "VARIATIONS", "Deviation", "Fault", "relaunch"]

FAULTS: Final = MappingProxyType(
    {
        fault.name: fault
        for fault in (*QUOTE_FAULTS, *CERTIFICATE_FAULTS, *DOCUMENT_FAULTS, *LEVEL_FAULTS)
    }
)
"""What a strict verifier with a strict policy refuses, each with the reason."""

VARIATIONS: Final = MappingProxyType(
    {
        fault.name: fault
        for fault in (
            *QUOTE_VARIATIONS,
            *CERTIFICATE_VARIATIONS,
            *DOCUMENT_VARIATIONS,
            *LEVEL_VARIATIONS,
        )
    }
)
"""What looks unusual and is in order: a verifier must accept it."""
