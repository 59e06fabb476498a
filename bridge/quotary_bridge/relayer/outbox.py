"""
The outbox: sign and store, then send; never the other way round.

Sending takes attempts out of the store, and the store gives out only what it has committed. There
is no path from a signature to a node that does not lead through a commit. While a lot is sent, the
next one is answered, signed and stored (`quotary_bridge.relayer.sending`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile

from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.transactions import DynamicFeeTransaction, transaction_hash
from quotary_bridge.errors import (
    BridgeError,
    ContractError,
    FeeTooLow,
    InsufficientFunds,
    NonceUsed,
    RequestRefused,
    TransactionRefused,
    Transient,
)
from quotary_bridge.lifecycle import Enqueued, Job, JobState, Sent, Superseded
from quotary_bridge.model import (
    Attempt,
    AttemptKind,
    Fees,
    JobKey,
    Nonce,
    Slot,
    TransactionHash,
)
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.dispatch import retry
from quotary_bridge.relayer.doubts import Doubts
from quotary_bridge.relayer.fees import capped, raised
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.sending import Given, Sending
from quotary_bridge.relayer.settle import conclude
from quotary_bridge.relayer.simulate import (
    GAS_LIMIT,
    Delivery,
    Outcome,
    Simulation,
    Trials,
    deliveries,
)
from quotary_bridge.store import SignedTransaction

__all__ = ["Outbox"]

CANCEL_GAS = 21_000
"""What a transfer of nothing to oneself costs."""

_SUPERSEDING = frozenset({"AlreadyFulfilled", "AlreadyFailed", "AlreadyRefunded", "RequestExpired"})
_SENDABLE = frozenset({JobState.QUEUED, JobState.BROADCAST})
_TOO_EARLY = frozenset({"StillReserved", "RequestNotExpired"})
"""An errand's time had come, and a reorg took it back: it comes again."""

_WAITING = frozenset({"UnknownRequest"}) | _TOO_EARLY


_Ready = tuple[Job, TransactionRequest, int]
"""A job whose delivery passed its simulation, the delivery, and the gas to offer."""


