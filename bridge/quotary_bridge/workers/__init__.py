"""Clients of TEE workers: ask, bound, parse, check."""

from __future__ import annotations

from quotary_bridge.workers.batches import (
    BATCH_TYPE_HASH,
    Answered,
    Batch,
    BatchQuestion,
    SignedBatch,
    Tree,
    batch_digest,
    check_batch,
    leaf_of,
)
from quotary_bridge.workers.check import (
    RejectReason,
    ResultRejectedError,
    check_result,
    check_reveal,
)
from quotary_bridge.workers.client import (
    Endpoint,
    FaultKind,
    WorkerClient,
    WorkerFaultError,
    read_statement,
)
from quotary_bridge.workers.documents import PUSH_GAS, PreparedBatch, pieces
from quotary_bridge.workers.pool import Health, WorkerPool
from quotary_bridge.workers.statement import (
    DOMAIN_VERSION,
    RESULT_TYPE_HASH,
    result_digest,
    signer_of,
)

__all__ = [
    "BATCH_TYPE_HASH",
    "DOMAIN_VERSION",
    "PUSH_GAS",
    "RESULT_TYPE_HASH",
    "Answered",
    "Batch",
    "BatchQuestion",
    "Endpoint",
    "FaultKind",
    "Health",
    "PreparedBatch",
    "RejectReason",
    "ResultRejectedError",
    "SignedBatch",
    "Tree",
    "WorkerClient",
    "WorkerFaultError",
    "WorkerPool",
    "batch_digest",
    "check_batch",
    "check_result",
    "check_reveal",
    "leaf_of",
    "pieces",
    "read_statement",
    "result_digest",
    "signer_of",
]
