"""
Watching the chain for requests, across reorgs.

Every cycle looks at all blocks that are not final yet, again and whole: what a reorg took
away is then simply missing, and what it moved is in another block. No filter, no memory of single
reorgs, nothing to miss. What was read of a block is kept by its hash, which stands for it; a block
that had nothing to say is asked again. Once a block is final it becomes the anchor, and is never
read again; should the anchor's hash ever change, the chain broke its promise and the relayer stops.

A node may know a block and not, or not yet, what it logged. So a request is gone where its block
is, and only there; and of a block that had nothing to say, and whose header leaves room for
something, the logs are asked for by its hash. Where they are not there yet, reading ends before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quotary_bridge.chain import Block, Chain
from quotary_bridge.errors import BlockNotFound, FinalityViolation, Reason, RequestRefused
from quotary_bridge.lifecycle import Job, JobState, Orphaned, Seen, Superseded, begin
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    ChainId,
    JobKey,
    Request,
    TransactionHash,
)
from quotary_bridge.store import Cursor, Lease, Store, Writer

__all__ = ["REQUEST_GONE", "Ending", "Intake", "IntakeReport", "RequestSource", "Scan"]

REQUEST_GONE = "RequestGone"
"""The block the request was in was replaced, to finality, by one without it."""

BLOCKS_PER_QUERY = 2_000
"""What public RPC services answer in one eth_getLogs."""

BLOCKS_KEPT = 256
"""More than this are read when catching up, and then once."""

RUNS_PER_CYCLE = 4
"""Blocks to be asked again lie between others that are kept: from so many runs on, ask for all."""

BLOCKS_DOUBTED = 64
"""Of a long way that is caught up with, so many blocks, the newest, are looked at one by one."""

TIMES_DOUBTED = 2
"""A block's header may leave room for logs it has not: on a busy chain one in four of them does."""

QUERIES_PER_CYCLE = 50
"""Catching up after a long stop is spread over cycles, so that the lease is renewed in between."""


class RequestSource(Protocol):
    """Where requests are read."""

    @property
    def address(self) -> Address:
        """The oracle."""

    def scan(self, first: BlockNumber, last: BlockNumber) -> Scan:
        """Return what was asked and what ended in the blocks `first` to `last`, both included."""

    def may_tell(self, block: Block) -> bool:
        """Whether the header of `block` leaves room for anything that was asked or ended."""

    def scan_each(self, blocks: Sequence[BlockHash]) -> list[Scan | None]:
        """Return the same of each of many blocks, None where the node cannot tell yet."""


@dataclass(frozen=True, slots=True)
class Ending:
    """That a request needs no answer any more, why, and the block and transaction that say so."""

    key: JobKey
    reason: str
    block: BlockRef
    transaction: TransactionHash


@dataclass(frozen=True, slots=True)
class Scan:
    """What the oracle's events of some blocks say."""

    requests: tuple[Request, ...] = ()
    endings: tuple[Ending, ...] = ()

    def __add__(self, other: Scan) -> Scan:
        """Return both, in their order."""
        return Scan(self.requests + other.requests, self.endings + other.endings)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.requests or self.endings)


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """
    What one reading changed, and what it read of requests that ended.

    `anchor` is the newest block that can no longer change, `top` the newest that was read; `untold`
    is the one above it, where that holds logs that the node does not have yet.
    """

    seen: tuple[Request, ...]
    moved: tuple[JobKey, ...]
    orphaned: tuple[JobKey, ...]
    endings: tuple[Ending, ...]
    reorganised: bool
    anchor: BlockRef
    top: BlockNumber
    untold: BlockNumber | None = None


@dataclass(frozen=True, slots=True)
class _Sight:
    """
    What one reading saw of the blocks above `anchor`, pinned at `head`.

    `requests` are those that logs told of, `hashes` the blocks at the heights of all others that
    are known, and some more.
    """

    requests: Mapping[JobKey, Request]
    hashes: Mapping[BlockNumber, BlockHash]
    anchor: BlockNumber
    head: BlockRef


