"""What the bridge remembers: jobs, results, nonces, signed transactions, and who may write."""

from __future__ import annotations

from quotary_bridge.store.batches import BatchRecord, BatchState, Commitment, Member
from quotary_bridge.store.changes import SlotChange
from quotary_bridge.store.inputs import (
    INPUT_BYTES_LIMIT,
    InputFolder,
    InputRefusal,
    InputRefusedError,
)
from quotary_bridge.store.leases import Lease, LeaseHeldError
from quotary_bridge.store.location import Location, PostgresUrl, location
from quotary_bridge.store.overview import Overview
from quotary_bridge.store.store import ROWS_LIMIT, Store, StoreUnavailableError
from quotary_bridge.store.tasks import Claim, Task, TaskBook, TaskReport, TaskState
from quotary_bridge.store.values import Cursor, SignedTransaction
from quotary_bridge.store.writer import Writer

__all__ = [
    "INPUT_BYTES_LIMIT",
    "ROWS_LIMIT",
    "BatchRecord",
    "BatchState",
    "Claim",
    "Commitment",
    "Cursor",
    "InputFolder",
    "InputRefusal",
    "InputRefusedError",
    "Lease",
    "LeaseHeldError",
    "Location",
    "Member",
    "Overview",
    "PostgresUrl",
    "SignedTransaction",
    "SlotChange",
    "Store",
    "StoreUnavailableError",
    "Task",
    "TaskBook",
    "TaskReport",
    "TaskState",
    "Writer",
    "location",
]
