"""
The relayer: one cycle after another, each pinned to one block.

1. pin the head, and skip the cycle where the node is behind what was seen before;
2. read requests (`quotary_bridge.intake`);
3. follow the nonces that are in flight;
4. settle what needs no delivery, reopen what a reorg took the reason from;
5. raise fees of what is stuck; send what no node has;
6. ask workers, check and keep their answers, alone, in rounds, or by the batch;
7. simulate, sign, store and send deliveries, the first ones while answers still come in; close
   gaps.

Each step commits what it found before the next begins, and each can be repeated: a relayer that
dies anywhere goes on from the store. It is not trusted: it may delay, never forge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.errors import BlockNotFound, Permanent, RpcUnavailable
from quotary_bridge.intake import Intake
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import Address, BlockNumber, JobKey
from quotary_bridge.relayer.batch_book import BatchBook
from quotary_bridge.relayer.batching import Batching
from quotary_bridge.relayer.cycle import Cycle, Ports
from quotary_bridge.relayer.dispatch import Dispatcher
from quotary_bridge.relayer.holder import own_holder
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.lanes import Lanes
from quotary_bridge.relayer.oracle import Oracle
from quotary_bridge.relayer.progress import Listener, Progress, ProgressKind
from quotary_bridge.relayer.reading import Reading
from quotary_bridge.relayer.rounds import Rounds
from quotary_bridge.relayer.settings import RelayerSettings
from quotary_bridge.relayer.settle import settle
from quotary_bridge.relayer.supply import Supply
from quotary_bridge.relayer.vitals import Vitals, look
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import Endpoint, WorkerClient, WorkerPool

__all__ = ["Relayer", "TickReport"]


@dataclass(frozen=True, slots=True)
class TickReport:
    """
    What one cycle did.

    `idle`: every known job can no longer move. `skipped`: the node was behind, nothing was done.
    `final`: the newest block that was read and can no longer change, None where nothing was read.
    `drained`: we were asked to finish, and everything we began is final. `waits`: something is in
    flight that no block holds, so that the next block tells more.
    """

    block: BlockNumber
    events: tuple[Progress, ...]
    idle: bool
    skipped: bool = False
    drained: bool = False
    waits: bool = False
    final: BlockNumber | None = None


class Relayer:
    """
    Carries requests of one oracle to workers and their results back.

    `signer` delivers, and every account of `lanes` beside it, each with its own nonces. Use it as a
    context manager, so that the accounts' leases are given back. `listener` hears of
    everything that happens, in the caller's thread. With `dry_run` nothing is signed or sent.
    Nothing counts as final that one of `witnesses`, other nodes of the chain, does not confirm.
    Requests of the oracle of batches, where `batches` names one, are answered many at a time.
    `roster` is asked before every cycle for the workers from then on, None for the same as before.
    """

    def __init__(
        self,
        chain: Chain,
        oracle: Address,
        store: Store,
        signer: Signer,
        workers: Sequence[Endpoint],
        *,
        settings: RelayerSettings | None = None,
        listener: Listener | None = None,
        client: WorkerClient | None = None,
        holder: str | None = None,
        dry_run: bool = False,
        witnesses: Sequence[Chain] = (),
        lanes: Sequence[Signer] = (),
        batches: Address | None = None,
        inputs: InputFolder | None = None,
        roster: Callable[[], Sequence[Endpoint] | None] = lambda: None,
    ) -> None:
        """Ask nobody yet; the first `tick` takes the leases."""
        self._ports = Ports(
            chain=chain,
            oracle=Oracle(chain, oracle),
            store=store,
            signer=signer,
            pool=WorkerPool(workers),
            client=client or WorkerClient(),
            settings=settings or RelayerSettings(),
            listener=listener or _silent,
            witnesses=tuple(witnesses),
            batches=batches,
            inputs=inputs,
        )
        self._reading = Reading(
            Intake(
                chain,
                self._ports.oracle.requests,
                store,
                finality_depth=self._ports.settings.finality_depth,
                start=self._ports.settings.start_block,
            )
        )
        self._identities = Identities()
        self._batches = (
            None
            if batches is None
            else Batching(self._ports, BatchBook(chain, batches), self._identities)
        )
        self._holder = holder or own_holder()
        self._dry_run = dry_run
        self._roster = roster
        self._dispatcher = Dispatcher(self._identities)
        self._rounds = Rounds(self._identities)
        self._supply = Supply()
        self._signers = (signer, *lanes)
        self._lanes: Lanes | None = None
        self._behind = 0
        self._pinned = BlockNumber(0)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the leases back and close connections to workers."""
        self.close()

    def close(self) -> None:
        """Give the leases back and close connections to workers; the store stays the caller's."""
        if self._lanes is not None:
            self._lanes.release(self._ports.store)
            self._lanes = None
        self._dispatcher.close()
        self._rounds.close()
        self._identities.close()
        if self._batches is not None:
            self._batches.close()
        self._ports.client.close()

    @property
    def inputs(self) -> InputFolder | None:
        """Where inputs are that the chain has not, None where such requests are left to others."""
        return self._ports.inputs

    @property
    def pool(self) -> WorkerPool:
        """The workers and how they do."""
        return self._ports.pool

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs there ever were in each state; reads them all."""
        ports, served = self._ports, [self._ports.oracle.address]
        if ports.batches is not None:
            served.append(ports.batches)
        found = [ports.store.counts(ports.chain_id, each) for each in served]
        return {state: sum(each[state] for each in found) for state in JobState}

    def job(self, key: JobKey) -> Job | None:
        """Return a job as it stands, or None where its request was never seen."""
        return self._ports.store.job(key)

    def tick(self) -> TickReport:
        """
        Do one cycle.

        Raises `Transient` where the node failed in the middle, and `Permanent` where it refused
        what it was asked: call again, after a while. Raises `Fatal` (`FinalityViolation`,
        `WrongChain`, `LeaseHeldError`) where a person has to look.
        """
        workers = self._roster()
        if workers is not None:
            self._ports.pool.replace(workers)
        chain = self._ports.chain
        chain.choose()
        try:
            report = self._cycle()
        except (RpcUnavailable, BlockNotFound):
            chain.set_aside()
            raise
        except Permanent as error:
            # What one node does not offer, finds too much, or gets wrong, another may answer.
            chain.set_aside()
            self._tell_refused(chain.endpoint, error)
            raise
        if report.skipped:
            chain.set_aside()
        return report

    def vitals(self) -> Vitals:
        """Look at what nobody tells while it is well; raises what asking the node raises."""
        return look(self._ports, [signer.address for signer in self._signers])

    def has_newer_block(self, report: TickReport) -> bool:
        """Whether the node has a block above that of `report`; raises what asking it raises."""
        return self._ports.chain.head().number > report.block

    def _cycle(self) -> TickReport:
        ports, lanes = self._ports, self._held()
        cycle = Cycle(ports, lanes.first.lease, ports.chain.head(), lanes.first.book)
        self._pinned = cycle.number
        if self._node_is_behind(cycle):
            cycle.tell(ProgressKind.NODE_BEHIND)
            return self._report(cycle, skipped=True)
        report = self._reading.read(cycle)
        lanes.follow(cycle, report.endings)
        settle(cycle, report.endings)
        self._reading.acted_on(report)
        draining = lanes.is_draining(ports.store)
        end = time.monotonic() + ports.settings.patience_seconds
        if self._batches is not None:
            self._batches.run(cycle, begin=not draining)
        if not draining:
            self._supply.run(cycle)
        with lanes.delivering(cycle, dry_run=self._dry_run) as deliver:
            self._dispatcher.run(cycle, begin=not draining, go_on=deliver)
            if not self._dry_run:
                # A worker shows its answer to one round only: trying that out would use it up.
                self._rounds.run(cycle, begin=not draining)
            if self._batches is not None:
                self._batches.hear(cycle, end)
        drained = draining and self._is_drained(cycle, lanes)
        done = self._report(cycle, drained=drained)
        return replace(done, waits=lanes.have_unmined(cycle), final=report.anchor.number)

    def _tell_refused(self, node: str, error: Permanent) -> None:
        details = {"node": node, "reason": error.reason.value, "detail": str(error)}
        told = Progress(ProgressKind.NODE_REFUSED, self._pinned, details=details)
        self._ports.listener(told)

    def _held(self) -> Lanes:
        """Return the lanes; the first time, see whom we deal with, and take their leases."""
        if self._lanes is None:
            self._ports.oracle.require_known_version()
            if self._batches is not None:
                self._batches.require_known_version()
            self._lanes = Lanes(self._ports, self._signers, self._holder)
        return self._lanes

    def _is_drained(self, cycle: Cycle, lanes: Lanes) -> bool:
        begun = cycle.free_jobs(JobState.SIGNED, most=1)
        at_work = begun or self._dispatcher.asking or self._rounds.at_work
        if self._batches is not None:
            at_work = at_work or self._batches.is_at_work(cycle)
        return lanes.is_idle(cycle) and not at_work

    def _node_is_behind(self, cycle: Cycle) -> bool:
        """Whether the head is lower than before, and that is more likely a lag than a reorg."""
        cursor = self._ports.store.cursor(self._ports.chain_id, self._ports.oracle.address)
        if cursor is None or cursor.head.number <= cycle.number:
            self._behind = 0
            return False
        self._behind += 1
        return self._behind <= self._ports.settings.lag_patience

    def _report(self, cycle: Cycle, *, skipped: bool = False, drained: bool = False) -> TickReport:
        ports = self._ports
        idle = not ports.store.has_open_jobs(ports.chain_id, ports.oracle.address)
        return TickReport(
            block=cycle.number,
            events=tuple(cycle.events),
            idle=idle and (self._batches is None or self._batches.is_idle(ports)),
            skipped=skipped,
            drained=drained,
        )


def _silent(_progress: Progress) -> None:
    return None
