"""The documents of first-generation chat gateways, read and not believed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from quotary.errors import ParseError, QuotaryError, Reason, VerificationError
from quotary.workloads._document import Document, parse_json, read_hex

__all__ = ["ChatAttestation", "ChatReport", "ChatSignature", "GpuPayload", "SigningAlgorithm"]

_NONCE_BYTES: Final = 32
_MAX_NODES: Final = 256
"""Gateways serve from a handful of nodes; bounds what one report can make us parse."""


class SigningAlgorithm(StrEnum):
    """How chat texts are signed."""

    ECDSA = "ecdsa"
    ED25519 = "ed25519"

    @property
    def identity_bytes(self) -> int:
        """How long the identity is: an Ethereum address, or a public key."""
        return 20 if self is SigningAlgorithm.ECDSA else 32


@dataclass(frozen=True, slots=True)
class GpuPayload:
    """What the report says about GPUs. Nobody verified it."""

    arch: str | None
    devices: int
    nonce: str | None


@dataclass(frozen=True, slots=True)
class ChatAttestation:
    """One node's attestation as reported; nothing in it is proven yet."""

    identity: bytes
    algorithm: SigningAlgorithm
    nonce: bytes
    quote: bytes
    event_log: Any
    vm_config: Any
    app_compose: bytes | None
    gpu: GpuPayload | None

    @classmethod
    def read(cls, value: object, item: str) -> ChatAttestation:
        """Read one entry of a report. Raises `ParseError`."""
        fields = Document(value, item)
        algorithm = _algorithm(fields)
        return cls(
            identity=_identity(fields, algorithm),
            algorithm=algorithm,
            nonce=fields.octets("request_nonce", _NONCE_BYTES),
            quote=fields.octets("intel_quote"),
            event_log=fields.embedded("event_log"),
            vm_config=fields.embedded("vm_config"),
            app_compose=_app_compose(fields),
            gpu=_gpu(fields),
        )


@dataclass(frozen=True, slots=True)
class ChatReport:
    """The answer of `GET /v1/attestation/report`: one attestation per node."""

    attestations: tuple[ChatAttestation, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> ChatReport:
        """
        Read a report. Raises `ParseError`.

        Where `all_attestations` is a list, it is the list; the fields beside it repeat one entry.
        """
        fields = Document.parse(data, "report")
        if not fields.has("all_attestations"):
            return cls((ChatAttestation.read(dict(fields.values), "report"),))
        entries = fields.sequence("all_attestations")
        if not 0 < len(entries) <= _MAX_NODES:
            raise fields.invalid("all_attestations", f"1 to {_MAX_NODES} entries")
        return cls(
            tuple(
                ChatAttestation.read(entry, f"all_attestations[{index}]")
                for index, entry in enumerate(entries)
            )
        )

    def of(self, signature: ChatSignature) -> ChatAttestation:
        """The attestation of the key that signed. Raises `VerificationError` without one."""
        for attestation in self.attestations:
            if (attestation.identity, attestation.algorithm) == (
                signature.identity,
                signature.algorithm,
            ):
                return attestation
        raise VerificationError(
            Reason.SIGNER_MISMATCH,
            "signing_address",
            expected="an identity of the report",
            found=signature.identity.hex(),
        )


@dataclass(frozen=True, slots=True)
class ChatSignature:
    """The answer of `GET /v1/signature/{chat_id}`."""

    text: str
    signature: bytes
    identity: bytes
    algorithm: SigningAlgorithm

    @classmethod
    def parse(cls, data: bytes | str) -> ChatSignature:
        """Read a signature document. Raises `ParseError`."""
        fields = Document.parse(data, "signature")
        algorithm = _algorithm(fields)
        signature = read_hex(fields.text("signature").removeprefix("0x"), "signature.signature")
        return cls(fields.text("text"), signature, _identity(fields, algorithm), algorithm)


def _algorithm(fields: Document) -> SigningAlgorithm:
    text = fields.text("signing_algo")
    try:
        return SigningAlgorithm(text)
    except ValueError:
        raise fields.invalid("signing_algo", "ecdsa or ed25519") from None


def _identity(fields: Document, algorithm: SigningAlgorithm) -> bytes:
    address = fields.text("signing_address").removeprefix("0x")
    return read_hex(address, "signing_address", algorithm.identity_bytes)


def _app_compose(fields: Document) -> bytes | None:
    """The compose document inside `info.tcb_info`, which some versions send as text."""
    info = fields.embedded("info")
    tcb_info = info.get("tcb_info") if isinstance(info, dict) else None
    if isinstance(tcb_info, str):
        tcb_info = parse_json(tcb_info, "info.tcb_info")
    compose = tcb_info.get("app_compose") if isinstance(tcb_info, dict) else None
    if not isinstance(compose, str):
        return None
    try:
        return compose.encode()
    except UnicodeEncodeError as error:
        raise ParseError(Reason.SCHEMA_INVALID, "app_compose", expected="UTF-8") from error


def _gpu(fields: Document) -> GpuPayload | None:
    """NVIDIA's payload as far as it can be shown; unreadable ones are shown as empty."""
    if not fields.has("nvidia_payload"):
        return None
    try:
        payload = Document(fields.embedded("nvidia_payload"), "nvidia_payload")
        devices = payload.values.get("evidence_list")
        return GpuPayload(
            payload.text_or_none("arch"),
            len(devices) if isinstance(devices, list) else 0,
            payload.text_or_none("nonce"),
        )
    except QuotaryError:
        return GpuPayload(None, 0, None)