class Outbox:
    """The signer's transactions; `first` cycles re-send everything that is not final."""

    def __init__(self, simulation: Simulation) -> None:
        """Begin as after a crash: nothing is known to have been sent."""
        self._resent = False
        self._simulation = simulation
        self._waiting: set[JobKey] = set()
        self._broke = False
        self._refused: set[int] = set()
        self._underpriced: set[int] = set()
        self._doubts = Doubts()

    def room(self, cycle: Cycle, most: int) -> int:
        """Return how many more nonces may be given out, of `most` at a time."""
        # Behind a transaction that nobody can pay for, others would only wait.
        return 0 if self._broke else max(0, most - len(cycle.open_slots))

    @property
    def waiting(self) -> frozenset[JobKey]:
        """Jobs of this cycle that must wait until the node has caught up with their requests."""
        return frozenset(self._waiting)

    @contextmanager
    def delivering(self, cycle: Cycle, *, dry_run: bool = False) -> Iterator[Trials]:
        """
        See to what is in flight, and deliver jobs, which have results and no nonces, as they come.

        1. raise the fees of what is stuck;
        2. send what no node is known to have, before anything that has a higher nonce;
        3. simulate, sign and store the deliveries of the jobs that are added, a lot at a time, and
           send each lot from its commit on: whatever else the block does is done meanwhile;
        4. where the block ends: close gaps; note what was sent while the last ones are, and these
           when they were.

        Raises what kept transactions from being sent: they stay as they were stored. With `dry_run`
        it only simulates, and tells.
        """
        self._waiting = set()
        begun: set[TransactionHash] = set()
        with Sending(cycle.ports.chain) as sending:

            def _judge(tried: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
                ready = self._judged(cycle, tried, outcomes)
                if dry_run:
                    _show(cycle, ready)
                elif ready:
                    self._store(cycle, ready)
                    sending.give(_fresh(cycle, begun))

            if not dry_run:
                self.replace(cycle)
                sending.give(self._unsent(cycle))
                # What a node refused, and cannot be replaced, is among these and stays at home.
                begun.update(slot.latest.hash for slot in cycle.open_slots)
            trials = Trials(cycle, self._simulation, sending, _judge)
            yield trials
            trials.finish()
            if not dry_run:
                self.close_gaps(cycle)
                sending.give(_fresh(cycle, begun))
                self._note(cycle, sending.news())
        self._note(cycle, sending.news())
        self._weigh(cycle, sending.outcomes)
        sending.require_complete()
        self._resent = not dry_run

    def close_gaps(self, cycle: Cycle) -> None:
        """Use up nonces that are missing below ours, or none of ours will ever be mined."""
        if not cycle.open_slots:
            return
        # Also those that were mined a moment ago: a reorg may have come since they were followed.
        given_out = {slot.nonce for slot in cycle.slots}
        last = max(slot.nonce for slot in cycle.open_slots)
        gaps = [Nonce(n) for n in range(cycle.used_nonces, last) if n not in given_out]
        if not gaps:
            return
        fees = capped(cycle.suggested_fees, cycle.ports.settings.max_fee)
        with cycle.write() as writer:
            # Not those that are final, which a node that lags may take for unused.
            free = set(takewhile(lambda nonce: nonce < last, writer.free_nonces(cycle.used_nonces)))
            gaps = [nonce for nonce in gaps if nonce in free]
            slots = writer.open_slots([(nonce, None) for nonce in gaps])
            signed = [_cancel(cycle, nonce, fees) for nonce in gaps]
            writer.add_attempts(list(zip(slots, signed, strict=True)), cycle.number)
        for nonce, transaction in zip(gaps, signed, strict=True):
            _tell_stored(cycle, None, nonce, transaction)

    def replace(self, cycle: Cycle) -> None:
        """Raise the fees of what stays unmined: same nonce, stored before it is sent."""
        due = [slot for slot in cycle.open_slots if self._is_stuck(cycle, slot)]
        if not due:
            return
        cap = cycle.ports.settings.max_fee
        fees = {slot.id: raised(slot.latest.fees, cycle.suggested_fees, cap) for slot in due}
        for slot in due:
            if fees[slot.id] is None:
                cycle.tell(ProgressKind.FEE_CAP_REACHED, slot.job, nonce=slot.nonce)
        jobs = cycle.ports.store.jobs([slot.job for slot in due if slot.job is not None])
        offers = [(slot, fees[slot.id]) for slot in due]
        signed = [
            (slot, self._replacement(cycle, slot, jobs, offered))
            for slot, offered in offers
            if offered is not None
        ]
        if signed:
            self._store_replacements(cycle, signed)

    def _unsent(self, cycle: Cycle) -> list[Given]:
        """
        Return what no node is known to have, the lowest nonce first.

        The first time that is everything that is not final, every attempt of it: what happened
        between the last commit and the end of the last run is unknown.
        """
        if self._resent:
            return self._due(cycle, cycle.open_slots)
        return [(slot, attempt) for slot in cycle.slots for attempt in slot.attempts]

    def _note(self, cycle: Cycle, outcomes: Sequence[tuple[Given, BridgeError | None]]) -> None:
        """Write down what nodes have now, and remember why they do not have the rest."""
        sent = [given for given, outcome in outcomes if self._taken(cycle, *given, outcome)]
        if sent:
            self._note_sent(cycle, sent)

    def _weigh(self, cycle: Cycle, outcomes: Sequence[tuple[Given, BridgeError | None]]) -> None:
        """Conclude from all that became of a cycle's attempts how to go on with the next."""
        self._broke = any(isinstance(outcome, InsufficientFunds) for _, outcome in outcomes)
        self._refused |= self._doubts.weigh(cycle, outcomes)

    def _due(self, cycle: Cycle, slots: Sequence[Slot]) -> list[Given]:
        waiting = [slot for slot in slots if slot.id not in self._refused]
        sent = [slot for slot in waiting if slot.broadcasts]
        known = cycle.ports.chain.known([slot.latest.hash for slot in sent])
        pooled = {slot.id for slot, is_known in zip(sent, known, strict=True) if is_known}
        return [(slot, slot.latest) for slot in waiting if slot.id not in pooled]

    def _judged(
        self, cycle: Cycle, tried: Sequence[Delivery], outcomes: Sequence[Outcome]
    ) -> list[_Ready]:
        """Return what can be delivered, with the gas to offer; what would revert moves on."""
        ready: list[_Ready] = []
        refused: list[tuple[Job, ContractError]] = []
        hopeless: list[tuple[Job, str]] = []
        limit = cycle.ports.settings.results_per_job
        for (job, call), outcome in zip(tried, outcomes, strict=True):
            if isinstance(outcome, ContractError):
                refused.append((job, outcome))
            elif outcome > GAS_LIMIT:
                hopeless.append((job, "GasLimitExceeded"))
            elif job.errand is not None and job.retries >= limit:
                # It passed every time, and came to nothing when it was mined and paid for.
                hopeless.append((job, job.reason or "NoResult"))
            else:
                ready.append((job, call, outcome))
        retry(cycle, hopeless)
        self._would_revert(cycle, refused)
        return ready

    def _would_revert(self, cycle: Cycle, refused: Sequence[tuple[Job, ContractError]]) -> None:
        for job, error in refused:
            details = {"reason": error.name, "detail": error.message}
            cycle.tell(ProgressKind.DELIVERY_REFUSED, job.key, **details)
        early = _judged_early(cycle, [job for job, _ in refused])
        ended = [item for item in refused if _is_over(*item) and item[0].key not in early]
        conclude(cycle, [(job, Superseded(error.name, cycle.ref)) for job, error in ended])
        left = [item for item in refused if item not in ended]
        self._waiting |= early | {job.key for job, error in left if error.name in _WAITING}
        spent = [(job, error.name) for job, error in left if job.key not in self._waiting]
        retry(cycle, spent)

    def _store(self, cycle: Cycle, ready: Sequence[_Ready]) -> None:
        """Give out nonces and keep the signed bytes, all in one commit."""
        fees = capped(cycle.suggested_fees, cycle.ports.settings.max_fee)
        kind = AttemptKind.DELIVER
        with cycle.write() as writer:
            writer.load(job.key for job, _, _ in ready)
            wanted = [item for item in ready if writer.still(item[0])]
            nonces = list(islice(writer.free_nonces(cycle.used_nonces), len(wanted)))
            slots = writer.open_slots(
                [(nonce, job.key) for nonce, (job, _, _) in zip(nonces, wanted, strict=True)]
            )
            signed = [
                _signed(cycle, kind, call, nonce, fees=fees, gas=gas)
                for nonce, (_, call, gas) in zip(nonces, wanted, strict=True)
            ]
            writer.add_attempts(list(zip(slots, signed, strict=True)), cycle.number)
            for slot_id, (job, _, _) in zip(slots, wanted, strict=True):
                writer.advance(job.key, Enqueued(slot_id))
        for nonce, (job, _, _), transaction in zip(nonces, wanted, signed, strict=True):
            _tell_stored(cycle, job, nonce, transaction)

    def _store_replacements(
        self, cycle: Cycle, signed: Sequence[tuple[Slot, SignedTransaction]]
    ) -> None:
        with cycle.write() as writer:
            writer.add_attempts(
                [(slot.id, transaction) for slot, transaction in signed], cycle.number
            )
        for slot, transaction in signed:
            self._underpriced.discard(slot.id)
            self._refused.discard(slot.id)
            cycle.tell(
                ProgressKind.FEES_RAISED,
                slot.job,
                nonce=slot.nonce,
                purpose=transaction.kind.value,
                max_fee=transaction.fees.max_fee,
                transaction=f"0x{transaction.hash.hex()}",
            )

    def _is_stuck(self, cycle: Cycle, slot: Slot) -> bool:
        waited = cycle.number - slot.latest.signed_at
        stuck = slot.nonce == cycle.used_nonces and waited >= cycle.ports.settings.replace_after
        return stuck or slot.id in self._underpriced or slot.id in self._refused

    def _replacement(
        self, cycle: Cycle, slot: Slot, jobs: Mapping[JobKey, Job], fees: Fees
    ) -> SignedTransaction:
        job = None if slot.job is None else jobs.get(slot.job)
        wanted = job is not None and job.wants_its_slot and slot.id not in self._refused
        if job is None or not wanted or slot.latest.kind is AttemptKind.CANCEL:
            return _cancel(cycle, slot.nonce, fees)
        (call,) = deliveries(cycle, [job])
        return _signed(cycle, AttemptKind.DELIVER, call, slot.nonce, fees=fees, gas=slot.latest.gas)

    def _taken(
        self, cycle: Cycle, slot: Slot, attempt: Attempt, outcome: BridgeError | None
    ) -> bool:
        """Return whether a node has the bytes now; says why where it does not."""
        # Where a nonce is used, most likely by this very transaction, the receipts will tell.
        if outcome is None or isinstance(outcome, NonceUsed):
            return outcome is None
        if not isinstance(outcome, Transient | TransactionRefused | RequestRefused):
            raise outcome
        if attempt is slot.latest and isinstance(outcome, FeeTooLow):
            self._underpriced.add(slot.id)
        if attempt is slot.latest and isinstance(outcome, TransactionRefused):
            self._refused.add(slot.id)
        self._held(cycle, slot, outcome)
        return False

    def _note_sent(self, cycle: Cycle, sent: Sequence[Given]) -> None:
        # One commit for all: where it is lost, the same bytes are sent once more, to no harm.
        with cycle.write() as writer:
            writer.load(slot.job for slot, _ in sent if slot.job is not None)
            for slot, _ in sent:
                writer.count_broadcast(slot.id)
                if slot.job is not None and writer.job(slot.job).state in _SENDABLE:
                    writer.advance(slot.job, Sent())
        for slot, attempt in sent:
            shown = f"0x{attempt.hash.hex()}"
            kind = ProgressKind.TRANSACTION_SENT
            cycle.tell(kind, slot.job, nonce=slot.nonce, transaction=shown)

    def _held(self, cycle: Cycle, slot: Slot, error: BridgeError) -> None:
        details = {"nonce": slot.nonce, "reason": error.reason.value, "detail": str(error)}
        cycle.tell(ProgressKind.TRANSACTION_HELD, slot.job, **details)


def _show(cycle: Cycle, ready: Sequence[_Ready]) -> None:
    for job, _, gas in ready:
        cycle.tell(ProgressKind.WOULD_DELIVER, job.key, gas=gas)


def _fresh(cycle: Cycle, begun: set[TransactionHash]) -> list[Given]:
    """Return what was committed since `begun` was begun with, and add it there."""
    fresh = [(slot, slot.latest) for slot in cycle.open_slots if slot.latest.hash not in begun]
    begun.update(attempt.hash for _, attempt in fresh)
    return fresh


def _is_over(job: Job, error: ContractError) -> bool:
    """Whether a delivery that would revert is needed no more; an errand, unless it is too early."""
    return error.name in _SUPERSEDING if job.errand is None else error.name not in _TOO_EARLY


def _judged_early(cycle: Cycle, jobs: Sequence[Job]) -> set[JobKey]:
    """
    Return the errands among `jobs` that no refusal at the pinned block says anything about.

    What an errand is about may have happened after the pinned block: another relayer on the same
    store saw a newer one, and stored the errand while this cycle was at work. Before it did, it
    moved the store's cursor.
    """
    errands = {job.key for job in jobs if job.errand is not None}
    if not errands:
        return errands
    cursor = cycle.ports.store.cursor(cycle.ports.chain_id, cycle.ports.oracle.address)
    outdated = cursor is not None and cursor.head.number > cycle.number
    return errands if outdated else set()


def _tell_stored(cycle: Cycle, job: Job | None, nonce: Nonce, signed: SignedTransaction) -> None:
    cycle.tell(
        ProgressKind.TRANSACTION_STORED,
        None if job is None else job.key,
        nonce=nonce,
        purpose=signed.kind.value,
        transaction=f"0x{signed.hash.hex()}",
    )


def _cancel(cycle: Cycle, nonce: Nonce, fees: Fees) -> SignedTransaction:
    address = cycle.ports.signer.address
    call = TransactionRequest(sender=address, to=address)
    return _signed(cycle, AttemptKind.CANCEL, call, nonce, fees=fees, gas=CANCEL_GAS)


def _signed(
    cycle: Cycle,
    kind: AttemptKind,
    call: TransactionRequest,
    nonce: Nonce,
    *,
    fees: Fees,
    gas: int,
) -> SignedTransaction:
    if call.to is None:
        raise ValueError("a relayer creates no contracts")
    transaction = DynamicFeeTransaction(
        cycle.ports.chain_id, nonce, call.to, call.data, call.value, gas, fees
    )
    raw = cycle.ports.signer.sign(transaction)
    return SignedTransaction(kind, raw, TransactionHash(transaction_hash(raw)), fees, gas)
