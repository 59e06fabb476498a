"""The routers of quote verifiers and of receipt verifiers, and the committee behind one route."""

from __future__ import annotations

from typing import ClassVar

from quotary_bridge.chain.contracts.base import (
    Contract,
    ProofKind,
    RouteStatus,
    SelectorStatus,
    address_of,
)
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address

__all__ = ["CommitteeVerifier", "ReceiptRouter", "VerifierRouter"]


class VerifierRouter(Contract):
    """Which verifier checks evidence that comes by which route."""

    abi_name: ClassVar[str] = "VerifierRouter"

    def status_of(self, route: bytes, at: BlockTag = "latest") -> RouteStatus:
        """Return what became of a route."""
        return RouteStatus(self.read("statusOf", route, at=at))

    def verifier_of(self, route: bytes, at: BlockTag = "latest") -> Address:
        """Return a route's verifier, or the zero address."""
        return address_of(self.read("verifierOf", route, at=at))

    def kind_of(self, route: bytes, at: BlockTag = "latest") -> ProofKind:
        """Return the proof kind that a route's verifier declared."""
        return ProofKind(self.read("kindOf", route, at=at))

    def is_trusted_root(self, root_key_hash: bytes, at: BlockTag = "latest") -> bool:
        """Whether verdicts under this root key are accepted."""
        return bool(self.read("isTrustedRoot", root_key_hash, at=at))

    def governor(self) -> Address:
        """Return who may open routes."""
        return address_of(self.read("GOVERNOR"))

    def add(self, route: bytes, verifier: Address) -> bytes:
        """Return call data for the governor."""
        return self.encode("addRoute", route, verifier)


class ReceiptRouter(Contract):
    """Which verifier checks the receipts of which release of the prover, by their selector."""

    abi_name: ClassVar[str] = "RiscZeroRouter"

    def status_of(self, selector: bytes, at: BlockTag = "latest") -> SelectorStatus:
        """Return what became of a selector."""
        return SelectorStatus(self.read("statusOf", selector, at=at))

    def verifier_of(self, selector: bytes, at: BlockTag = "latest") -> Address:
        """Return an active selector's verifier; raises `ContractError` for any other."""
        return address_of(self.read("getVerifier", selector, at=at))

    def add(self, selector: bytes, verifier: Address) -> bytes:
        """Return call data for the governor."""
        return self.encode("addVerifier", selector, verifier)


class CommitteeVerifier(Contract):
    """m of n known accounts that attest journals off chain."""

    abi_name: ClassVar[str] = "CommitteeVerifier"

    def members(self) -> tuple[Address, ...]:
        """Return the members, ascending."""
        return tuple(address_of(member) for member in self.read("members"))

    def threshold(self) -> int:
        """Return how many members must sign."""
        return int(self.read("THRESHOLD"))

    def attestation_digest(self, journal_digest: bytes) -> bytes:
        """Return the EIP-712 digest that members sign."""
        return bytes(self.read("attestationDigest", journal_digest))
