"""For programs that ask: an oracle behind a `Web3`, with errors by the contracts' own names."""

from __future__ import annotations

from quotary_bridge.client.errors import OracleError, RequestEndedError
from quotary_bridge.client.steps import Answer, Asked
from quotary_bridge.client.twins import AsyncOracleClient, OracleClient

__all__ = [
    "Answer",
    "Asked",
    "AsyncOracleClient",
    "OracleClient",
    "OracleError",
    "RequestEndedError",
]
