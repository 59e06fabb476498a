"""The router of quote verifiers, and the committee behind one of its routes."""

from __future__ import annotations

from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, RouteStatus, address_of
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address

__all__ = ["CommitteeVerifier", "VerifierRouter"]


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

    def add_route(self, route: bytes, verifier: Address) -> bytes:
        """Return call data for the governor."""
        return self.encode("addRoute", route, verifier)


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
