"""What a passed step found, in a few words, for explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from quotary.verify._facts import Facts

__all__ = ["FOUND"]


def _policy(facts: Facts) -> str:
    return "no policy was given" if facts.policy is None else "every rule holds"


FOUND: Final[Mapping[str, Callable[[Facts], str]]] = MappingProxyType(
    {
        "the QE vendor id is Intel's": lambda facts: facts.quote.header.qe_vendor_id.hex(),
        "the TCB info is of the quote's TEE type": lambda facts: facts.quote.tee_type.name,
        "the QE identity is of the quote's TEE type": lambda facts: facts.quote.tee_type.name,
        "QE report data is the hash of attestation key and auth data": (
            lambda facts: facts.attestation_key_id.hex()
        ),
        "MISCSELECT is Intel's": lambda facts: f"{facts.quote.qe_report.misc_select:#010x}",
        "the attributes are Intel's": lambda facts: facts.quote.qe_report.attributes.hex(),
        "MRSIGNER is Intel's": lambda facts: facts.quote.qe_report.mr_signer.hex(),
        "ISVPRODID is Intel's": lambda facts: str(facts.quote.qe_report.isv_prod_id),
        "the TCB info is of the platform's FMSPC": (
            lambda facts: facts.platform.identity.fmspc.hex()
        ),
        "the TCB info is of the platform's PCE": (
            lambda facts: facts.platform.identity.pce_id.hex()
        ),
        "the levels converge to a status that is not revoked": (
            lambda facts: facts.outcome.status.value
        ),
        "the policy accepts": _policy,
    }
)
"""By the titles of the parts in `STEPS`; a test holds the two together."""
