"""The chain as the bridge sees it: one port, typed records, typed errors."""

from __future__ import annotations

from quotary_bridge.chain.port import Chain, TransactionRequest
from quotary_bridge.chain.records import Block, BlockTag, Log, Mined, Receipt

__all__ = ["Block", "BlockTag", "Chain", "Log", "Mined", "Receipt", "TransactionRequest"]
