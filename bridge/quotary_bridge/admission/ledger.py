"""What became of requests, who is owed what, and which quotes are on record: from their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from quotary_bridge.chain.contracts import (
    CallbackStatus,
    FailureReason,
    Notarization,
    ProofKind,
    RequestState,
    RequestStatus,
    RequestTerms,
)
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.model import Address, Bytes32

__all__ = ["BOOK_EVENTS", "LEDGER_EVENTS", "Ledger", "requester_of"]

Values = Mapping[str, Any]
_BEGUN = RequestState(
    RequestStatus.PENDING,
    CallbackStatus.NONE,
    ProofKind.NONE,
    FailureReason.NONE,
    0,
    reassigned=False,
    ended_at=0,
    worker=ZERO_ADDRESS,
)


@dataclass(slots=True)
class Ledger:
    """
    What the oracle and the notary hold.

    `states` and `terms` by request; `credits` by token and account, and `escrows` of what is still
    pending, in the token's smallest unit; `sequences` is how many requests an account made;
    `probations` end at a Unix time; `notarized` by app, quote and kind of proof.
    """

    states: dict[Bytes32, RequestState] = field(default_factory=dict)
    terms: dict[Bytes32, RequestTerms] = field(default_factory=dict)
    escrows: dict[Bytes32, int] = field(default_factory=dict)
    credits: defaultdict[tuple[Address, Address], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    sequences: defaultdict[Address, int] = field(default_factory=lambda: defaultdict(int))
    probations: dict[Address, int] = field(default_factory=dict)
    notarized: dict[tuple[Bytes32, Bytes32, ProofKind], Notarization] = field(default_factory=dict)

    def pay(self, request_id: Bytes32, account: Address, amount: int) -> None:
        """Move a part of what a request put up to an account's credit."""
        token = self.terms[request_id].payment.token
        self.credits[token, account] += amount
        self.escrows[request_id] -= amount

    def end(self, request_id: Bytes32, status: RequestStatus, at: int, **more: object) -> None:
        """End a request at a Unix time; what is left of its escrow is still to be paid."""
        changes: Any = {"status": status, "ended_at": at, **more}
        self.states[request_id] = replace(self.states[request_id], **changes)


def _created(ledger: Ledger, values: Values, _: int) -> None:
    request_id, made = values["requestId"], RequestTerms.from_event(values["request"])
    ledger.states[request_id], ledger.terms[request_id] = _BEGUN, made
    ledger.escrows[request_id] = made.payment.max_fee
    ledger.sequences[made.requester] = made.sequence + 1


def _reassigned(ledger: Ledger, values: Values, _: int) -> None:
    request_id = values["requestId"]
    ledger.states[request_id] = replace(ledger.states[request_id], reassigned=True)
    ledger.pay(request_id, address_of(values["by"]), values["reward"])


def _refunded(ledger: Ledger, values: Values, at: int) -> None:
    request_id = values["requestId"]
    ledger.end(request_id, RequestStatus.REFUNDED, at)
    ledger.pay(request_id, address_of(values["refundTo"]), values["amount"])


def _failed(ledger: Ledger, values: Values, at: int) -> None:
    request_id, reason = values["requestId"], FailureReason(values["reason"])
    ledger.end(request_id, RequestStatus.FAILED, at, failure=reason)
    ledger.pay(request_id, address_of(values["refundTo"]), values["amount"])


def _fulfilled(ledger: Ledger, values: Values, at: int) -> None:
    request_id = values["requestId"]
    worker, kind = address_of(values["worker"]), ProofKind(values["proofKind"])
    ledger.end(request_id, RequestStatus.FULFILLED, at, worker=worker, kind=kind)
    # What the answers leave: what is told of them behind this event is taken out of it again.
    ledger.pay(request_id, requester_of(ledger, request_id), ledger.escrows[request_id])


def _worker_paid(ledger: Ledger, values: Values, _: int) -> None:
    _paid(ledger, values["requestId"], values)


def _round_paid(ledger: Ledger, values: Values, _: int) -> None:
    for answer in values["answers"]:
        _paid(ledger, values["requestId"], answer)


def _paid(ledger: Ledger, request_id: Bytes32, answer: Values) -> None:
    if ledger.states[request_id].status is RequestStatus.FULFILLED:
        ledger.pay(request_id, requester_of(ledger, request_id), -answer["fee"])
    ledger.pay(request_id, address_of(answer["operator"]), answer["fee"])


def requester_of(ledger: Ledger, request_id: Bytes32) -> Address:
    """Return who gets what the answers to a request leave."""
    return ledger.terms[request_id].payment.refund_to


def _disputed(ledger: Ledger, values: Values, _: int) -> None:
    state = ledger.states[values["requestId"]]
    ledger.states[values["requestId"]] = replace(state, disputes=values["disputes"])


def _called_back(status: CallbackStatus) -> Callable[[Ledger, Values, int], None]:
    def change(ledger: Ledger, values: Values, _: int) -> None:
        state = ledger.states[values["requestId"]]
        ledger.states[values["requestId"]] = replace(state, callback=status)

    return change


def _probation(ledger: Ledger, values: Values, _: int) -> None:
    ledger.probations[address_of(values["worker"])] = values["until"]


def _withdrawn(ledger: Ledger, values: Values, _: int) -> None:
    held = address_of(values["token"]), address_of(values["account"])
    ledger.credits[held] -= values["amount"]


def _notarized(ledger: Ledger, values: Values, _: int) -> None:
    key = values["appId"], values["quoteHash"], ProofKind(values["proofKind"])
    ledger.notarized[key] = Notarization(
        journal_digest=values["journalDigest"],
        measurement_id=values["measurementId"],
        verified_at=values["verifiedAt"],
        valid_until=values["validUntil"],
        route=values["route"],
        tee_type=values["teeType"],
        tcb_status=values["tcbStatus"],
    )


BOOK_EVENTS: Mapping[str, Callable[[Ledger, Values, int], None]] = MappingProxyType(
    {
        "RequestCreated": _created,
        "RequestReassigned": _reassigned,
        "RequestRefunded": _refunded,
        "RequestFailed": _failed,
        "CallbackSucceeded": _called_back(CallbackStatus.SUCCEEDED),
        "CallbackFailed": _called_back(CallbackStatus.FAILED),
        "Withdrawn": _withdrawn,
    }
)
"""What each event of any book of requests changes."""

LEDGER_EVENTS: Mapping[tuple[str, str], Callable[[Ledger, Values, int], None]] = MappingProxyType(
    {
        **{("ResultOracle", event): change for event, change in BOOK_EVENTS.items()},
        ("ResultOracle", "RequestFulfilled"): _fulfilled,
        ("ResultOracle", "WorkerPaid"): _worker_paid,
        ("ResultOracle", "RoundPaid"): _round_paid,
        ("ResultOracle", "RoundDisputed"): _disputed,
        ("ResultOracle", "ProbationStarted"): _probation,
        ("QuoteNotary", "QuoteNotarized"): _notarized,
    }
)
"""What each event changes, by contract and event."""
