"""
Relayers that are broken on purpose: what the harness must find.

Each breaks one rule of the outbox and nothing else, in a process that was forked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from eth_utils.crypto import keccak
from quotary_bridge.lifecycle import Errand, Released, begin_errand
from quotary_bridge.model import JobKind, Slot, SlotState, errand_key
from quotary_bridge.relayer import Relayer, batch_asking, follow, outbox
from quotary_bridge.relayer.batch_asking import BatchAsker
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.store import SignedTransaction, Writer
from quotary_bridge.workers import PreparedBatch

from tests.faults.chaos import Weather

LOSSES = Weather(reorg=0.02, drop=0.03)
"""Pools and reorgs that lose more: what a relayer that sends once is weakest against."""


def sends_before_it_commits(_relayer: Relayer) -> None:
    """Rule (ii): the bytes are out before anything is written down."""
    sign = outbox._signed

    def _sign_and_send(cycle: Any, *arguments: Any, **more: Any) -> SignedTransaction:
        signed = sign(cycle, *arguments, **more)
        cycle.ports.chain.send_many([signed.raw])
        return signed

    outbox._signed = _sign_and_send


def forgets_a_reorged_nonce_at_once(relayer: Relayer) -> None:
    """Rules (v) and (vi): what a reorg took is given up before finality says so."""

    def _forget(slot: Slot, writer: Writer) -> None:
        writer.resolve_slot(slot, SlotState.LOST, None)
        if slot.job is not None:
            writer.advance(slot.job, Released())

    follow._reorged = _forget
    # What was given up leaves a gap, which nothing may close: its transaction may still come.
    outbox_of(relayer).close_gaps = lambda _cycle: None  # type: ignore[method-assign]


def never_sends_again(relayer: Relayer) -> None:
    """Rule (iv): what was sent once is taken for delivered, and a restart sends nothing again."""
    own = outbox_of(relayer)
    own._resent = True
    own._due = lambda _cycle, slots: [  # type: ignore[method-assign]
        (slot, slot.latest) for slot in slots if slot.broadcasts == 0
    ]
    own.replace = lambda _cycle: None  # type: ignore[method-assign]


def forgets_what_it_signed(_relayer: Relayer) -> None:
    """A batch and the errand that commits it are one commit: between two, only the errand stays."""
    store = batch_asking.BatchAsker._store

    def _store_apart(asker: BatchAsker, cycle: Cycle, answer: Any, prepared: PreparedBatch) -> None:
        call = prepared.commit(asker.book.contract)
        first = answer.jobs[0].request
        key = errand_key(first.key, JobKind.COMMITMENT, keccak(call))
        errand = Errand(key, asker.book.address, call)
        with cycle.write() as writer:
            writer.load([first.key])
            writer.add_errands([begin_errand(first, JobKind.COMMITMENT, errand)])
        store(asker, cycle, answer, prepared)

    batch_asking.BatchAsker._store = _store_apart  # type: ignore[method-assign]


def outbox_of(relayer: Relayer) -> outbox.Outbox:
    """The outbox of a relayer's only account."""
    return relayer._held().first.outbox


@dataclass(frozen=True, slots=True)
class Mutant:
    """A way to be broken, the weather in which it shows, and whether it answers by the batch."""

    sabotage: Callable[[Relayer], None]
    weather: Weather = field(default_factory=Weather)
    batches: bool = False


CAUGHT: Mapping[str, Mutant] = MappingProxyType(
    {
        "sends before it commits": Mutant(sends_before_it_commits),
        "never sends again": Mutant(never_sends_again, LOSSES),
        "forgets what it signed for a batch": Mutant(forgets_what_it_signed, batches=True),
    }
)
"""Those that kills alone must bring to light."""

KILLS_BEFORE_CAUGHT = 50
JOBS_PER_KILL = 1.5
