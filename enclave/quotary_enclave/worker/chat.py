"""
The first generation of attested chat gateways: identities, report data, signed texts.

What such a signature does not bind: the model's weights, a request id, a chain, a time. The
hashes are computed here over the bytes on the wire; a caller's `X-Request-Hash` is never read.
Source: nearai/private-ml-sdk, vllm-proxy; the layout of report data is docs/design's "Chat".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from quotary_enclave.keys import WorkerKeys
from quotary_enclave.worker.errors import RefusalError, WorkerReason

__all__ = ["ChatIdentity", "SigningAlgorithm", "signed_text"]


class SigningAlgorithm(StrEnum):
    """How a caller wants chat texts signed."""

    ECDSA = "ecdsa"
    ED25519 = "ed25519"

    @classmethod
    def read(cls, text: str | None) -> SigningAlgorithm:
        """The `signing_algo` of a query; ECDSA by default. Raises `RefusalError(BAD_FIELD)`."""
        try:
            return cls(text or cls.ECDSA)
        except ValueError as error:
            raise RefusalError(
                WorkerReason.BAD_FIELD, "signing_algo is ecdsa or ed25519", param="signing_algo"
            ) from error


def signed_text(request: bytes, response: bytes) -> str:
    """`sha256hex(request):sha256hex(response)`, over the exact bodies."""
    return f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"


@dataclass(frozen=True, slots=True)
class ChatIdentity:
    """The worker as one of its two chat signers."""

    keys: WorkerKeys
    algorithm: SigningAlgorithm

    @property
    def signing_address(self) -> str:
        """The Ethereum address, or the Ed25519 public key in hex."""
        if self.algorithm is SigningAlgorithm.ECDSA:
            return self.keys.result.address
        return self.keys.chat.public_key.hex()

    def report_data(self, nonce: bytes) -> bytes:
        """The identity padded on the right to 32 bytes, then the nonce of 32 bytes."""
        identity = bytes.fromhex(self.signing_address.removeprefix("0x"))
        return identity.ljust(32, b"\0") + nonce

    def sign(self, text: str) -> str:
        """The signature in hex: EIP-191 with `0x`, or Ed25519 over the UTF-8 bytes without."""
        if self.algorithm is SigningAlgorithm.ECDSA:
            return "0x" + self.keys.result.sign_text(text.encode()).hex()
        return self.keys.chat.sign(text.encode()).hex()
