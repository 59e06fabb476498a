"""
The worker that runs inside the TEE: it proves its keys, answers questions, signs results.

In process:

    model = load_advisor()
    quotes = simulated_tdx(simulator.platform(), model)
    worker = Worker(WorkerConfig(), model, quotes, keys=WorkerKeys.generate(), clock=clock)
    app = create_app(worker)

As a program: `python -m quotary_enclave.worker --help`.
"""

from __future__ import annotations

from quotary_enclave.worker.app import create_app
from quotary_enclave.worker.config import Clock, Limits, Provenance, WorkerConfig
from quotary_enclave.worker.dstack import DstackGuest
from quotary_enclave.worker.errors import (
    ConfigurationError,
    QuoteUnavailableError,
    RefusalError,
    WorkerError,
    WorkerReason,
)
from quotary_enclave.worker.quotes import QuoteEvidence, QuoteSource
from quotary_enclave.worker.service import Worker
from quotary_enclave.worker.simulated import SimulatedTdx, simulated_provenance, simulated_tdx
from quotary_enclave.worker.vault import Vault

__all__ = [
    "Clock",
    "ConfigurationError",
    "DstackGuest",
    "Limits",
    "Provenance",
    "QuoteEvidence",
    "QuoteSource",
    "QuoteUnavailableError",
    "RefusalError",
    "SimulatedTdx",
    "Vault",
    "Worker",
    "WorkerConfig",
    "WorkerError",
    "WorkerReason",
    "create_app",
    "simulated_provenance",
    "simulated_tdx",
]
