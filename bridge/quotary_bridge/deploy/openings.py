"""What the governor opens once all contracts stand: routes to verifiers, and receipt verifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import ReceiptRouter, VerifierRouter
from quotary_bridge.deploy.plan import stop_of
from quotary_bridge.model import Address
from quotary_bridge.zk.risc_zero import RELEASES

__all__ = ["ROUTES", "Opening", "entries", "openings"]

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
    """One entry of a router: `key` (4 bytes) is to lead to `verifier`, the contract `name`."""

    label: str
    router: VerifierRouter | ReceiptRouter
    key: bytes
    name: str
    verifier: Address

    def state(self) -> str:
        """Return what became of the entry: unknown, active, frozen or removed."""
        return self.router.status_of(self.key).name.lower()

    def target(self) -> Address:
        """Return where an active entry leads."""
        return self.router.verifier_of(self.key)

    def call(self) -> bytes:
        """Return call data for the governor."""
        return self.router.add(self.key, self.verifier)


def entries(names: Iterable[str]) -> dict[str, str]:
    """Return which contract each entry leads to, by its label, where `names` are deployed."""
    standing = set(names)
    return {label: name for label, _, name in _known() if name in standing}


def openings(chain: Chain, addresses: Mapping[str, Address]) -> tuple[Opening, ...]:
    """Return what a deployment opens, by what it consists of: receipts before what needs them."""
    found = []
    for label, key, name in _known():
        if name in addresses:
            router: VerifierRouter | ReceiptRouter
            if label.startswith("selector"):
                router = ReceiptRouter(chain, addresses["RiscZeroRouter"])
            else:
                router = VerifierRouter(chain, addresses["VerifierRouter"])
            found.append(Opening(label, router, key, name, addresses[name]))
    return tuple(found)


def _known() -> Iterator[tuple[str, bytes, str]]:
    """Every entry there can be: label, key, and the contract it leads to."""
    for release in RELEASES:
        yield f"selector 0x{release.selector.hex()}", release.selector, stop_of(release)
    for name, route in ROUTES.items():
        yield f"route {route.decode()}", route, name
