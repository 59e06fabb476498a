"""
What can go wrong with a prover.

    Transient
    └── ProverUnavailable      it did not answer, or not sensibly: ask again later
    Permanent
    └── ProvingFailed          it answered that there will be no proof, or gave one that is none
"""

from __future__ import annotations

from quotary_bridge.errors import Permanent, Transient

__all__ = ["ProverUnavailable", "ProvingFailed"]


class ProverUnavailable(Transient):
    """The prover gave no usable answer; the job is kept and goes on where it stopped."""


class ProvingFailed(Permanent):
    """There will be no proof from this job."""
