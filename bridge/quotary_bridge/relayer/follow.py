"""
Finding out what became of every nonce given out.

A receipt is a hint until its block is canonical, and final only at depth. All attempts of a nonce
are looked at together: any of them may have been mined, whichever was sent last. Nothing moves
forward only: where a block is gone, its nonce is open again.
"""

from __future__ import annotations

from quotary_bridge.lifecycle import Finalised, Included, JobState, Released, Reorged, Retried
from quotary_bridge.model import (
    AttemptKind,
    BlockHash,
    BlockNumber,
    BlockRef,
    Inclusion,
    JobKey,
    Nonce,
    Slot,
    SlotState,
)
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.store import Writer

__all__ = ["REFUSED", "REVERTED", "follow"]

REVERTED = "Reverted"
"""A delivery passed its simulation and failed all the same when it was mined."""

REFUSED = "TransactionRefused"
"""No node took a delivery, so that its nonce was used up by nothing."""


def follow(cycle: Cycle) -> None:
    """Bring every unresolved nonce of the signer up to the pinned block."""
    ports = cycle.ports
    slots = ports.store.unresolved_slots(ports.chain_id, ports.signer.address)
    if not slots:
        return
    used = _nonce_at_finality(cycle)
    for slot in slots:
        inclusion = _inclusion(cycle, slot)
        if inclusion is not None:
            _included(cycle, slot, inclusion)
        elif slot.state is SlotState.MINED:
            _reorged(cycle, slot)
        elif slot.nonce < used:
            _lost(cycle, slot)


def _nonce_at_finality(cycle: Cycle) -> Nonce:
    """Return how many of the signer's nonces are used up for good."""
    depth = cycle.number - cycle.ports.settings.finality_depth
    if depth < 0:
        return Nonce(0)
    return Nonce(cycle.ports.chain.nonce(cycle.ports.signer.address, depth))


def _inclusion(cycle: Cycle, slot: Slot) -> Inclusion | None:
    for attempt in reversed(slot.attempts):
        receipt = cycle.ports.chain.receipt(attempt.hash)
        if receipt is None or receipt.transaction_hash != attempt.hash:
            continue
        block = BlockRef(BlockNumber(receipt.block_number), BlockHash(receipt.block_hash))
        if cycle.canonical(block):
            return Inclusion(attempt.hash, block, receipt.succeeded)
    return None


def _included(cycle: Cycle, slot: Slot, inclusion: Inclusion) -> None:
    delivers = _delivers(slot, inclusion)
    final = cycle.final(inclusion.block)
    if slot.inclusion == inclusion and not final:
        return
    with cycle.ports.store.write(cycle.lease) as writer:
        if slot.inclusion != inclusion:
            writer.resolve_slot(slot, SlotState.MINED, inclusion)
            if slot.job is not None and delivers:
                writer.advance(slot.job, Included(inclusion.succeeded))
        if final:
            writer.resolve_slot(slot, SlotState.FINAL, inclusion)
            if slot.job is not None:
                delivered = delivers and inclusion.succeeded
                reason = REVERTED if delivers else REFUSED
                _finalise(writer, slot.job, delivered=delivered, reason=reason)
    _tell_included(cycle, slot, inclusion, delivers=delivers, final=final)


def _finalise(writer: Writer, key: JobKey, *, delivered: bool, reason: str) -> None:
    if delivered:
        writer.advance(key, Finalised())
        return
    wanted = writer.job(key).wants_its_slot
    job = writer.advance(key, Released())
    if wanted and job.state is JobState.SIGNED:
        # The result passed its simulation and came to nothing all the same. It counts as a refused
        # one, so that one that always does cannot spend the signer's funds for ever.
        writer.advance(key, Retried(reason))


def _delivers(slot: Slot, inclusion: Inclusion) -> bool:
    kinds = {attempt.hash: attempt.kind for attempt in slot.attempts}
    return kinds[inclusion.transaction] is AttemptKind.DELIVER


def _tell_included(
    cycle: Cycle, slot: Slot, inclusion: Inclusion, *, delivers: bool, final: bool
) -> None:
    shown: dict[str, str | int] = {
        "transaction": f"0x{inclusion.transaction.hex()}",
        "included_at": inclusion.block.number,
        "nonce": slot.nonce,
    }
    if slot.inclusion != inclusion:
        kind = ProgressKind.MINED if inclusion.succeeded else ProgressKind.REVERTED
        cycle.tell(kind, slot.job, **shown)
    if final and delivers and inclusion.succeeded:
        cycle.tell(ProgressKind.FINAL, slot.job, **shown)


def _reorged(cycle: Cycle, slot: Slot) -> None:
    with cycle.ports.store.write(cycle.lease) as writer:
        writer.resolve_slot(slot, SlotState.OPEN, None)
        if slot.job is not None:
            writer.advance(slot.job, Reorged())
    cycle.tell(ProgressKind.REORGED, slot.job, nonce=slot.nonce)


def _lost(cycle: Cycle, slot: Slot) -> None:
    # Decided at finality depth only: a node that lags, or lies for a while, must not make us give
    # a job a second nonce.
    with cycle.ports.store.write(cycle.lease) as writer:
        writer.resolve_slot(slot, SlotState.LOST, None)
        if slot.job is not None:
            writer.advance(slot.job, Released())
    cycle.tell(ProgressKind.NONCE_LOST, slot.job, nonce=slot.nonce)
