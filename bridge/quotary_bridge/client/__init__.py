"""For programs that ask: an oracle behind a `Web3`, with errors by the contracts' own names."""

from __future__ import annotations

from quotary_bridge.client.batch_steps import ClaimedResult, proof
from quotary_bridge.client.batch_twins import AsyncBatchClient, BatchClient
from quotary_bridge.client.errors import BatchUnusableError, OracleError, RequestEndedError
from quotary_bridge.client.inputs import AsyncRelayerClient, RelayerClient, commitment_to
from quotary_bridge.client.steps import Answer, Asked
from quotary_bridge.client.twins import AsyncOracleClient, OracleClient
from quotary_bridge.workers import PreparedBatch

__all__ = [
    "Answer",
    "Asked",
    "AsyncBatchClient",
    "AsyncOracleClient",
    "AsyncRelayerClient",
    "BatchClient",
    "BatchUnusableError",
    "ClaimedResult",
    "OracleClient",
    "OracleError",
    "PreparedBatch",
    "RelayerClient",
    "RequestEndedError",
    "commitment_to",
    "proof",
]
