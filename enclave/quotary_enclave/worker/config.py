"""What a worker is told at start; everything else it decides or derives itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from quotary_enclave.keys import Address
from quotary_enclave.worker.errors import ConfigurationError

__all__ = ["Clock", "Limits", "Provenance", "WorkerConfig"]

Clock = Callable[[], int]
"""Unix seconds. Inside a TEE the host can set the clock: what it says is advice, never proof."""

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what callers can make the worker hold or do."""

    body_bytes: int = 256 * 1024
    """A chat of the model's longest text is below 64 KB; JSON escapes may multiply it."""
    input_bytes: int = 64 * 1024
    """An input that goes through a chain costs 16 gas a byte: 64 KB is already a million gas."""
    concurrent: int = 2
    """Answers computed at once: each keeps one core busy."""
    waiting: int = 32
    """Requests that may wait for a core; more are told to come again."""
    retained: int = 4096
    """Receipts kept; one is below 2 KB."""
    kept_bytes: int = 128 * 1024 * 1024
    """Answers to requests that have not ended, where no folder keeps them: 80,000 short ones."""
    body_seconds: float = 30.0
    """Time a caller has to send a body."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a bound that would admit nothing."""
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"the limit {name} must be positive")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the code comes from (ACI section 4.1): a claim, until measurements back it."""

    repo_url: str | None = None
    repo_commit: str | None = None
    image_digest: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The field `source_provenance` of a report."""
        return {
            "repo_url": self.repo_url,
            "repo_commit": self.repo_commit,
            "image_digest": self.image_digest,
            "image_provenance": None,
        }


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """
    What one worker serves, and for whom.

    `operator` is who is paid. On real hardware it must be set: whoever may choose it when asking
    for a quote would be paid for this machine's work. `chain_id` and `oracles` narrow what results
    are signed for; unset, any chain and any oracle is served, since the oracle decides whom it
    trusts. Raises `ConfigurationError` for malformed values.
    """

    operator: Address | None = None
    chain_id: int | None = None
    oracles: frozenset[Address] = frozenset()
    provenance: Provenance = field(default_factory=Provenance)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check the forms."""
        addresses = [*self.oracles, *([self.operator] if self.operator else [])]
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                raise ConfigurationError(f"{address!r} is not an address")
        if self.chain_id is not None and self.chain_id <= 0:
            raise ConfigurationError("a chain id is positive")
