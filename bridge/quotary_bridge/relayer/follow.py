"""
Finding out what became of every nonce given out.

A receipt is a hint until its block is canonical, and final only at depth, where two cycles were
told the same of it: one answer that is not true ends no job. All attempts of a nonce are looked at
together: any of them may have been mined, whichever was sent last. Nothing moves forward only:
where a block is gone, its nonce is open again.

At finality a nonce's block says once more what it says of its job: whatever the job went through
meanwhile, a delivery in the chain is a fact, and no order of a node's answers leads away from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from quotary_bridge.chain import Mined
from quotary_bridge.intake import Ending
from quotary_bridge.lifecycle import (
    Finalised,
    IllegalTransitionError,
    Included,
    JobState,
    Released,
    Reorged,
    Retried,
)
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
    TransactionHash,
)
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.foreign import used_by_another
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.store import Writer

__all__ = ["REFUSED", "REVERTED", "follow"]

REVERTED = "Reverted"
"""A delivery passed its simulation and failed all the same when it was mined."""

REFUSED = "TransactionRefused"
"""No node took a delivery, so that its nonce was used up by nothing."""


_News = tuple[JobKey | None, Callable[[Writer], None], Callable[[], None]]
"""Whose nonce something became known of, what is to be written of it, and what to be told."""


def follow(cycle: Cycle, endings: Sequence[Ending] = ()) -> None:
    """
    Bring every unresolved nonce of the signer up to the pinned block.

    `endings`, which were read anyway, tell of deliveries that succeeded; of those no receipt is
    asked for until their blocks are final.
    """
    slots = cycle.slots
    if not slots:
        return
    used = _nonce_at_finality(cycle)
    receipts = _receipts(cycle, slots, endings)
    found = [(slot, _step(cycle, slot, _inclusion(cycle, slot, receipts), used)) for slot in slots]
    for _, _, tell in _written(cycle, [(slot.job, *step) for slot, step in found if step]):
        tell()


def _written(cycle: Cycle, news: Sequence[_News]) -> Sequence[_News]:
    """
    Write all of `news`, in one commit, and return them: whatever it loses is found again.

    Without those of a job that cannot have them, which is a defect: the job stays as it is, its
    nonce stays given out, and nobody else's deliveries wait for it.
    """
    while news:
        try:
            with cycle.write() as writer:
                writer.load({job for job, _, _ in news if job is not None})
                for _, write, _ in news:
                    write(writer)
        except IllegalTransitionError as error:
            job, event = error.job, type(error.event).__name__
            cycle.tell(ProgressKind.JOB_CONTRADICTED, job.key, state=job.state.value, event=event)
            news = [each for each in news if each[0] != job.key]
        else:
            break
    return news


def _step(
    cycle: Cycle, slot: Slot, inclusion: Inclusion | None, used: Nonce
) -> tuple[Callable[[Writer], None], Callable[[], None]] | None:
    """Return what is to be written and told of `slot`, or None where nothing has changed."""
    if inclusion is not None:
        if slot.inclusion == inclusion and not cycle.final(inclusion.block):
            return None
        return partial(_included, cycle, slot, inclusion), partial(
            _tell_included, cycle, slot, inclusion
        )
    if slot.state is SlotState.MINED:
        told = partial(cycle.tell, ProgressKind.REORGED, slot.job, nonce=slot.nonce)
        return partial(_reorged, slot), told
    if slot.nonce < used and used_by_another(cycle, slot, cycle.final_number):
        told = partial(cycle.tell, ProgressKind.NONCE_LOST, slot.job, nonce=slot.nonce)
        return partial(_lost, slot), told
    return None


def _nonce_at_finality(cycle: Cycle) -> Nonce:
    """Return how many of the signer's nonces are used up for good."""
    final = cycle.final_number
    if final < 0:
        return Nonce(0)
    return Nonce(cycle.ports.chain.nonce(cycle.ports.signer.address, final))


