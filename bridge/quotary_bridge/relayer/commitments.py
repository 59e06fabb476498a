"""
How batches were committed, by whomever, as the chain's logs tell.

1. Of a batch, logs are read from the first block that can hold its commitment; later only from the
   first block that was not final when they were read last.
2. What was found is kept by the hash of its block, as long as a batch waits for it: it counts while
   that block is part of the chain.
3. A commitment that the record says must be there, and that no log told of, is looked for from the
   beginning: a node may know blocks longer than what they logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from quotary_bridge.chain.contracts import BatchCommitted
from quotary_bridge.model import Address, BlockHash, BlockNumber, BlockRef, Bytes32, JobKey
from quotary_bridge.relayer.batch_book import BatchBook
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.store import BatchRecord

__all__ = ["Commitments", "Told"]

_Content = tuple[Bytes32, Bytes32, Address, Bytes32]


@dataclass(frozen=True, slots=True)
class Told:
    """A commitment and its block, which is part of the chain; whether it was voided since."""

    event: BatchCommitted
    block: BlockRef
    voided: bool


class Commitments:
    """What was read of commitments at one oracle, cycle after cycle."""

    def __init__(self, book: BatchBook) -> None:
        """Read nothing yet."""
        self._book = book
        self._unread: dict[JobKey, BlockNumber] = {}
        self._kept: dict[tuple[bytes, int], tuple[BatchCommitted, BlockRef]] = {}

    def read(
        self, cycle: Cycle, signed: Sequence[BatchRecord], brought: AbstractSet[JobKey]
    ) -> dict[JobKey, Told]:
        """
        Return how those of `signed` were committed that were, as far as the pinned block.

        `brought` are those whose commitment must be there. Raises the errors of the chain port.
        """
        wanted = {_content_of(each): each.key for each in signed}
        self._kept = {k: told for k, told in self._kept.items() if _content(told[0]) in wanted}
        found = {_content(event) for event, _ in self._kept.values()}
        missing = {key for content, key in wanted.items() if content not in found} & brought
        self._unread = {
            each.key: each.since if each.key in missing else self._unread.get(each.key, each.since)
            for each in signed
        }
        self._learn(cycle, signed, wanted.keys())
        return self._told(cycle, wanted)

    def _learn(
        self, cycle: Cycle, signed: Sequence[BatchRecord], wanted: AbstractSet[_Content]
    ) -> None:
        workers = sorted({each.worker for each in signed})
        for event, log in self._book.commitments(workers, min(self._unread.values()), cycle.number):
            if _content(event) in wanted:
                block = BlockRef(BlockNumber(log.block_number), BlockHash(log.block_hash))
                self._kept[log.block_hash, log.index] = (event, block)
        after = BlockNumber(cycle.final_number + 1)
        self._unread = {key: max(number, after) for key, number in self._unread.items()}

    def _told(self, cycle: Cycle, wanted: dict[_Content, JobKey]) -> dict[JobKey, Told]:
        cycle.look_up({block.number for _, block in self._kept.values()})
        there = [told for told in self._kept.values() if cycle.canonical(told[1])]
        gone = self._book.voided([event.batch_id for event, _ in there], cycle.number)
        found: dict[JobKey, Told] = {}
        # The same answers may be committed twice: the first number that still serves does.
        for (event, block), voided in sorted(
            zip(there, gone, strict=True), key=lambda each: (each[1], each[0][0].batch_id)
        ):
            found.setdefault(wanted[_content(event)], Told(event, block, voided))
        return found


def _content(told: BatchCommitted) -> _Content:
    return told.app_id, told.model_id, told.worker, told.root


def _content_of(held: BatchRecord) -> _Content:
    return held.app_id, held.model_id, held.worker, held.root
