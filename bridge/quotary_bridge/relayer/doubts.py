"""
What a node's refusals to take a transaction are worth.

JSON-RPC has codes for a question that a node does not understand, or does not offer. As an answer
to a transaction they may be about the node, which takes none, or about those very bytes.

1. What is refused the first time is held, and another node is asked next, where there is one.
2. What is refused again, where the same node took others beside it, no node takes: its nonce must
   be used up by something else, or nothing behind it is ever mined.
3. A node that takes nothing at all proves nothing: the bytes stay as they are until one does.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotary_bridge.errors import BridgeError, RequestRefused
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.sending import Given

__all__ = ["Doubts"]


class Doubts:
    """The nonces of one account whose transactions a node did not understand."""

    def __init__(self) -> None:
        """Doubt nothing."""
        self._beside: dict[int, bool] = {}

    def weigh(self, cycle: Cycle, outcomes: Sequence[tuple[Given, BridgeError | None]]) -> set[int]:
        """Return the slots whose bytes no node takes, by the rules above; set the node aside."""
        taken = any(outcome is None for _, outcome in outcomes)
        refused = {
            slot.id
            for (slot, attempt), outcome in outcomes
            if isinstance(outcome, RequestRefused) and attempt is slot.latest
        }
        open_slots = {slot.id for slot in cycle.slots}
        self._beside = {each: was for each, was in self._beside.items() if each in open_slots}
        again = {each for each in refused if self._beside.get(each, False) or taken}
        again &= self._beside.keys()
        fresh = refused - self._beside.keys()
        if fresh:
            # Once for each nonce: for bytes that no node takes none must rest again and again.
            cycle.ports.chain.set_aside()
        self._beside.update(dict.fromkeys(fresh, taken))
        return again
