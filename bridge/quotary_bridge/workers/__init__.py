"""Clients of TEE workers: ask, bound, parse, check."""

from __future__ import annotations

from quotary_bridge.workers.check import (
    RejectReason,
    ResultRejectedError,
    check_result,
    check_reveal,
)
from quotary_bridge.workers.client import Endpoint, FaultKind, WorkerClient, WorkerFaultError
from quotary_bridge.workers.pool import Health, WorkerPool
from quotary_bridge.workers.statement import (
    DOMAIN_VERSION,
    RESULT_TYPE_HASH,
    result_digest,
    signer_of,
)

__all__ = [
    "DOMAIN_VERSION",
    "RESULT_TYPE_HASH",
    "Endpoint",
    "FaultKind",
    "Health",
    "RejectReason",
    "ResultRejectedError",
    "WorkerClient",
    "WorkerFaultError",
    "WorkerPool",
    "check_result",
    "check_reveal",
    "result_digest",
    "signer_of",
]
