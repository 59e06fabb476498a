"""Where quotes come from: the port, and what comes back through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from quotary_enclave.worker.errors import QuoteUnavailableError

__all__ = ["REPORT_DATA_BYTES", "QuoteEvidence", "QuoteSource", "require_bound"]

REPORT_DATA_BYTES: Final = 64
"""Report data of every TEE served here (Intel TDX Module ABI, TDREPORT)."""


@dataclass(frozen=True, slots=True)
class QuoteEvidence:
    """A quote, and what a verifier needs to interpret its measurements."""

    quote: bytes
    event_log: str = "[]"
    """The boot events, a JSON array as dstack writes it."""
    vm_config: str = "{}"
    """The virtual machine's configuration, a JSON object as dstack writes it."""
    app_compose: str | None = None
    """The measured deployment manifest, byte for byte."""
    info: dict[str, object] = field(default_factory=dict)
    """What the guest says about itself; nothing in it is proven."""


class QuoteSource(Protocol):
    """A TEE that quotes."""

    @property
    def simulated(self) -> bool:
        """Whether the quotes are minted under a test root and prove nothing."""
        ...

    def quote(self, report_data: bytes) -> QuoteEvidence:
        """
        A fresh quote over exactly `report_data`, 64 bytes. Blocks.

        Raises `QuoteUnavailableError`.
        """
        ...

    def sealing_key(self) -> bytes:
        """
        32 secret bytes that this TEE gets again after a restart, and its host never. Blocks.

        Raises `QuoteUnavailableError`.
        """
        ...


def require_bound(quote: bytes, report_data: bytes) -> None:
    """
    Refuse a quote that does not carry `report_data`.

    A check against mix-ups between us and the TEE, not a verification. Raises
    `QuoteUnavailableError`.
    """
    if len(report_data) != REPORT_DATA_BYTES or report_data not in quote:
        raise QuoteUnavailableError("the quote does not carry the report data it was asked for")
