"""
The EIP-712 digest of a result, and who signed it.

Byte formats: docs/formats.md, "Result: what a worker signs". The bridge computes the digest itself:
a digest that came with the answer proves nothing.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak

from quotary_bridge.model import Address, ChainId, Result, address_from
from quotary_bridge.words import encode_words

__all__ = [
    "DOMAIN_TYPE",
    "DOMAIN_VERSION",
    "RESULT_TYPE_HASH",
    "SIGNATURE_BYTES",
    "result_digest",
    "signer_of",
]

SIGNATURE_BYTES: Final = 65
DOMAIN_VERSION: Final = "1"
"""The version of the statement that this bridge knows."""

DOMAIN_TYPE: Final = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_RESULT_TYPE: Final = (
    b"Result(bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,"
    b"bytes32 inputCommitment,bytes32 outputHash,bytes32 decision,bytes32 round,"
    b"uint64 keyEpoch,uint64 policyVersion,"
    b"address worker,uint64 units,uint256 nonce,uint64 deadline)"
)
RESULT_TYPE_HASH: Final = keccak(_RESULT_TYPE)
# The fields of a result are declared in the order in which they are signed; a test compares.
_FIELDS: Final = attrgetter(*(field.name for field in fields(Result)))
DOMAINS_REMEMBERED: Final = 16
"""A relayer serves one oracle; a test may know several."""

SIGNERS_REMEMBERED: Final = 256
"""More workers than one relayer asks."""

# SEC 1 leaves s and n - s both valid; the contract takes the lower one only, and so do we.
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_RECOVERY_IDS: Final = (27, 28)


def result_digest(result: Result, chain_id: ChainId, oracle: Address) -> bytes:
    """Return what a worker signs to state `result` to the oracle on that chain."""
    statement = encode_words(RESULT_TYPE_HASH, *_FIELDS(result))
    return keccak(b"\x19\x01" + _domain(chain_id, oracle) + keccak(statement))


@lru_cache(DOMAINS_REMEMBERED)
def _domain(chain_id: ChainId, oracle: Address) -> bytes:
    """Return the EIP-712 domain separator of one oracle."""
    name, version = keccak(b"Quotary Result"), keccak(DOMAIN_VERSION.encode())
    return keccak(encode_words(keccak(DOMAIN_TYPE), name, version, chain_id, oracle))


def signer_of(digest: bytes, signature: bytes) -> Address | None:
    """
    Return whose key made `signature` over `digest`, or None where it is no signature.

    One encoding only: 65 bytes `r ‖ s ‖ v`, low s, v 27 or 28, as the contract takes it.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in _RECOVERY_IDS:
        return None
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    compact = signature[:64] + bytes([signature[64] - _RECOVERY_IDS[0]])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:  # noqa: BLE001 (the library raises a bare one where no key fits)
        return None
    return _address_of(key.format(compressed=False))


@lru_cache(SIGNERS_REMEMBERED)
def _address_of(point: bytes) -> Address:
    """Return the address of a public key in its uncompressed form: few workers sign much."""
    return address_from(keccak(point[1:])[12:])
