"""
Batches, from the requests on the chain to their ends.

1. read the requests of the oracle of batches, and settle those that ended;
2. follow the batches: committed (by anybody) in a final block, voided, or refused;
3. claim what is committed, where that is our task;
4. ask for new batches (`quotary_bridge.relayer.batch_asking`).

A root is committed, and answers are claimed, by errands: the outbox delivers them by the rules for
everything else. A batch's number is a sequence number that a reorg may change: so answers are
claimed from final commitments only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts import BatchCommitted, ProofKind
from quotary_bridge.intake import Intake
from quotary_bridge.lifecycle import Errand, Job, JobState, Superseded, begin_errand
from quotary_bridge.model import BlockNumber, JobKey, JobKind, errand_key
from quotary_bridge.relayer.batch_asking import BatchAsker
from quotary_bridge.relayer.batch_book import BatchBook
from quotary_bridge.relayer.commitments import Commitments
from quotary_bridge.relayer.cycle import Cycle, Ports
from quotary_bridge.relayer.dispatch import retry
from quotary_bridge.relayer.errands import tell_errands
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.reading import Reading
from quotary_bridge.relayer.reservations import Reservations
from quotary_bridge.relayer.settle import conclude, settle
from quotary_bridge.relayer.supply import Supply
from quotary_bridge.store import BatchRecord, Commitment, Member
from quotary_bridge.workers import PUSH_GAS, PreparedBatch, pieces

__all__ = ["Batching"]

ALREADY_COMMITTED = "AlreadyCommitted"
ALL_ENDED = "AllRequestsEnded"
VOIDED = "BatchVoided"

TRIES = 16
"""Each refused claim of several answers is tried again in halves; what is left is left alone."""

_SETTLED = frozenset({JobState.FAILED, JobState.SUPERSEDED})
_UNSENT = frozenset({JobState.SIGNED, JobState.QUEUED, JobState.BROADCAST})


class Batching:
    """Carries the requests of one oracle of batches."""

    def __init__(self, ports: Ports, book: BatchBook, identities: Identities) -> None:
        """Ask nobody yet."""
        settings = ports.settings
        self._book = book
        self._reading = Reading(
            Intake(
                ports.chain,
                book.requests,
                ports.store,
                finality_depth=settings.finality_depth,
                start=settings.batch_start_block,
            )
        )
        self._supply = Supply()
        self._asker = BatchAsker(book, identities, Reservations(book.contract))
        self._commitments = Commitments(book)

    def require_known_version(self) -> None:
        """Raise `DeploymentMismatch` unless the oracle takes the statements that we know."""
        self._book.require_known_version()

    @property
    def asking(self) -> int:
        """How many batches are out."""
        return self._asker.asking

    def is_at_work(self, cycle: Cycle) -> bool:
        """Whether a batch is asked for or is not committed yet, or an errand is to be sent."""
        ports, address = cycle.ports, self._book.address
        begun = cycle.of(address).free_jobs(JobState.SIGNED, most=1)
        found = ports.store.open_batches(ports.chain_id, address)
        return bool(begun or self.asking or any(each.commitment is None for each in found))

    def close(self) -> None:
        """Wait for nobody any more."""
        self._asker.close()

    def run(self, cycle: Cycle, *, begin: bool) -> None:
        """Bring everything up to the pinned block; ask for what is due where we `begin`."""
        own = cycle.of(self._book.address)
        report = self._reading.read(own)
        settle(own, report.endings)
        self._reading.acted_on(report)
        self._follow(own)
        if begin:
            self._supply.run(own)
            self._asker.ask(own)

    def hear(self, cycle: Cycle, end: float) -> None:
        """Store the batches that come until `end`, a time of `time.monotonic`."""
        self._asker.hear(cycle.of(self._book.address), end)

    def is_idle(self, ports: Ports) -> bool:
        """Whether no request and no errand can still move."""
        return not ports.store.has_open_jobs(ports.chain_id, self._book.address)

    def _follow(self, cycle: Cycle) -> None:
        ports = cycle.ports
        found = ports.store.open_batches(ports.chain_id, self._book.address)
        if not found:
            return
        finished = ports.store.finished_batches(ports.chain_id, self._book.address)
        commits = ports.store.jobs([each.key for each in found])
        over = [each for each in found if each.key in finished]
        left = [each for each in found if each.key not in finished]
        conclude(
            cycle,
            [
                (commits[each.key], Superseded(ALL_ENDED, cycle.ref))
                for each in over
                if commits[each.key].state in _UNSENT
            ],
        )
        for each in over:
            self._end(cycle, each, ALL_ENDED)
        self._follow_signed(cycle, [each for each in left if each.commitment is None], commits)
        found = ports.store.open_batches(ports.chain_id, self._book.address)
        self._follow_committed(cycle, [each for each in found if each.commitment is not None])

    def _follow_signed(
        self, cycle: Cycle, signed: Sequence[BatchRecord], commits: dict[JobKey, Job]
    ) -> None:
        if not signed:
            return
        brought = {each.key for each in signed if _was_brought(commits[each.key])}
        told = self._commitments.read(cycle, signed, brought)
        known = [
            (commits[each.key], Superseded(ALREADY_COMMITTED, told[each.key].block))
            for each in signed
            if each.key in told and not told[each.key].voided and commits[each.key].state in _UNSENT
        ]
        conclude(cycle, known)
        for each in signed:
            found, commit = told.get(each.key), commits[each.key]
            if found is not None and not found.voided:
                if cycle.final(found.block):
                    self._note_committed(cycle, each, found.event)
            elif found is not None and _is_over(commit):
                self._end(cycle, each, VOIDED)
            elif _is_over(commit) and each.key not in brought:
                self._end(cycle, each, commit.reason or VOIDED)

    def _note_committed(self, cycle: Cycle, held: BatchRecord, told: BatchCommitted) -> None:
        with cycle.write() as writer:
            batches = writer.batches()
            if batches.lock(held.key) != held:
                return
            batches.committed(held.key, Commitment(told.batch_id, told.operator, int(told.kind)))
        cycle.tell(ProgressKind.BATCH_COMMITTED, held.key, batch=told.batch_id)

    def _follow_committed(self, cycle: Cycle, committed: Sequence[BatchRecord]) -> None:
        if not committed:
            return
        voided = self._voided(committed, cycle.number)
        # What a reorg may take back ends no batch; with no final block nothing does.
        final = cycle.final_number
        ended = self._voided(voided, final) if voided and final >= 0 else []
        for each in ended:
            self._end(cycle, each, VOIDED)
        for each in committed:
            if each not in voided and cycle.ports.settings.pushes:
                self._push(cycle, each)

    def _voided(self, committed: Sequence[BatchRecord], at: BlockNumber) -> list[BatchRecord]:
        """Return those of `committed` that the oracle had no more at block `at`."""
        ids = [each.commitment.batch_id for each in committed if each.commitment is not None]
        gone = self._book.voided(ids, at)
        return [each for each, missing in zip(committed, gone, strict=True) if missing]

    def _push(self, cycle: Cycle, held: BatchRecord) -> None:
        """Have every answer claimed that no errand is on the way for."""
        if not _unclaimed(cycle, cycle.ports.store.batch_members(held.key)):
            return
        prepared = PreparedBatch.from_json(cycle.ports.store.batch_document(held.key))
        told = _told(held, len(prepared.made))
        with cycle.write() as writer:
            batches = writer.batches()
            if batches.lock(held.key) != held:
                return
            added: list[Job] = []
            for tries, members in _unclaimed(cycle, batches.members(held.key)).items():
                by_place = {each.place: each for each in members}
                for piece in pieces(prepared, told, by_place, PUSH_GAS >> tries):
                    some = [by_place[place] for place, _ in piece]
                    call = self._book.contract.push([answer for _, answer in piece])
                    about = writer.job(some[0].job).request
                    subject = held.key + tries.to_bytes(2) + keccak(call)
                    key = errand_key(about.key, JobKind.CLAIMS, subject)
                    errand = Errand(key, self._book.address, call)
                    added += writer.add_errands([begin_errand(about, JobKind.CLAIMS, errand)])
                    batches.claimed_by(held.key, some, key)
        tell_errands(cycle, added)

    def _end(self, cycle: Cycle, held: BatchRecord, reason: str) -> None:
        """Note that nothing comes of a batch any more; requests that are left are free again."""
        with cycle.write() as writer:
            batches = writer.batches()
            if batches.lock(held.key) != held:
                return
            batches.end(held.key, reason)
        cycle.tell(ProgressKind.BATCH_ENDED, held.key, reason=reason)
        keys = [each.job for each in cycle.ports.store.batch_members(held.key)]
        jobs = cycle.ports.store.jobs(keys).values()
        retry(cycle, [(job, reason) for job in jobs if job.state is JobState.DISPATCHED])


def _unclaimed(cycle: Cycle, members: Iterable[Member]) -> dict[int, list[Member]]:
    """Return those whose requests wait and that no errand is on the way for, by what was tried."""
    store, held = cycle.ports.store, list(members)
    errands = store.jobs(list({each.errand for each in held if each.errand is not None}))
    idle = [each for each in held if each.errand is None or _is_over(errands[each.errand])]
    jobs = store.jobs([each.job for each in idle])
    found: dict[int, list[Member]] = {}
    for each in idle:
        tries = each.tries + (each.errand is not None)
        waits = jobs[each.job].state in (JobState.SEEN, JobState.DISPATCHED)
        if waits and jobs[each.job].request.deadline > cycle.time and tries <= TRIES:
            found.setdefault(tries, []).append(each)
    return found


def _was_brought(commit: Job) -> bool:
    """Whether the root must be on the chain: we brought it for good, or saw that another did."""
    return commit.state is JobState.FINAL or commit.reason == ALREADY_COMMITTED


def _is_over(errand: Job) -> bool:
    return errand.terminal or (errand.state in _SETTLED and errand.slot is None)


def _told(held: BatchRecord, count: int) -> BatchCommitted:
    known = held.commitment
    if known is None:
        raise ValueError("claims of a batch that is not committed")
    return BatchCommitted(
        batch_id=known.batch_id,
        app_id=held.app_id,
        worker=held.worker,
        model_id=held.model_id,
        root=held.root,
        count=count,
        operator=known.operator,
        kind=ProofKind(known.kind),
    )
