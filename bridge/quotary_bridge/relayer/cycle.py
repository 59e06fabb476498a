"""What the steps of one cycle share: the outside world, and the one block that all reads use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from quotary_bridge.chain import Block, Chain
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.errors import Permanent, Transient
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    ChainId,
    Fees,
    JobKey,
    JobKind,
    Nonce,
    Request,
    Slot,
    SlotState,
    Timestamp,
    Wei,
)
from quotary_bridge.relayer.oracle import Oracle
from quotary_bridge.relayer.panel import Panel
from quotary_bridge.relayer.progress import Listener, Progress, ProgressKind
from quotary_bridge.relayer.settings import RelayerSettings
from quotary_bridge.relayer.slots import SlotBook
from quotary_bridge.store import ROWS_LIMIT, InputFolder, Lease, Store, Writer
from quotary_bridge.workers import WorkerClient, WorkerPool

__all__ = ["Cycle", "Ports"]

_NOTHING = BlockNumber(-1)


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a relayer works with."""

    chain: Chain
    oracle: Oracle
    store: Store
    signer: Signer
    pool: WorkerPool
    client: WorkerClient
    settings: RelayerSettings
    listener: Listener
    witnesses: tuple[Chain, ...] = ()
    batches: Address | None = None
    served: Address | None = None
    inputs: InputFolder | None = None

    @property
    def address(self) -> Address:
        """Whose requests are worked on: the oracle's, or those of the one that is `served`."""
        return self.oracle.address if self.served is None else self.served

    @property
    def chain_id(self) -> ChainId:
        """The chain relayed on."""
        return ChainId(self.chain.chain_id)

    def whole(self, request: Request) -> Request | None:
        """Return `request` with its input, wherever that is kept; None where it is not at hand."""
        if not request.input_is_elsewhere:
            return request
        found = None if self.inputs is None else self.inputs.get(request.input_commitment)
        return None if found is None else replace(request, input=found)

    def open_jobs(
        self,
        *states: JobState,
        most: int = ROWS_LIMIT,
        without_slot: bool = False,
        kind: JobKind | None = None,
    ) -> tuple[Job, ...]:
        """Return the jobs that can still move, oldest first, of `states` or of all."""
        return self.store.open_jobs(
            self.chain_id,
            self.address,
            *states,
            most=most,
            without_slot=without_slot,
            kind=kind,
        )


