"""
The outbox: sign and store, then send; never the other way round.

Sending takes attempts out of the store, and the store gives out only what it has committed. There
is no path from a signature to a node that does not lead through a commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from eth_utils.crypto import keccak

from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.transactions import DynamicFeeTransaction
from quotary_bridge.errors import (
    BridgeError,
    ContractError,
    FeeTooLow,
    InsufficientFunds,
    NonceUsed,
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
from quotary_bridge.relayer.fees import capped, raised
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.settle import conclude
from quotary_bridge.relayer.simulate import GAS_LIMIT, Simulation
from quotary_bridge.store import SignedTransaction

__all__ = ["Outbox"]

CANCEL_GAS = 21_000
"""What a transfer of nothing to oneself costs."""

_SUPERSEDING = frozenset({"AlreadyFulfilled", "AlreadyFailed", "AlreadyRefunded", "RequestExpired"})
_SENDABLE = frozenset({JobState.QUEUED, JobState.BROADCAST})
_WAITING = frozenset({"UnknownRequest"})


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

    def room(self, cycle: Cycle, most: int) -> int:
        """Return how many more nonces may be given out, of `most` at a time."""
        # Behind a transaction that nobody can pay for, others would only wait.
        return 0 if self._broke else max(0, most - len(cycle.open_slots))

    def sign(
        self, cycle: Cycle, jobs: Sequence[Job], *, dry_run: bool = False
    ) -> frozenset[JobKey]:
        """
        Simulate, sign and store a delivery for each of `jobs`: they have results and no nonces.

        Returns those that must wait until the node has caught up with their requests.
        """
        self._waiting = set()
        ready = self._simulated(cycle, jobs)
        if dry_run:
            for job, _, gas in ready:
                cycle.tell(ProgressKind.WOULD_DELIVER, job.key, gas=gas)
        elif ready:
            self._store(cycle, ready)
        return frozenset(self._waiting)

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

    def send(self, cycle: Cycle) -> None:
        """
        Send what no node is known to have.

        The first time, everything that is not final is sent again, every attempt of it: what
        happened between the last commit and the end of the last run is unknown.
        """
        if self._resent:
            due = self._due(cycle, cycle.open_slots)
        else:
            due = [(slot, attempt) for slot in cycle.slots for attempt in slot.attempts]
        outcomes = cycle.ports.chain.send_many([attempt.raw for _, attempt in due]) if due else []
        sent = [
            item
            for item, outcome in zip(due, outcomes, strict=True)
            if self._taken(cycle, *item, outcome)
        ]
        self._resent = True
        self._broke = any(isinstance(outcome, InsufficientFunds) for outcome in outcomes)
        if sent:
            self._note_sent(cycle, sent)

    def _due(self, cycle: Cycle, slots: Sequence[Slot]) -> list[tuple[Slot, Attempt]]:
        waiting = [slot for slot in slots if slot.id not in self._refused]
        known = cycle.ports.chain.known([slot.latest.hash for slot in waiting])
        return [
            (slot, slot.latest)
            for slot, pooled in zip(waiting, known, strict=True)
            if slot.broadcasts == 0 or not pooled
        ]

    def _simulated(self, cycle: Cycle, jobs: Sequence[Job]) -> list[_Ready]:
        """Return what can be delivered now, with the gas to offer; what would revert moves on."""
        if not jobs:
            return []
        deliveries = _deliveries(cycle, jobs)
        outcomes = self._simulation.run(cycle, list(zip(jobs, deliveries, strict=True)))
        ready: list[_Ready] = []
        refused: list[tuple[Job, ContractError]] = []
        too_large: list[tuple[Job, str]] = []
        for job, call, outcome in zip(jobs, deliveries, outcomes, strict=True):
            if isinstance(outcome, ContractError):
                refused.append((job, outcome))
            elif outcome > GAS_LIMIT:
                too_large.append((job, "GasLimitExceeded"))
            else:
                ready.append((job, call, outcome))
        retry(cycle, too_large)
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
        self._waiting = early | {job.key for job, error in left if error.name in _WAITING}
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
        (call,) = _deliveries(cycle, [job])
        return _signed(cycle, AttemptKind.DELIVER, call, slot.nonce, fees=fees, gas=slot.latest.gas)

    def _taken(
        self, cycle: Cycle, slot: Slot, attempt: Attempt, outcome: BridgeError | None
    ) -> bool:
        """Return whether a node has the bytes now; says why where it does not."""
        # Where a nonce is used, most likely by this very transaction, the receipts will tell.
        if outcome is None or isinstance(outcome, NonceUsed):
            return outcome is None
        if not isinstance(outcome, Transient | TransactionRefused):
            raise outcome
        if attempt is slot.latest and isinstance(outcome, FeeTooLow):
            self._underpriced.add(slot.id)
        if attempt is slot.latest and isinstance(outcome, TransactionRefused):
            self._refused.add(slot.id)
        self._held(cycle, slot, outcome)
        return False

    def _note_sent(self, cycle: Cycle, sent: Sequence[tuple[Slot, Attempt]]) -> None:
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


def _is_over(job: Job, error: ContractError) -> bool:
    """Whether a delivery that would revert is needed no more. What refuses an errand ends it."""
    return job.errand is not None or error.name in _SUPERSEDING


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


def _deliveries(cycle: Cycle, jobs: Sequence[Job]) -> list[TransactionRequest]:
    """Return the transactions that carry what each job's nonce carries, or its result in use."""
    wanted = []
    for job in jobs:
        ordinal = job.result if job.carried is None else job.carried
        if ordinal is None:
            raise ValueError(f"a job that is {job.state} has no result to deliver")
        if job.errand is None:
            wanted.append((job.key, ordinal))
    found = dict(zip(wanted, cycle.ports.store.results(wanted), strict=True))
    results = {key: signed for (key, _), signed in found.items()}
    sender = cycle.ports.signer.address
    return [
        cycle.ports.oracle.delivery(job.request, results[job.key], sender)
        if job.errand is None
        else TransactionRequest(sender=sender, to=job.errand.target, data=job.errand.call)
        for job in jobs
    ]


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
    return SignedTransaction(kind, raw, TransactionHash(keccak(raw)), fees, gas)