def _receipts(
    cycle: Cycle, slots: Sequence[Slot], endings: Sequence[Ending]
) -> dict[TransactionHash, Mined]:
    """Return what receipts there are, of every attempt of every slot in question."""
    cycle.look_up({slot.inclusion.block.number for slot in slots if slot.inclusion is not None})
    # A transaction that reverted leaves no event.
    receipts = {
        each.transaction: Mined(each.transaction, each.block.number, each.block.hash, True)
        for each in endings
        if not cycle.final(each.block)
    }
    hashes = [
        attempt.hash
        for slot in slots
        if not _rests(cycle, slot.inclusion)
        and receipts.keys().isdisjoint(attempt.hash for attempt in slot.attempts)
        for attempt in slot.attempts
    ]
    found = zip(hashes, cycle.ports.chain.mined(hashes), strict=True)
    receipts.update((digest, receipt) for digest, receipt in found if receipt is not None)
    cycle.look_up({BlockNumber(receipt.block_number) for receipt in receipts.values()})
    return receipts


def _rests(cycle: Cycle, inclusion: Inclusion | None) -> bool:
    """Whether nothing new is to be learnt: its block is where it was, and not final yet."""
    return (
        inclusion is not None
        and cycle.canonical(inclusion.block)
        and not cycle.final(inclusion.block)
    )


def _inclusion(
    cycle: Cycle, slot: Slot, receipts: Mapping[TransactionHash, Mined]
) -> Inclusion | None:
    if _rests(cycle, slot.inclusion):
        return slot.inclusion
    for attempt in reversed(slot.attempts):
        receipt = receipts.get(attempt.hash)
        if receipt is None or receipt.transaction_hash != attempt.hash:
            continue
        block = BlockRef(BlockNumber(receipt.block_number), BlockHash(receipt.block_hash))
        if cycle.canonical(block):
            return Inclusion(attempt.hash, block, receipt.succeeded)
    return None


def _included(cycle: Cycle, slot: Slot, inclusion: Inclusion, writer: Writer) -> None:
    delivers = _delivers(slot, inclusion)
    if slot.inclusion != inclusion:
        writer.resolve_slot(slot, SlotState.MINED, inclusion)
    if slot.job is not None and delivers:
        writer.advance(slot.job, Included(inclusion.succeeded))
    elif slot.job is not None and writer.job(slot.job).state is JobState.MINED:
        # The block that held the delivery gave way to one that used the nonce up otherwise.
        writer.advance(slot.job, Reorged())
    if _is_settled(cycle, slot, inclusion):
        writer.resolve_slot(slot, SlotState.FINAL, inclusion)
        if slot.job is not None:
            delivered = delivers and inclusion.succeeded
            reason = REVERTED if delivers else REFUSED
            _finalise(writer, slot.job, delivered=delivered, reason=reason)


def _is_settled(cycle: Cycle, slot: Slot, inclusion: Inclusion) -> bool:
    """Whether its block is final, and another cycle was told the same; without depth, at once."""
    known = slot.inclusion == inclusion or not cycle.ports.settings.finality_depth
    return known and cycle.final(inclusion.block)


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


def _tell_included(cycle: Cycle, slot: Slot, inclusion: Inclusion) -> None:
    shown: dict[str, str | int] = {
        "transaction": f"0x{inclusion.transaction.hex()}",
        "included_at": inclusion.block.number,
        "nonce": slot.nonce,
    }
    if slot.inclusion != inclusion:
        kind = ProgressKind.MINED if inclusion.succeeded else ProgressKind.REVERTED
        cycle.tell(kind, slot.job, **shown)
    delivered = inclusion.succeeded and _delivers(slot, inclusion)
    if delivered and _is_settled(cycle, slot, inclusion):
        cycle.tell(ProgressKind.FINAL, slot.job, **shown)


def _reorged(slot: Slot, writer: Writer) -> None:
    writer.resolve_slot(slot, SlotState.OPEN, None)
    if slot.job is not None:
        writer.advance(slot.job, Reorged())


def _lost(slot: Slot, writer: Writer) -> None:
    # Decided at finality depth only, and by what is there, not by what is missing: a node that
    # lags, or lies, must not make us give a job a second nonce.
    writer.resolve_slot(slot, SlotState.LOST, None)
    if slot.job is not None:
        writer.advance(slot.job, Released())