@dataclass(slots=True)
class Cycle:
    """One cycle, pinned to `head`: every read asks for the state at that block."""

    ports: Ports
    lease: Lease
    head: Block
    book: SlotBook
    events: list[Progress] = field(default_factory=list)
    _hashes: dict[BlockNumber, BlockHash | None] = field(default_factory=dict)
    _panel: Panel | None = None
    _final: BlockNumber | None = None
    _used: Nonce | None = None
    _fees: Fees | None = None

    @property
    def number(self) -> BlockNumber:
        """The pinned block's height."""
        return BlockNumber(self.head.number)

    @property
    def time(self) -> Timestamp:
        """The chain's time at the pinned block, Unix seconds."""
        return Timestamp(self.head.timestamp)

    @property
    def ref(self) -> BlockRef:
        """The pinned block."""
        return BlockRef(self.number, BlockHash(self.head.hash))

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """One transaction of the signer's: see `Store.write`."""
        try:
            with self.ports.store.write(self.lease) as writer:
                yield writer
        except BaseException:
            self.book.forget()
            raise
        self.book.note(writer.slot_changes)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every nonce of the signer that is not final, lowest first."""
        return self.book.slots(
            lambda: self.ports.store.unresolved_slots(
                self.ports.chain_id, self.ports.signer.address
            )
        )

    def beside(self, signer: Signer, lease: Lease, book: SlotBook) -> Cycle:
        """Return the same cycle for another account: the same block, and what is known of it."""
        # Asked of the witnesses once, and for all accounts.
        final = self.final_number
        ports = replace(self.ports, signer=signer)
        known = self.panel
        return replace(
            self, ports=ports, lease=lease, book=book, _panel=known, _final=final, _used=None
        )

    def of(self, served: Address) -> Cycle:
        """Return the same cycle for the requests of another oracle: that of batches."""
        final = self.final_number
        return replace(self, ports=replace(self.ports, served=served), _final=final)

    @property
    def open_slots(self) -> tuple[Slot, ...]:
        """Those of `slots` that no block holds."""
        return tuple(slot for slot in self.slots if slot.state is SlotState.OPEN)

    def free_jobs(
        self,
        *states: JobState,
        most: int,
        without_slot: bool = False,
        kind: JobKind | None = None,
    ) -> tuple[Job, ...]:
        """Like `Ports.open_jobs`, without those that another relayer works on."""
        return self.ports.store.free_jobs(
            self.lease, self.ports.address, *states, most=most, without_slot=without_slot, kind=kind
        )

    def canonical(self, block: BlockRef) -> bool:
        """Whether `block` is part of the chain, as far as the pinned block."""
        if block.number > self.number:
            return False
        self.look_up([block.number])
        return self._hashes[block.number] == block.hash

    def look_up(self, numbers: Iterable[BlockNumber]) -> None:
        """Learn the hashes of blocks as far as the pinned one, all at once."""
        wanted = sorted({n for n in numbers if n <= self.number and n not in self._hashes})
        found = self.ports.chain.block_hashes(wanted)
        self._hashes.update(zip(wanted, map(_hash_or_none, found), strict=True))

    @property
    def panel(self) -> Panel:
        """Whose answers the chain takes at the pinned block, each question asked once a cycle."""
        if self._panel is None:
            self._panel = Panel(self.ports.oracle, self.number, self.time)
        return self._panel

    def final(self, block: BlockRef) -> bool:
        """Whether `block`, known to be canonical, has the finality depth on top of it."""
        return block.number <= self.final_number

    @property
    def final_number(self) -> BlockNumber:
        """The newest block that counts as final, -1 for none: where all witnesses say the same."""
        if self._final is None:
            deep = BlockNumber(self.number - self.ports.settings.finality_depth)
            agreed = deep < 0 or (
                all(self._confirms(witness, deep) for witness in self.ports.witnesses)
                and self._others_confirm(deep)
            )
            self._final = deep if agreed else _NOTHING
        return self._final

    def _confirms(self, witness: Chain, number: BlockNumber) -> bool:
        """Whether another node has the very block at `number`: one that is away does not."""
        self.look_up([number])
        try:
            found = witness.block(number).hash
        except (Transient, Permanent) as error:
            self.tell(ProgressKind.FINALITY_UNCONFIRMED, node=witness.endpoint, reason=error.reason)
            return False
        if found != self._hashes[number]:
            self.tell(
                ProgressKind.FINALITY_UNCONFIRMED, node=witness.endpoint, reason="AnotherBlock"
            )
            return False
        return True

    def _others_confirm(self, number: BlockNumber) -> bool:
        """Whether the nodes that stand by have the block at `number`: see `SeveralNodes`."""
        self.look_up([number])
        doubts = self.ports.chain.doubts(number, self._hashes[number] or b"")
        for node, reason in doubts.items():
            self.tell(ProgressKind.FINALITY_UNCONFIRMED, node=node, reason=reason)
        return not doubts

    @property
    def used_nonces(self) -> Nonce:
        """How many nonces of the signer are used up at the pinned block."""
        if self._used is None:
            address = self.ports.signer.address
            self._used = Nonce(self.ports.chain.nonce(address, self.number))
        return self._used

    @property
    def suggested_fees(self) -> Fees:
        """What the node suggests to offer, asked once a cycle."""
        if self._fees is None:
            found = self.ports.chain.fees()
            self._fees = Fees(Wei(found.max_fee), Wei(found.max_priority_fee))
        return self._fees

    def tell(self, kind: ProgressKind, job: JobKey | None = None, **details: str | int) -> None:
        """Report what happened, once it is committed."""
        progress = Progress(kind, self.number, job, details)
        self.events.append(progress)
        self.ports.listener(progress)


def _hash_or_none(found: bytes | None) -> BlockHash | None:
    return None if found is None else BlockHash(found)
