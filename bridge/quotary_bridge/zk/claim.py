"""RISC Zero's claim digests: what a receipt says happened, as one hash."""

from __future__ import annotations

from quotary_bridge.zk.structs import DIGEST_BYTES, ZERO_DIGEST, tagged_struct

__all__ = ["claim_digest"]

# ExitCode::Halted(0): the system's part is 0 for "halted", the user's part is the guest's code.
_HALTED_WITH_ZERO = (0, 0)


def claim_digest(image_id: bytes, journal_digest: bytes) -> bytes:
    """
    Return the digest of the claim that `image_id` halted with code 0 and wrote that journal.

    No input, no assumptions. Raises `ValueError` unless both arguments are 32 bytes.
    """
    if len(image_id) != DIGEST_BYTES or len(journal_digest) != DIGEST_BYTES:
        raise ValueError("image id and journal digest are 32 bytes each")
    output = tagged_struct("risc0.Output", (journal_digest, ZERO_DIGEST))
    halted_state = tagged_struct("risc0.SystemState", (ZERO_DIGEST,), (0,))
    return tagged_struct(
        "risc0.ReceiptClaim", (ZERO_DIGEST, image_id, halted_state, output), _HALTED_WITH_ZERO
    )
