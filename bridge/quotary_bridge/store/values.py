"""What is written that is neither a job nor a nonce."""

from __future__ import annotations

from dataclasses import dataclass

from quotary_bridge.model import AttemptKind, BlockRef, Fees, TransactionHash

__all__ = ["Cursor", "SignedTransaction"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """
    How far the chain was read.

    Everything up to `final` was read and can no longer change; `head` is the newest block read.
    """

    head: BlockRef
    final: BlockRef


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Signed bytes that may not be sent yet: only what the store gives back as an attempt may."""

    kind: AttemptKind
    raw: bytes
    hash: TransactionHash
    fees: Fees
    gas: int
