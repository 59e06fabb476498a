"""
EIP-1559 transactions, signed.

eth-account takes web3.py's dictionaries and checks every field of them, which takes longer than
everything else the relayer does for a result. Here the fields have types already. A test holds the
bytes equal to eth-account's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from coincurve import PrivateKey
from eth_hash.auto import keccak

from quotary_bridge.model import Address, Fees

__all__ = ["DynamicFeeTransaction", "transaction_hash"]

HASHES_REMEMBERED = 512
"""More than are on their way from the signer to the node; signed bytes may be long."""

TRANSACTION_TYPE = b"\x02"

_STRING, _LIST = 0x80, 0xC0
_SHORT = 55
"""The longest whose length fits into the byte that says what follows."""


@lru_cache(HASHES_REMEMBERED)
def transaction_hash(raw: bytes) -> bytes:
    """Return the hash of signed bytes: asked for when they are kept, and again when they go out."""
    return keccak(raw)


@dataclass(frozen=True, slots=True)
class DynamicFeeTransaction:
    """The fields of an EIP-1559 transaction with an empty access list; amounts in wei."""

    chain_id: int
    nonce: int
    to: Address
    data: bytes
    value: int
    gas: int
    fees: Fees

    def signed_by(self, key: PrivateKey) -> bytes:
        """Return `0x02 ‖ rlp([fields, y parity, r, s])`, low s (EIP-1559, EIP-2718)."""
        fields = self._fields()
        digest = keccak(TRANSACTION_TYPE + _list(fields))
        signature = key.sign_recoverable(digest, hasher=None)
        parts = (signature[64:], signature[:32], signature[32:64])
        whole = fields + b"".join(_integer(int.from_bytes(part)) for part in parts)
        return TRANSACTION_TYPE + _list(whole)

    def _fields(self) -> bytes:
        return b"".join(
            (
                _integer(self.chain_id),
                _integer(self.nonce),
                _integer(self.fees.max_priority_fee),
                _integer(self.fees.max_fee),
                _integer(self.gas),
                _string(bytes.fromhex(self.to[2:])),
                _integer(self.value),
                _string(self.data),
                _list(b""),
            )
        )


def _integer(value: int) -> bytes:
    """Return an integer as RLP has it: big-endian, without leading zeros, zero as nothing."""
    return _string(value.to_bytes((value.bit_length() + 7) // 8))


def _string(value: bytes) -> bytes:
    """Return bytes in RLP: a single small one stands for itself (yellow paper, appendix B)."""
    if len(value) == 1 and value[0] < _STRING:
        return value
    return _length(len(value), _STRING) + value


def _list(items: bytes) -> bytes:
    """Return a list in RLP, of items that are encoded already."""
    return _length(len(items), _LIST) + items


def _length(size: int, kind: int) -> bytes:
    if size <= _SHORT:
        return bytes((kind + size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((kind + _SHORT + len(digits),)) + digits
