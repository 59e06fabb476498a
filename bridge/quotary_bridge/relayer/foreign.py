"""
Proof that a nonce of ours was used by somebody else's transaction.

That a node shows no receipt proves nothing: it may lag, have forgotten, or lie. A second nonce for
the same job is given out only where the very transaction that used the first one up is found in a
final block, and is none of ours.
"""

from __future__ import annotations

from quotary_bridge.errors import BlockNotFound, RequestRefused
from quotary_bridge.model import BlockNumber, Slot
from quotary_bridge.relayer.cycle import Cycle

__all__ = ["used_by_another"]


def used_by_another(cycle: Cycle, slot: Slot, final: BlockNumber) -> bool:
    """
    Whether a final block, `final` or one before it, holds another's transaction of `slot`'s nonce.

    False where that cannot be shown, whatever the node says of our own transactions.
    """
    try:
        number = _block_that_used(cycle, slot, final)
        block = cycle.ports.chain.rpc("eth_getBlockByNumber", [hex(number), True])
        found = [
            bytes.fromhex(transaction["hash"][2:])
            for transaction in (block or {}).get("transactions", ())
            if transaction["from"].lower() == cycle.ports.signer.address.lower()
            and int(transaction["nonce"], 16) == slot.nonce
        ]
    except (BlockNotFound, RequestRefused, KeyError, TypeError, ValueError, AttributeError):
        # The node keeps no state that old, or says what is no block: there is no proof today.
        return False
    ours = {attempt.hash for attempt in slot.attempts}
    return bool(found) and ours.isdisjoint(found)


def _block_that_used(cycle: Cycle, slot: Slot, final: BlockNumber) -> BlockNumber:
    """Return the first block after which the nonce was used up, by halving."""
    low = min(slot.attempts[0].signed_at, final)
    if _used(cycle, slot, low):
        low = BlockNumber(0)
    high = int(final)
    while high - low > 1:
        middle = (low + high) // 2
        if _used(cycle, slot, middle):
            high = middle
        else:
            low = BlockNumber(middle)
    return BlockNumber(high)


def _used(cycle: Cycle, slot: Slot, at: int) -> bool:
    return cycle.ports.chain.nonce(cycle.ports.signer.address, at) > slot.nonce
