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
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from quotary.errors import Reason, VerificationError
from quotary.workloads._secp256k1 import address_of, personal_digest, recover
from quotary.workloads.chat_documents import (
    ChatAttestation,
    ChatReport,
    ChatSignature,
    GpuPayload,
    SigningAlgorithm,
)
from quotary.workloads.dstack import DstackEvidence, Expectations, Workload, verify_dstack
from quotary.workloads.quoted import HardwareCheck, Quoted
from quotary.workloads.statements import Gap, Proof, Statement

__all__ = [
    "ChatAttestation",
    "ChatProof",
    "ChatReport",
    "ChatSignature",
    "ChatSigner",
    "GpuPayload",
    "SigningAlgorithm",
    "signed_text",
    "verify_chat",
    "verify_signer",
]

_IDENTITY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ChatSigner:
    """
    A signing key that a quote binds, and the workload behind it.

    `workload` is None where the report carries no event log. `challenged` says that the nonce was
    the caller's own. `gpu` is shown, not verified.
    """

    identity: bytes
    algorithm: SigningAlgorithm
    nonce: bytes
    challenged: bool
    quoted: Quoted
    workload: Workload | None
    gpu: GpuPayload | None


@dataclass(frozen=True, slots=True)
class ChatProof:
    """What report and signature prove together about one exchange."""

    signer: ChatSigner
    request_hash: bytes
    response_hash: bytes
    proofs: tuple[Proof, ...]
    gaps: tuple[Gap, ...]

    @property
    def quoted(self) -> Quoted:
        """The quote that everything rests on."""
        return self.signer.quoted

    @property
    def algorithm(self) -> SigningAlgorithm:
        """How the text was signed."""
        return self.signer.algorithm

    @property
    def workload(self) -> Workload | None:
        """The app that holds the key, where the report says enough to know."""
        return self.signer.workload

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


def verify_signer(
    attestation: ChatAttestation,
    hardware: HardwareCheck,
    *,
    nonce: bytes | None = None,
    app_compose: bytes | None = None,
    expected: Expectations | None = None,
) -> ChatSigner:
    """
    Return the signing key that `attestation` proves: all there is to know before an exchange.

    Arguments and exceptions are those of `verify_chat`.
    """
    # 1
    quoted = hardware(attestation.quote)
    # 2
    _require_report_data(attestation, quoted, nonce)
    # 3
    compose = attestation.app_compose if app_compose is None else app_compose
    workload = _workload(attestation, quoted, compose, expected)
    return ChatSigner(
        identity=attestation.identity,
        algorithm=attestation.algorithm,
        nonce=attestation.nonce,
        challenged=nonce is not None,
        quoted=quoted,
        workload=workload,
        gpu=attestation.gpu,
    )


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
    demands a workload, so the report must carry its event log. Raises `ParseError` or
    `VerificationError`, and what `hardware` raises.
    """
    # 1, 2, 3
    attestation = report.of(signature)
    signer = verify_signer(
        attestation, hardware, nonce=nonce, app_compose=app_compose, expected=expected
    )
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
        signer=signer,
        request_hash=sha256(request).digest(),
        response_hash=sha256(response).digest(),
        proofs=tuple(_proofs(signer)),
        gaps=tuple(_gaps(signer, nodes=len(report.attestations))),
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
    attestation: ChatAttestation,
    quoted: Quoted,
    app_compose: bytes | None,
    expected: Expectations | None,
) -> Workload | None:
    demanded = expected not in (None, Expectations(), Expectations(allow_unpinned=True))
    if attestation.event_log is None and not demanded:
        return None
    evidence = DstackEvidence.of(
        attestation.quote, attestation.event_log, attestation.vm_config, app_compose
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


def _proofs(signer: ChatSigner) -> Iterator[Proof]:
    yield from signer.quoted.proofs if signer.workload is None else signer.workload.proofs
    yield Proof.SIGNER_IN_TEE
    if signer.challenged:
        yield Proof.FRESH
    yield Proof.BODIES_SIGNED


def _gaps(signer: ChatSigner, *, nodes: int) -> Iterator[Gap]:
    if signer.workload is None:
        yield from (*signer.quoted.gaps, Gap.CODE)
    else:
        yield from signer.workload.gaps
    if not signer.challenged:
        yield Gap.FRESHNESS
    yield from (Gap.CUSTODY, Gap.MODEL, Gap.REQUEST_IDENTITY, Gap.TIME, Gap.CALLER_HASH)
    if signer.gpu is not None:
        yield Gap.GPU
    if nodes > 1:
        yield Gap.OTHER_NODES
    yield Gap.CHANNEL
