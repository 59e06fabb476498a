"""
What report data must say for a quote to prove something about a key (docs/formats.md).

Three layouts. All fix every one of the 64 bytes, so no quote has two meanings.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from quotary._keccak import keccak256

__all__ = [
    "BINDING_VERSION",
    "REPORT_DATA_BYTES",
    "WorkerBinding",
    "aci_report_data",
    "challenge",
    "chat_report_data",
    "extended_report_data",
]

BINDING_VERSION: Final = 1
REPORT_DATA_BYTES: Final = 64

_WORD: Final = 32
_ADDRESS: Final = 20
_UINT64_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class WorkerBinding:
    """
    What a worker's quote binds its key to: chain, registry, app, operator, time.

    Addresses are 20 bytes, the other byte strings 32. Raises `ValueError` for other lengths, and
    for numbers their Solidity types cannot hold.
    """

    chain_id: int
    registry: bytes
    app_id: bytes
    operator: bytes
    encryption_key: bytes
    challenge_block: int
    challenge: bytes

    def __post_init__(self) -> None:
        """Check lengths and ranges once, so that encoding cannot fail."""
        _require(self.chain_id >= 0 and self.chain_id.bit_length() <= 8 * _WORD, "chain_id")
        _require(
            self.challenge_block >= 0 and self.challenge_block.bit_length() <= _UINT64_BITS,
            "challenge_block",
        )
        for name in ("registry", "operator"):
            _require(len(getattr(self, name)) == _ADDRESS, name)
        for name in ("app_id", "encryption_key", "challenge"):
            _require(len(getattr(self, name)) == _WORD, name)

    def encode(self) -> bytes:
        """Return `abi.encode(WorkerBinding)`: eight words."""
        return b"".join(
            (
                _number(BINDING_VERSION),
                _number(self.chain_id),
                self.registry.rjust(_WORD, b"\0"),
                self.app_id,
                self.operator.rjust(_WORD, b"\0"),
                self.encryption_key,
                _number(self.challenge_block),
                self.challenge,
            )
        )

    @property
    def hash(self) -> bytes:
        """Keccak-256 of the encoding."""
        return keccak256(self.encode())


def challenge(chain_id: int, registry: bytes, block_hash: bytes) -> bytes:
    """
    Return the registry's challenge for one block: fresh, for this chain, for this contract.

    `keccak256(abi.encode(chainId, registry, blockhash))`.
    """
    _require(len(registry) == _ADDRESS, "registry")
    _require(len(block_hash) == _WORD, "block_hash")
    return keccak256(_number(chain_id) + registry.rjust(_WORD, b"\0") + block_hash)


def extended_report_data(worker: bytes, binding: WorkerBinding) -> bytes:
    """Return the layout "extended": worker address, hash of the binding, twelve zero bytes."""
    _require(len(worker) == _ADDRESS, "worker")
    return (worker + binding.hash).ljust(REPORT_DATA_BYTES, b"\0")


def chat_report_data(worker: bytes, nonce: bytes) -> bytes:
    """Return the layout "chat": worker address padded right to a word, then the nonce."""
    _require(len(worker) == _ADDRESS, "worker")
    _require(len(nonce) == _WORD, "nonce")
    return worker.ljust(_WORD, b"\0") + nonce


def aci_report_data(statement: bytes) -> bytes:
    """Return the layout "ACI": SHA-256 of the statement, then a zero word."""
    return sha256(statement).digest().ljust(REPORT_DATA_BYTES, b"\0")


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD)


def _require(condition: bool, name: str) -> None:  # noqa: FBT001
    if not condition:
        raise ValueError(f"{name} does not fit its Solidity type")
