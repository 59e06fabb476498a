"""
The outbox: sign and store, then send; never the other way round.

Sending takes attempts out of the store, and the store gives out only what it has committed. There
is no path from a signature to a node that does not lead through a commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_utils.crypto import keccak

from quotary_bridge.chain import TransactionRequest
from quotary_bridge.errors import (
    BridgeError,
    ContractError,
    FeeTooLow,
    NonceUsed,
    TransactionRefused,
    Transient,
)
from quotary_bridge.lifecycle import Enqueued, Job, JobState, Sent, Superseded
from quotary_bridge.model import (
    Attempt,
    AttemptKind,
    Fees,
    Nonce,
    Slot,
    SlotState,
    TransactionHash,
)
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.dispatch import retry
from quotary_bridge.relayer.fees import capped, raised
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.settle import conclude
from quotary_bridge.store import SignedTransaction

__all__ = ["Outbox"]

GAS_LIMIT = 2**24
"""The most gas one transaction may use (EIP-7825)."""

GAS_MARGIN_PERCENT = 25
"""An estimate is exact for the state it was made on, and the state moves before mining."""

CANCEL_GAS = 21_000
"""What a transfer of nothing to oneself costs."""

_SUPERSEDING = frozenset({"AlreadyFulfilled", "AlreadyRefunded", "RequestExpired"})
_SENDABLE = frozenset({JobState.QUEUED, JobState.BROADCAST})
_WAITING = frozenset({"UnknownRequest"})


_Ready = tuple[Job, TransactionRequest, int]
"""A job whose delivery passed its simulation, the delivery, and the gas to offer."""


class Outbox:
    """The signer's transactions; `first` cycles re-send everything that is not final."""

    def __init__(self) -> None:
        """Begin as after a crash: nothing is known to have been sent."""
        self._resent = False
        self._refused: set[int] = set()
        self._underpriced: set[int] = set()

    def sign(self, cycle: Cycle, *, dry_run: bool = False) -> None:
        """Simulate, sign and store a delivery for every job that has a result and no nonce."""
        jobs = [job for job in cycle.ports.open_jobs(JobState.SIGNED) if job.slot is None]
        room = cycle.ports.settings.in_flight - len(_open(cycle))
        ready = self._simulated(cycle, jobs[: max(0, room)])
        if dry_run:
            for job, _, gas in ready:
                cycle.tell(ProgressKind.WOULD_DELIVER, job.key, gas=gas)
        elif ready:
            self._store(cycle, ready)

    def close_gaps(self, cycle: Cycle) -> None:
        """Use up nonces that are missing below ours, or none of ours will ever be mined."""
        slots = _open(cycle)
        if not slots:
            return
        mined = cycle.used_nonces
        # Also those that were mined a moment ago: a reorg may have come since they were followed.
        given_out = {slot.nonce for slot in _unresolved(cycle)}
        for nonce in range(mined, max(slot.nonce for slot in slots)):
            if nonce not in given_out:
                self._store_cancel(cycle, Nonce(nonce))

    def replace(self, cycle: Cycle) -> None:
        """Raise the fees of what stays unmined: same nonce, stored before it is sent."""
        mined = cycle.used_nonces
        for slot in _open(cycle):
            waited = cycle.number - slot.latest.signed_at
            stuck = slot.nonce == mined and waited >= cycle.ports.settings.replace_after
            if stuck or slot.id in self._underpriced or slot.id in self._refused:
                self._replace(cycle, slot)

    def send(self, cycle: Cycle) -> None:
        """
        Send what no node is known to have.

        The first time, everything that is not final is sent again, every attempt of it: what
        happened between the last commit and the end of the last run is unknown.
        """
        slots = _unresolved(cycle)
        if self._resent:
            due = self._due(cycle, [slot for slot in slots if slot.state is SlotState.OPEN])
        else:
            due = [(slot, attempt) for slot in slots for attempt in slot.attempts]
        outcomes = cycle.ports.chain.send_many([attempt.raw for _, attempt in due]) if due else []
        sent = [
            item
            for item, outcome in zip(due, outcomes, strict=True)
            if self._taken(cycle, *item, outcome)
        ]
        self._resent = True
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
        chain = cycle.ports.chain
        deliveries = [_delivery(cycle, job) for job in jobs]
        # The call goes first: nodes lose revert data of estimates more often than that of calls.
        calls = chain.calls(deliveries, cycle.number)
        estimates = chain.estimates(deliveries, cycle.number)
        ready = []
        for job, call, outcome, needed in zip(jobs, deliveries, calls, estimates, strict=True):
            if isinstance(outcome, ContractError):
                self._would_revert(cycle, job, outcome)
            elif isinstance(needed, ContractError):
                self._would_revert(cycle, job, needed)
            elif needed > GAS_LIMIT:
                retry(cycle, job, "GasLimitExceeded")
            else:
                offered = needed * (100 + GAS_MARGIN_PERCENT) // 100
                ready.append((job, call, min(GAS_LIMIT, offered)))
        return ready

    def _would_revert(self, cycle: Cycle, job: Job, error: ContractError) -> None:
        cycle.tell(ProgressKind.DELIVERY_REFUSED, job.key, reason=error.name, detail=error.message)
        if error.name in _SUPERSEDING:
            conclude(cycle, job, Superseded(error.name, cycle.ref))
        elif error.name not in _WAITING:
            retry(cycle, job, error.name)

    def _store(self, cycle: Cycle, ready: Sequence[_Ready]) -> None:
        """Give out nonces and keep the signed bytes, all in one commit."""
        fees = capped(cycle.suggested_fees, cycle.ports.settings.max_fee)
        stored = []
        with cycle.ports.store.write(cycle.lease) as writer:
            for job, call, gas in ready:
                nonce = writer.next_nonce(cycle.used_nonces)
                slot_id = writer.open_slot(nonce, job.key)
                signed = _signed(cycle, AttemptKind.DELIVER, call, nonce, fees=fees, gas=gas)
                writer.add_attempt(slot_id, signed, cycle.number)
                writer.advance(job.key, Enqueued(slot_id))
                stored.append((job, nonce, signed))
        for job, nonce, signed in stored:
            self._tell_stored(cycle, job, nonce, signed)

    def _store_cancel(self, cycle: Cycle, nonce: Nonce) -> None:
        fees = capped(cycle.suggested_fees, cycle.ports.settings.max_fee)
        with cycle.ports.store.write(cycle.lease) as writer:
            slot_id = writer.open_slot(nonce, None)
            signed = _cancel(cycle, nonce, fees)
            writer.add_attempt(slot_id, signed, cycle.number)
        self._tell_stored(cycle, None, nonce, signed)

    def _replace(self, cycle: Cycle, slot: Slot) -> None:
        fees = raised(slot.latest.fees, cycle.suggested_fees, cycle.ports.settings.max_fee)
        if fees is None:
            cycle.tell(ProgressKind.FEE_CAP_REACHED, slot.job, nonce=slot.nonce)
            return
        signed = self._replacement(cycle, slot, fees)
        with cycle.ports.store.write(cycle.lease) as writer:
            writer.add_attempt(slot.id, signed, cycle.number)
        self._underpriced.discard(slot.id)
        self._refused.discard(slot.id)
        cycle.tell(
            ProgressKind.FEES_RAISED,
            slot.job,
            nonce=slot.nonce,
            purpose=signed.kind.value,
            max_fee=fees.max_fee,
            transaction=f"0x{signed.hash.hex()}",
        )

    def _replacement(self, cycle: Cycle, slot: Slot, fees: Fees) -> SignedTransaction:
        job = None if slot.job is None else cycle.ports.store.job(slot.job)
        wanted = job is not None and job.wants_its_slot and slot.id not in self._refused
        if job is None or not wanted or slot.latest.kind is AttemptKind.CANCEL:
            return _cancel(cycle, slot.nonce, fees)
        call = _delivery(cycle, job)
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
        with cycle.ports.store.write(cycle.lease) as writer:
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

    def _tell_stored(
        self, cycle: Cycle, job: Job | None, nonce: Nonce, signed: SignedTransaction
    ) -> None:
        cycle.tell(
            ProgressKind.TRANSACTION_STORED,
            None if job is None else job.key,
            nonce=nonce,
            purpose=signed.kind.value,
            transaction=f"0x{signed.hash.hex()}",
        )


def _unresolved(cycle: Cycle) -> tuple[Slot, ...]:
    return cycle.ports.store.unresolved_slots(cycle.ports.chain_id, cycle.ports.signer.address)


def _open(cycle: Cycle) -> list[Slot]:
    return [slot for slot in _unresolved(cycle) if slot.state is SlotState.OPEN]


def _delivery(cycle: Cycle, job: Job) -> TransactionRequest:
    ordinal = job.result if job.carried is None else job.carried
    if ordinal is None:
        raise ValueError(f"a job that is {job.state} has no result to deliver")
    signed = cycle.ports.store.result(job.key, ordinal)
    return cycle.ports.oracle.delivery(signed, cycle.ports.signer.address)


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
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": cycle.ports.chain_id,
        "nonce": nonce,
        "to": call.to,
        "data": call.data,
        "value": call.value,
        "gas": gas,
        "maxFeePerGas": fees.max_fee,
        "maxPriorityFeePerGas": fees.max_priority_fee,
    }
    raw = cycle.ports.signer.sign_transaction(fields)
    return SignedTransaction(kind, raw, TransactionHash(keccak(raw)), fees, gas)
