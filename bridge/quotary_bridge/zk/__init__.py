"""Zero-knowledge receipts, as far as the bridge makes or reads them."""

from __future__ import annotations

from quotary_bridge.zk.claim import claim_digest
from quotary_bridge.zk.stub import STUB_SELECTOR, stub_seal

__all__ = ["STUB_SELECTOR", "claim_digest", "stub_seal"]
