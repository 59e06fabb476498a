"""
First-generation chat gateways: the attestation report and signatures of private-ml-sdk.

Steps:
  1. the report's attestation for the signing key is found, and its quote judged by the caller;
  2. report data, all 64 bytes: identity padded with zeros to 32, then the nonce;
  3. the code: event log and compose document, where the report has them (`verify_dstack`);
  4. the signed text is the hashes of exactly the caller's request and response bytes;
  5. the signature is the attested key's.

For a stream the response is the raw event stream, in order, framing included.

INTEGRATOR RESPONSIBILITIES. Without a nonce of your own the quote may be any age, and the key's
custody with it. The signed text binds neither model nor weights nor request id, chain or time, and
these gateways sign a hash a caller puts into `X-Request-Hash`. See `ChatProof.does_not_prove`.
Source: nearai/private-ml-sdk, vllm-proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from quotary.errors import ParseError, QuotaryError, Reason, VerificationError
from quotary.workloads._document import Document, parse_json, read_hex
from quotary.workloads._secp256k1 import address_of, personal_digest, recover
from quotary.workloads.dstack import DstackEvidence, Expectations, Workload, verify_dstack
from quotary.workloads.quoted import HardwareCheck, Quoted
from quotary.workloads.statements import Gap, Proof, Statement

__all__ = [
    "ChatAttestation",
    "ChatProof",
    "ChatReport",
    "ChatSignature",
    "GpuPayload",
    "SigningAlgorithm",
    "signed_text",
    "verify_chat",
]

_NONCE_BYTES: Final = 32
_IDENTITY_BYTES: Final = 32
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


@dataclass(frozen=True, slots=True)
class ChatProof:
    """
    What report and signature prove together.

    `workload` is None where the report carries no event log. `gpu` is shown, not verified.
    """

    identity: bytes
    algorithm: SigningAlgorithm
    nonce: bytes
    request_hash: bytes
    response_hash: bytes
    quoted: Quoted
    workload: Workload | None
    gpu: GpuPayload | None
    proofs: tuple[Proof, ...]
    gaps: tuple[Gap, ...]

    @property
    def proves(self) -> tuple[Statement, ...]:
        """What holds, in words."""
        return tuple(map(Statement, self.proofs))

    @property
    def does_not_prove(self) -> tuple[Statement, ...]:
        """What nobody should read into it."""
        return tuple(map(Statement, self.gaps))


def signed_text(request: bytes, response: bytes) -> str:
    """Return the text these gateways sign: both bodies' SHA-256 in hex, a colon between."""
    return f"{sha256(request).hexdigest()}:{sha256(response).hexdigest()}"


def verify_chat(
    report: ChatReport,
    signature: ChatSignature,
    request: bytes,
    response: bytes,
    hardware: HardwareCheck,
    *,
    nonce: bytes | None = None,
    app_compose: bytes | None = None,
    expected: Expectations | None = None,
) -> ChatProof:
    """
    Return what `report` and `signature` prove about one exchange.

    `nonce` is the caller's own challenge, 32 bytes; without it the result says that freshness is
    unproven. `app_compose` replaces the document in the report, which may lack it. `expected`
    demands a workload, so the report must carry its event log. Raises
    `ParseError` or `VerificationError`, and what `hardware` raises.
    """
    # 1
    attestation = report.of(signature)
    if app_compose is not None:
        attestation = replace(attestation, app_compose=app_compose)
    quoted = hardware(attestation.quote)
    # 2
    _require_report_data(attestation, quoted, nonce)
    # 3
    workload = _workload(attestation, quoted, expected)
    # 4
    text = signed_text(request, response)
    if signature.text != text:
        raise VerificationError(
            Reason.BODY_HASH_MISMATCH,
            "signed text",
            expected=text,
            found=ascii(signature.text)[:160],
        )
    # 5
    _require_signature(signature)
    return ChatProof(
        identity=attestation.identity,
        algorithm=attestation.algorithm,
        nonce=attestation.nonce,
        request_hash=sha256(request).digest(),
        response_hash=sha256(response).digest(),
        quoted=quoted,
        workload=workload,
        gpu=attestation.gpu,
        proofs=tuple(_proofs(quoted, workload, nonce)),
        gaps=tuple(_gaps(report, attestation, quoted, workload, nonce)),
    )


def _require_report_data(attestation: ChatAttestation, quoted: Quoted, nonce: bytes | None) -> None:
    if nonce is not None and attestation.nonce != nonce:
        raise VerificationError(
            Reason.NONCE_MISMATCH,
            "request_nonce",
            expected=nonce.hex(),
            found=attestation.nonce.hex(),
        )
    expected = attestation.identity.ljust(_IDENTITY_BYTES, b"\0") + attestation.nonce
    if quoted.report_data != expected:
        raise VerificationError(
            Reason.REPORT_DATA_MISMATCH,
            "report data",
            expected=expected.hex(),
            found=quoted.report_data.hex(),
        )


def _workload(
    attestation: ChatAttestation, quoted: Quoted, expected: Expectations | None
) -> Workload | None:
    demanded = expected not in (None, Expectations(), Expectations(allow_unpinned=True))
    if attestation.event_log is None and not demanded:
        return None
    evidence = DstackEvidence.of(
        attestation.quote, attestation.event_log, attestation.vm_config, attestation.app_compose
    )
    return verify_dstack(evidence, quoted, expected)


def _require_signature(signature: ChatSignature) -> None:
    text = signature.text.encode()
    if signature.algorithm is SigningAlgorithm.ECDSA:
        key = recover(personal_digest(text), signature.signature, "chat signature")
        if address_of(key) != signature.identity:
            raise VerificationError(
                Reason.MESSAGE_SIGNATURE_INVALID,
                "chat signature",
                expected=signature.identity.hex(),
                found=address_of(key).hex(),
            )
        return
    try:
        Ed25519PublicKey.from_public_bytes(signature.identity).verify(signature.signature, text)
    except (InvalidSignature, ValueError) as error:
        raise VerificationError(
            Reason.MESSAGE_SIGNATURE_INVALID,
            "chat signature",
            expected=f"one made by {signature.identity.hex()}",
        ) from error


def _proofs(quoted: Quoted, workload: Workload | None, nonce: bytes | None) -> Iterator[Proof]:
    yield from workload.proofs if workload is not None else quoted.proofs
    yield Proof.SIGNER_IN_TEE
    if nonce is not None:
        yield Proof.FRESH
    yield Proof.BODIES_SIGNED


def _gaps(
    report: ChatReport,
    attestation: ChatAttestation,
    quoted: Quoted,
    workload: Workload | None,
    nonce: bytes | None,
) -> Iterator[Gap]:
    yield from workload.gaps if workload is not None else (*quoted.gaps, Gap.CODE)
    if nonce is None:
        yield Gap.FRESHNESS
    yield from (Gap.CUSTODY, Gap.MODEL, Gap.REQUEST_IDENTITY, Gap.TIME, Gap.CALLER_HASH)
    if attestation.gpu is not None:
        yield Gap.GPU
    if len(report.attestations) > 1:
        yield Gap.OTHER_NODES
    yield Gap.CHANNEL


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
