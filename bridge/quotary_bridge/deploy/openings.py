"""What the governor opens once all contracts stand: routes to verifiers, and receipt verifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import ReceiptRouter, VerifierRouter
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.deploy.plan import stop_of
from quotary_bridge.model import Address
from quotary_bridge.zk.risc_zero import RELEASES

__all__ = ["ROUTES", "Opening", "openings"]

ROUTES: Mapping[str, bytes] = MappingProxyType(
    {
        "CommitteeVerifier": b"Comm",
        "DcapVerifier": b"OnCh",
        "ZkQuoteVerifier": b"ZkR0",
        "StubQuoteVerifier": b"Stub",
    }
)
"""The route each verifier answers to (docs/formats.md, "Proof kinds and routes")."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One entry of a router: `key` (4 bytes) is to lead to `verifier`."""

    router: VerifierRouter | ReceiptRouter
    key: bytes
    name: str
    verifier: Address

    @property
    def label(self) -> str:
        """What people call it."""
        if isinstance(self.router, ReceiptRouter):
            return f"selector 0x{self.key.hex()}"
        return f"route {self.key.decode()}"

    def state(self) -> str:
        """Return what became of the entry: unknown, active, frozen or removed."""
        return self.router.status_of(self.key).name.lower()

    def target(self) -> Address:
        """Return where an active entry leads."""
        return self.router.verifier_of(self.key)

    def call(self) -> bytes:
        """Return call data for the governor."""
        return self.router.add(self.key, self.verifier)


def openings(chain: Chain, record: Deployment) -> tuple[Opening, ...]:
    """Return what a deployment opens, by the contracts it has: receipts before what needs them."""
    found = []
    standing = record.contracts
    if "RiscZeroRouter" in standing:
        receipts = ReceiptRouter(chain, record.address("RiscZeroRouter"))
        for release in RELEASES:
            name = stop_of(release)
            if name in standing:
                found.append(Opening(receipts, release.selector, name, standing[name].address))
    router = VerifierRouter(chain, record.address("VerifierRouter"))
    for name, route in ROUTES.items():
        if name in standing:
            found.append(Opening(router, route, name, standing[name].address))
    return tuple(found)
