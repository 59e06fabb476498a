"""Zero-knowledge receipts: the guest that is proven, provers, and what receipts say."""

from __future__ import annotations

from quotary_bridge.zk.claim import claim_digest
from quotary_bridge.zk.guest import GuestInput, execute
from quotary_bridge.zk.prover import Job, Prover, RemoteProver, StubProver
from quotary_bridge.zk.receipt import Receipt
from quotary_bridge.zk.risc_zero import RELEASES, Release
from quotary_bridge.zk.stub import STUB_SELECTOR, stub_seal

__all__ = [
    "RELEASES",
    "STUB_SELECTOR",
    "GuestInput",
    "Job",
    "Prover",
    "Receipt",
    "Release",
    "RemoteProver",
    "StubProver",
    "claim_digest",
    "execute",
    "stub_seal",
]