class Intake:
    """
    Turns requests on the chain into jobs in the store.

    `start` is the first block worth reading, usually the oracle's deployment. A block is final when
    `finality_depth` blocks are on top of it.
    """

    def __init__(
        self,
        chain: Chain,
        source: RequestSource,
        store: Store,
        *,
        finality_depth: int,
        start: BlockNumber,
    ) -> None:
        """Read `source` on `chain` into `store`."""
        self._chain = chain
        self._source = source
        self._store = store
        self._depth = finality_depth
        self._start = start
        self._kept: dict[BlockHash, Scan] = {}
        self._silent: Counter[BlockHash] = Counter()

    def read(self, head: Block, held: Lease, settled: BlockNumber | None = None) -> IntakeReport:
        """
        Bring the store up to `head`.

        `settled` is the `top` of the last reading whose endings were acted on: the anchor moves no
        further, so that what a crash kept from being acted on is read again.

        Raises `FinalityViolation` where a final block is gone, and `BlockNotFound` where the chain
        moved while it was read: then nothing was written and the cycle is repeated.
        """
        chain_id = ChainId(self._chain.chain_id)
        before = self._store.cursor(chain_id, self._source.address) or self._origin(head)
        self._require_anchor(before.final)
        reach = self._top(before, head)
        scan, top = self._scan(before.final.number, reach)
        found = {request.key: request for request in scan.requests}
        final = self._final(before, -1 if settled is None else min(top, settled), head)
        last = before.head
        recent = self._store.recent_jobs(chain_id, self._source.address, before.final.number)
        silent = {job.request.block.number for job in recent if job.key not in found}
        pinned = BlockNumber(head.number)
        wanted = {top, final, min(last.number, pinned), pinned}
        hashes = self._hashes(wanted | {number for number in silent if number <= top})
        # Logs carry no proof of the block they were asked for at: what was read counts only if the
        # chain is still the one that was pinned.
        if hashes[pinned] != head.hash:
            raise BlockNotFound(Reason.BLOCK_NOT_FOUND, f"block {head.number} was replaced")
        after = Cursor(BlockRef(top, hashes[top]), BlockRef(final, hashes[final]))
        reorganised = last.number > head.number or hashes[last.number] != last.hash
        sight = _Sight(found, hashes, before.final.number, _ref_of(head))
        with self._store.write(held) as writer:
            seen, moved, orphaned = self._apply(writer, recent, sight)
            writer.move_cursor(chain_id, self._source.address, after)
        untold = BlockNumber(top + 1) if top < reach else None
        anchor = after.final
        return IntakeReport(seen, moved, orphaned, scan.endings, reorganised, anchor, top, untold)

    def _apply(
        self, writer: Writer, recent: Sequence[Job], sight: _Sight
    ) -> tuple[tuple[Request, ...], tuple[JobKey, ...], tuple[JobKey, ...]]:
        found = sight.requests
        known = {job.key: job for job in recent}
        known.update(self._store.jobs(list(found.keys() - known.keys())))
        seen = [request for key, request in found.items() if key not in known]
        for request in seen:
            writer.add_job(begin(request))
        due = [key for key, job in known.items() if _what_became(job, sight) is not None]
        # Read again under their locks: another relayer on the same store may have moved them.
        writer.load(due)
        moved, orphaned = [], []
        for key in due:
            event = _what_became(writer.job(key), sight)
            if event is not None:
                writer.advance(key, event)
            if isinstance(event, Seen):
                moved.append(key)
            elif isinstance(event, Orphaned):
                orphaned.append(key)
        return tuple(seen), tuple(moved), tuple(orphaned)

    def _scan(self, anchor: BlockNumber, top: BlockNumber) -> tuple[Scan, BlockNumber]:
        """Return what the blocks up to `top` say, and the last of them that said it."""
        found, edge = Scan(), int(anchor) if top - anchor <= BLOCKS_KEPT else top - BLOCKS_DOUBTED
        for first in range(anchor + 1, edge + 1, BLOCKS_PER_QUERY):
            found += self._read(first, min(edge, first + BLOCKS_PER_QUERY - 1))
        said, last = self._scan_anew(range(edge + 1, top + 1))
        return found + said, last

    def _scan_anew(self, blocks: range) -> tuple[Scan, BlockNumber]:
        """Return what `blocks` say, and the last of them; only those are read that are not kept."""
        headers = self._headers(blocks)
        hashes = {number: BlockHash(header.hash) for number, header in headers.items()}
        unread = [number for number in hashes if hashes[number] not in self._kept]
        runs = _runs(unread)
        if len(runs) > RUNS_PER_CYCLE:
            runs = [(unread[0], unread[-1])]
        said: dict[int, Scan] = {}
        for first, last in runs:
            said.update(_by_block(self._read(first, last), hashes))
        found = {
            number: said.get(number) or self._kept.get(digest) or Scan()
            for number, digest in hashes.items()
        }
        end = min(self._ask_again(headers, found), default=blocks.stop)
        self._kept = {hashes[number]: scan for number, scan in found.items() if scan}
        heard = [scan for number, scan in found.items() if number < end]
        return sum(heard, Scan()), BlockNumber(end - 1)

    def _ask_again(
        self, headers: Mapping[BlockNumber, Block], found: dict[BlockNumber, Scan]
    ) -> list[BlockNumber]:
        """
        Ask for what blocks logged that said nothing and whose headers leave room for something.

        Adds it to `found`; returns the blocks of which the node cannot tell yet. A header leaves
        room for what is not there, too: that is asked for a few times only.
        """
        hashes = {number: BlockHash(header.hash) for number, header in headers.items()}
        self._silent = Counter({each: self._silent[each] for each in hashes.values()})
        doubted = [
            number
            for number, header in headers.items()
            if not found[number]
            and self._silent[hashes[number]] < TIMES_DOUBTED
            and self._source.may_tell(header)
        ]
        told = self._source.scan_each([hashes[number] for number in doubted])
        for number, scan in zip(doubted, told, strict=True):
            if scan is not None:
                found[number] = _by_block(scan, hashes).get(number, Scan())
                self._silent[hashes[number]] += 1
        return [number for number, scan in zip(doubted, told, strict=True) if scan is None]

    def _read(self, first: int, last: int) -> Scan:
        try:
            return self._source.scan(BlockNumber(first), BlockNumber(last))
        except RequestRefused:
            # Services differ in how wide a range, and how many logs, they answer at once.
            if first == last:
                raise
        middle = (first + last) // 2
        return self._read(first, middle) + self._read(middle + 1, last)

    def _top(self, before: Cursor, head: Block) -> BlockNumber:
        reach = before.final.number + BLOCKS_PER_QUERY * QUERIES_PER_CYCLE
        return BlockNumber(min(head.number, reach))

    def _final(self, before: Cursor, read: int, head: Block) -> BlockNumber:
        return BlockNumber(max(before.final.number, min(read, head.number - self._depth)))

    def _origin(self, head: Block) -> Cursor:
        # The anchor must be final, even where the oracle was deployed a moment ago.
        first = self._ref(BlockNumber(max(0, min(self._start - 1, head.number - self._depth))))
        return Cursor(first, first)

    def _require_anchor(self, anchor: BlockRef) -> None:
        found = self._chain.block(anchor.number)
        if found.hash != anchor.hash:
            raise FinalityViolation(
                Reason.FINALITY_VIOLATION,
                f"block {anchor.number} was final as 0x{anchor.hash.hex()} "
                f"and is now 0x{found.hash.hex()}",
                "find out what happened to the chain; then raise the finality depth, or start with "
                "an empty store",
            )

    def _headers(self, wanted: Iterable[int]) -> dict[BlockNumber, Block]:
        """Return blocks, lowest first, asked for at once; raises `BlockNotFound`."""
        numbers = [BlockNumber(number) for number in sorted(wanted)]
        found: dict[BlockNumber, Block] = {}
        for number, block in zip(numbers, self._chain.blocks(numbers), strict=True):
            if block is None:
                raise BlockNotFound(Reason.BLOCK_NOT_FOUND, f"the node has no block {number}")
            found[number] = block
        return found

    def _hashes(self, wanted: set[BlockNumber]) -> dict[BlockNumber, BlockHash]:
        """Return the hashes of blocks, asked for at once; raises `BlockNotFound`."""
        return {number: BlockHash(block.hash) for number, block in self._headers(wanted).items()}

    def _ref(self, number: BlockNumber) -> BlockRef:
        return BlockRef(number, BlockHash(self._chain.block(number).hash))


