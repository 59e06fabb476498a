"""What a relayer tells while it works: one stable kind per thing that happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from quotary_bridge.model import BlockNumber, JobKey

__all__ = ["Listener", "Progress", "ProgressKind"]


class ProgressKind(StrEnum):
    """What happened; the value is the name of the log line."""

    REQUEST_SEEN = "request_seen"
    REQUEST_MOVED = "request_moved"
    REQUEST_ORPHANED = "request_orphaned"
    INPUT_MISSING = "input_missing"
    INPUT_SUPPLIED = "input_supplied"
    WORKER_ASKED = "worker_asked"
    WORKER_FAILED = "worker_failed"
    RESULT_REJECTED = "result_rejected"
    RESULT_STORED = "result_stored"
    ROUND_OPENED = "round_opened"
    ROUND_RESUMED = "round_resumed"
    WORKERS_MISSING = "workers_missing"
    WORKER_COMMITTED = "worker_committed"
    ROUND_CLOSED = "round_closed"
    WORKER_REVEALED = "worker_revealed"
    ROUND_AGREED = "round_agreed"
    ROUND_DISPUTED = "round_disputed"
    ROUND_ABANDONED = "round_abandoned"
    BATCH_ASKED = "batch_asked"
    BATCH_SIGNED = "batch_signed"
    BATCH_COMMITTED = "batch_committed"
    BATCH_ENDED = "batch_ended"
    ERRAND_STORED = "errand_stored"
    DELIVERY_REFUSED = "delivery_refused"
    WOULD_DELIVER = "would_deliver"
    TRANSACTION_STORED = "transaction_stored"
    TRANSACTION_SENT = "transaction_sent"
    TRANSACTION_HELD = "transaction_held"
    FEES_RAISED = "fees_raised"
    FEE_CAP_REACHED = "fee_cap_reached"
    MINED = "mined"
    REVERTED = "reverted"
    REORGED = "reorged"
    NONCE_LOST = "nonce_lost"
    FINAL = "final"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    REOPENED = "reopened"
    CHAIN_REORGANISED = "chain_reorganised"
    NODE_BEHIND = "node_behind"
    NODE_REFUSED = "node_refused"
    LOGS_BEHIND = "logs_behind"
    JOB_CONTRADICTED = "job_contradicted"
    FINALITY_UNCONFIRMED = "finality_unconfirmed"


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened in the cycle pinned at `block`; `details` are plain values."""

    kind: ProgressKind
    block: BlockNumber
    job: JobKey | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)


Listener = Callable[[Progress], None]
"""Called in the relayer's thread, as soon as a thing happened and is committed."""
