"""The nonces of one account that are not final, kept between cycles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quotary_bridge.model import Slot, SlotState
from quotary_bridge.store import SlotChange

__all__ = ["SlotBook"]

_UNRESOLVED = (SlotState.OPEN, SlotState.MINED)


class SlotBook:
    """
    What the store holds of one account's unresolved nonces, without asking it again.

    Nobody else writes them while the account's lease is ours, so what our own commits changed is
    all that changed. After a commit that failed nothing is believed, and the store is asked.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[int, Slot] | None = None
        self._shown: tuple[Slot, ...] | None = None

    def slots(self, read: Callable[[], Sequence[Slot]]) -> tuple[Slot, ...]:
        """Return them, lowest nonce first; `read` asks the store."""
        if self._known is None:
            self._known = {slot.id: slot for slot in read()}
        if self._shown is None:
            self._shown = tuple(sorted(self._known.values(), key=lambda slot: slot.nonce))
        return self._shown

    def note(self, changes: Sequence[SlotChange]) -> None:
        """Hear what a commit of ours, which has ended, changed."""
        if self._known is None or not changes:
            return
        for slot_id, change in changes:
            slot = self._known[slot_id] = change(self._known.get(slot_id))
            if slot.state not in _UNRESOLVED:
                del self._known[slot_id]
        self._shown = None

    def forget(self) -> None:
        """Believe nothing any more."""
        self._known = self._shown = None
