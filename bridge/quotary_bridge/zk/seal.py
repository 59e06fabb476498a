"""The seal inside a receipt as RISC Zero's services hand it out."""

from __future__ import annotations

from quotary_bridge.errors import Reason
from quotary_bridge.zk.errors import ProvingFailed
from quotary_bridge.zk.groth16 import PROOF_BYTES
from quotary_bridge.zk.risc_zero import SELECTOR_BYTES
from quotary_bridge.zk.structs import DIGEST_BYTES

__all__ = ["seal_of"]

# risc0_zkvm::InnerReceipt, in the order of its variants.
_GROTH16_VARIANT = 2
_VARIANT_BYTES = 4
_LENGTH_BYTES = 8
_HEAD_BYTES = _VARIANT_BYTES + _LENGTH_BYTES + PROOF_BYTES
_NAMES = {0: "composite", 1: "succinct", 3: "fake"}


def seal_of(receipt: bytes) -> bytes:
    """
    Return `selector ‖ proof` out of a receipt in the bincode form of `risc0_zkvm::Receipt`.

    Read are its two ends: variant, length and proof first; the digest of the verifier's parameters,
    whose first bytes are the selector, last. What lies between, claim and journal, is not believed
    but computed anew, and the proof must hold for it. Raises `ProvingFailed`
    (`PROVER_BROKEN_ANSWER`).
    """
    if len(receipt) < _HEAD_BYTES + DIGEST_BYTES:
        raise _useless(f"{len(receipt)} bytes are too few for it")
    variant = int.from_bytes(receipt[:_VARIANT_BYTES], "little")
    if variant != _GROTH16_VARIANT:
        raise _useless(f"it is a {_NAMES.get(variant, 'unknown')} one")
    length = int.from_bytes(receipt[_VARIANT_BYTES : _VARIANT_BYTES + _LENGTH_BYTES], "little")
    if length != PROOF_BYTES:
        raise _useless(f"its proof has {length} bytes, not {PROOF_BYTES}")
    parameters = receipt[-DIGEST_BYTES:]
    return parameters[:SELECTOR_BYTES] + receipt[_HEAD_BYTES - PROOF_BYTES : _HEAD_BYTES]


def _useless(why: str) -> ProvingFailed:
    return ProvingFailed(
        Reason.PROVER_BROKEN_ANSWER, f"the prover's receipt is no Groth16 receipt: {why}"
    )
