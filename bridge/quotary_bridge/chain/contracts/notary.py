"""The notary: verdicts on quotes, kept on the chain for anybody to point at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Bytes32

__all__ = ["Notarization", "QuoteNotary"]


@dataclass(frozen=True, slots=True)
class Notarization:
    """What the chain keeps of a notarized quote; times are Unix seconds."""

    journal_digest: Bytes32
    measurement_id: Bytes32
    verified_at: int
    valid_until: int
    route: bytes
    tee_type: int
    tcb_status: int


class QuoteNotary(Contract):
    """Records, once per app, quote and proof kind, that a verdict was proven."""

    abi_name: ClassVar[str] = "QuoteNotary"

    def notarize(self, app_id: Bytes32, route: bytes, evidence: bytes, proof: bytes) -> bytes:
        """Return call data; anybody may send it."""
        return self.encode("notarize", app_id, route, evidence, proof)

    def is_notarized(
        self, app_id: Bytes32, quote_hash: Bytes32, kind: ProofKind, at: BlockTag = "latest"
    ) -> bool:
        """Whether a quote was notarized for an app with this kind of proof."""
        return bool(self.read("isNotarized", app_id, quote_hash, int(kind), at=at))

    def record_of(
        self, app_id: Bytes32, quote_hash: Bytes32, kind: ProofKind, at: BlockTag = "latest"
    ) -> Notarization:
        """Return what is kept of a quote, all zeros where it was not notarized."""
        record = self.read("recordOf", app_id, quote_hash, int(kind), at=at)
        return Notarization(
            journal_digest=record["journalDigest"],
            measurement_id=record["measurementId"],
            verified_at=record["verifiedAt"],
            valid_until=record["validUntil"],
            route=record["route"],
            tee_type=record["teeType"],
            tcb_status=record["tcbStatus"],
        )
