"""Evidence of further kinds for registered workers."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind
from quotary_bridge.chain.contracts.workers import Binding, CohortFacts, cohort_from
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address

__all__ = ["Corroboration", "Corroborations", "corroboration_from"]


@dataclass(frozen=True, slots=True)
class Corroboration:
    """What evidence of one kind says of a worker; times are Unix seconds, the platform 20 bytes."""

    claim: bytes
    quote_hash: bytes
    platform_id: bytes
    valid_until: int
    collateral_from: int
    challenge_block: int


class Corroborations(Contract):
    """What else vouches for workers, by registry, worker and kind."""

    abi_name: ClassVar[str] = "Corroborations"

    def corroborate(self, route: bytes, evidence: bytes, proof: bytes, binding: Binding) -> bytes:
        """Return call data; anybody may send it, for the key is in the quote."""
        return self.encode("corroborate", route, evidence, proof, astuple(binding))

    def corroboration_of(
        self, registry: Address, worker: Address, kind: ProofKind, at: BlockTag = "latest"
    ) -> tuple[Corroboration, CohortFacts]:
        """Return the newest evidence of a kind, all zeros where there is none."""
        shown, facts = self.read("corroborationOf", registry, worker, int(kind), at=at)
        return corroboration_from(shown), cohort_from(facts)


def corroboration_from(value: AbiValue) -> Corroboration:
    """Parse the contract's struct."""
    return Corroboration(
        claim=value["claim"],
        quote_hash=value["quoteHash"],
        platform_id=value["platformId"],
        valid_until=value["validUntil"],
        collateral_from=value["collateralFrom"],
        challenge_block=value["challengeBlock"],
    )
