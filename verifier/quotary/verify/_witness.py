"""A policy for those who want the evidence rather than a judgement."""

from __future__ import annotations

from quotary.policy import Evidence

__all__ = ["Witness"]


class Witness:
    """Accepts, and keeps what it was shown."""

    evidence: Evidence | None = None

    def check(self, evidence: Evidence) -> None:
        """Keep `evidence`."""
        self.evidence = evidence
