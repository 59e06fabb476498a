"""The relayer: carries requests to TEE workers and verified results back on chain."""

from __future__ import annotations

from quotary_bridge.relayer.daemon import Observer, RelayerConfig, RunReport, run, stop_on_signals
from quotary_bridge.relayer.progress import Listener, Progress, ProgressKind
from quotary_bridge.relayer.relayer import Relayer, TickReport
from quotary_bridge.relayer.settings import RelayerSettings

__all__ = [
    "Listener",
    "Observer",
    "Progress",
    "ProgressKind",
    "Relayer",
    "RelayerConfig",
    "RelayerSettings",
    "RunReport",
    "TickReport",
    "run",
    "stop_on_signals",
]
