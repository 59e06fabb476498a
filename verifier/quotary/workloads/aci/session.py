"""
Attested sessions: an aggregator's record of one verified upstream (sections 8 and 9.2).

Steps:
  1. the id is the SHA-256 of the document's JCS form, and the version is `aci/1`;
  2. the evidence hashes to its digest;
  3. the channel bindings are enforceable and the claims meet the policy (the shallow audit).

INTEGRATOR RESPONSIBILITIES. The deep audit, which verifies the upstream's evidence anew, is the
caller's: `Session.evidence` has the bytes. Until then every claim is the aggregator's word.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document
from quotary.workloads.aci._canonical import body_hash, canonical, require_version

__all__ = ["TEE_BY_HARDWARE", "Claim", "ClaimStatus", "RequiredClaim", "Session"]

_MAX_TIME: Final = 253_402_300_799
_BINDING_DIGESTS: Final = {
    "tls_spki_sha256": "spki_sha256",
    "e2ee_public_key_sha256": "public_key_sha256",
}
_SOURCES: Final = frozenset(
    {"hardware_proven", "verifier_derived", "provider_asserted", "operator_asserted"}
)
_NAMES: Final = (
    "tee_attested",
    "gpu_attested",
    "tcb_up_to_date",
    "os_known_good",
    "serving_software_known_good",
    "model_weights_provenance",
)


class ClaimStatus(StrEnum):
    """What the aggregator says of a claim. Whatever is not understood is unknown."""

    ASSERTED = "asserted"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Claim:
    """One typed claim (section 8.3); source and reason only where the status is known."""

    name: str
    status: ClaimStatus
    source: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must be asserted, and by which source; None takes any source."""

    name: str
    source: str | None = None


TEE_BY_HARDWARE: Final = RequiredClaim("tee_attested", "hardware_proven")


@dataclass(frozen=True, slots=True)
class Session:
    """A session whose id, evidence digest and bindings were checked."""

    session_id: str
    upstream_name: str
    endpoint: str | None
    verifier_id: str
    established_at: int
    expires_at: int
    bindings: tuple[str, ...]
    claims: tuple[Claim, ...]
    evidence: bytes

    @classmethod
    def parse(
        cls,
        data: bytes | str,
        session_id: str,
        *,
        required: tuple[RequiredClaim, ...] = (TEE_BY_HARDWARE,),
    ) -> Session:
        """
        Read the record `session_id` and audit it.

        Raises `ParseError` or `VerificationError`: another record, evidence that does not hash to
        its digest, no enforceable binding, a required claim not asserted.
        """
        fields = Document.parse(data, "session")
        # 1
        found = sha256(canonical(fields.values, "session")).hexdigest()
        if found != session_id:
            raise VerificationError(
                Reason.SESSION_MISMATCH, "session_id", expected=ascii(session_id)[:80], found=found
            )
        require_version(fields, "session")
        # 2
        evidence = _evidence(fields.inner("evidence"))
        # 3
        session = cls(
            session_id=session_id,
            upstream_name=fields.text("upstream_name"),
            endpoint=fields.text_or_none("endpoint"),
            verifier_id=fields.text("verifier_id"),
            established_at=fields.number("established_at", _MAX_TIME),
            expires_at=fields.number("expires_at", _MAX_TIME),
            bindings=_bindings(fields),
            claims=_claims(fields.inner("claims")),
            evidence=evidence,
        )
        for claim in required:
            session.require(claim)
        return session

    def require(self, required: RequiredClaim) -> None:
        """Raise `VerificationError` unless the claim is asserted by the required source."""
        claim = next((claim for claim in self.claims if claim.name == required.name), None)
        if (
            claim is not None
            and claim.status is ClaimStatus.ASSERTED
            and required.source in (None, claim.source)
        ):
            return
        raise VerificationError(
            Reason.CLAIM_NOT_ASSERTED,
            required.name,
            expected=f"asserted, {required.source or 'by any source'}",
            found="none" if claim is None else _shown(claim),
        )

    def require_served(self, served_at: int) -> None:
        """Raise `VerificationError` unless `served_at` lies in the session's validity."""
        if not self.established_at <= served_at <= self.expires_at:
            raise VerificationError(
                Reason.SESSION_EXPIRED,
                "served_at",
                expected=f"{self.established_at} to {self.expires_at}",
                found=str(served_at),
            )


def _evidence(fields: Document) -> bytes:
    head, comma, payload = fields.text("data").partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise fields.invalid("data", "a data URI in base64")
    try:
        evidence = b64decode(payload, validate=True)
    except (Base64Error, ValueError) as error:
        raise ParseError(Reason.SCHEMA_INVALID, "evidence.data", expected="base64") from error
    if body_hash(evidence) != fields.text("digest"):
        raise VerificationError(
            Reason.SESSION_MISMATCH,
            "evidence.digest",
            expected=body_hash(evidence),
            found=ascii(fields.text("digest"))[:80],
        )
    return evidence


def _bindings(fields: Document) -> tuple[str, ...]:
    """The enforceable bindings as text; types not known are not enforceable (appendix B)."""
    bindings = []
    for index, entry in enumerate(fields.sequence("channel_binding")):
        binding = Document(entry, f"channel_binding[{index}]")
        kind = binding.text("type")
        name = _BINDING_DIGESTS.get(kind)
        if name is not None:
            where = binding.text("origin" if name == "spki_sha256" else "provider")
            bindings.append(f"{kind} {where} {binding.octets(name, 32).hex()}")
    if not bindings:
        raise VerificationError(
            Reason.SESSION_MISMATCH, "channel_binding", expected="an enforceable one", found="none"
        )
    return tuple(bindings)


def _claims(fields: Document) -> tuple[Claim, ...]:
    return tuple(
        _claim(name, fields.inner(name)) if fields.has(name) else _unknown(name) for name in _NAMES
    )


def _claim(name: str, fields: Document) -> Claim:
    status, source = fields.values.get("status"), fields.values.get("source")
    known = isinstance(source, str) and source in _SOURCES
    if not known or status not in (ClaimStatus.ASSERTED, ClaimStatus.REFUTED):
        return _unknown(name)
    return Claim(name, ClaimStatus(status), source, fields.text_or_none("reason"))


def _unknown(name: str) -> Claim:
    return Claim(name, ClaimStatus.UNKNOWN, None, None)


def _shown(claim: Claim) -> str:
    return claim.status.value if claim.source is None else f"{claim.status}, {claim.source}"
