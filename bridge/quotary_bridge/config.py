"""Settings of one run, merged once from flags and environment and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["DEFAULT_RPC_URL", "Settings"]

DEFAULT_RPC_URL = "http://127.0.0.1:8545"
"""Where Anvil listens, as in cast and forge."""

DEFAULT_TIMEOUT_SECONDS = 120.0
# A day: beyond it nobody waits at a prompt, and a typing error is the likelier cause.
TIMEOUT_LIMIT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Which chain, which deployment record, and how long to wait.

    `rpc_url` may hold an access key, so it stays out of the `repr`.
    """

    rpc_url: str = field(default=DEFAULT_RPC_URL, repr=False)
    chain_id: int | None = None
    deployments: Path = Path("deployments")
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    confirmations: int = 1

    @classmethod
    def of(
        cls,
        environment: Mapping[str, str],
        *,
        rpc_url: str | None = None,
        chain_id: int | None = None,
        deployments: str | None = None,
        timeout_seconds: float | None = None,
        confirmations: int | None = None,
    ) -> Settings:
        """Merge flags (which win) with ETH_RPC_URL and QUOTARY_DEPLOYMENTS."""
        timeout = DEFAULT_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds
        if not 0 < timeout <= TIMEOUT_LIMIT_SECONDS:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"a timeout of {timeout} s makes no sense",
                f"give --timeout a number of seconds up to {TIMEOUT_LIMIT_SECONDS:.0f}",
            )
        depth = 1 if confirmations is None else confirmations
        if depth < 1:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"{depth} confirmations make no sense",
                "give --confirmations 1 or more",
            )
        folder = deployments or environment.get("QUOTARY_DEPLOYMENTS") or "deployments"
        return cls(
            rpc_url=rpc_url or environment.get("ETH_RPC_URL") or DEFAULT_RPC_URL,
            chain_id=chain_id,
            deployments=Path(folder).expanduser(),
            timeout_seconds=timeout,
            confirmations=depth,
        )