def _ref_of(block: Block) -> BlockRef:
    return BlockRef(BlockNumber(block.number), BlockHash(block.hash))


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as runs without a gap: each by its first and its last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _by_block(scan: Scan, hashes: Mapping[BlockNumber, BlockHash]) -> dict[int, Scan]:
    """Return what each block said; raises `BlockNotFound` where one is not of this branch."""
    requests: defaultdict[int, list[Request]] = defaultdict(list)
    endings: defaultdict[int, list[Ending]] = defaultdict(list)
    for request in scan.requests:
        requests[request.block.number].append(request)
    for ending in scan.endings:
        endings[ending.block.number].append(ending)
    places = [request.block for request in scan.requests] + [each.block for each in scan.endings]
    for place in places:
        if hashes[place.number] != place.hash:
            raise BlockNotFound(Reason.BLOCK_NOT_FOUND, f"block {place.number} was replaced")
    blocks = requests.keys() | endings.keys()
    return {each: Scan(tuple(requests[each]), tuple(endings[each])) for each in blocks}


def _what_became(job: Job, sight: _Sight) -> Seen | Orphaned | Superseded | None:
    """Return what the chain, as it was read, says of `job`."""
    if job.terminal:
        return None
    request, block = sight.requests.get(job.key), job.request.block
    if request is not None:
        return Seen(request) if _must_move(job, request) else None
    there = sight.hashes.get(block.number)
    if there is None:
        # It was not looked at: it is above what was read, or was moved meanwhile by another.
        return None
    if there == block.hash:
        return Seen(job.request) if job.state is JobState.ORPHANED else None
    if job.state is JobState.ORPHANED:
        return Superseded(REQUEST_GONE, sight.head) if block.number <= sight.anchor else None
    return Orphaned() if block.number > sight.anchor and _may_be_orphaned(job) else None


def _must_move(job: Job, request: Request) -> bool:
    return job.state is JobState.ORPHANED or job.request != request


def _may_be_orphaned(job: Job) -> bool:
    # A settled job is reopened, where its own block goes, by whoever settled it.
    return job.state not in (JobState.FAILED, JobState.SUPERSEDED)
