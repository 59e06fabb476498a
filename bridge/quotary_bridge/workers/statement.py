"""
The EIP-712 digest of a result, and who signed it.

Byte formats: docs/formats.md, "Result: what a worker signs". The bridge computes the digest itself:
a digest that came with the answer proves nothing.
"""

from __future__ import annotations

from typing import Final

from eth_abi.abi import encode
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from quotary_bridge.model import Address, ChainId, Result

__all__ = ["SIGNATURE_BYTES", "result_digest", "signer_of"]

SIGNATURE_BYTES: Final = 65

_DOMAIN_TYPE: Final = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_RESULT_TYPE: Final = (
    b"Result(bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,"
    b"bytes32 inputCommitment,bytes32 outputHash,uint64 keyEpoch,uint64 policyVersion,"
    b"address worker,uint64 units,uint256 nonce,uint64 deadline)"
)
_DOMAIN_WORDS: Final = ("bytes32", "bytes32", "bytes32", "uint256", "address")
_RESULT_WORDS: Final = (
    *("bytes32",) * 7,
    *("uint64",) * 2,
    "address",
    "uint64",
    "uint256",
    "uint64",
)
# SEC 1 leaves s and n - s both valid; the contract takes the lower one only, and so do we.
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_RECOVERY_IDS: Final = (27, 28)


def result_digest(result: Result, chain_id: ChainId, oracle: Address) -> bytes:
    """Return what a worker signs to state `result` to the oracle on that chain."""
    domain = encode(
        _DOMAIN_WORDS,
        (
            keccak(_DOMAIN_TYPE),
            keccak(b"Quotary Result"),
            keccak(b"1"),
            chain_id,
            oracle,
        ),
    )
    statement = encode(
        _RESULT_WORDS,
        (
            keccak(_RESULT_TYPE),
            result.request_id,
            result.app_id,
            result.model_id,
            result.weights_root,
            result.input_commitment,
            result.output_hash,
            result.key_epoch,
            result.policy_version,
            result.worker,
            result.units,
            result.nonce,
            result.deadline,
        ),
    )
    return keccak(b"\x19\x01" + keccak(domain) + keccak(statement))


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
        key = Signature(compact).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError, ValueError):
        return None
    return Address(key.to_checksum_address())
