"""
The attestation report of an ACI service: who it is (section 9.1).

Steps, numbered as in the specification:
  1. hardware: the quote, judged by the caller, binds the report data;
  2. binding and freshness: keyset digest, statement with the caller's nonce, all 64 bytes;
  3. expiry of the keyset;
  4. provenance, backed by the measured compose document;
  5. custody and subject, under the policy;
  6. the channel, where the caller observed one.

INTEGRATOR RESPONSIBILITIES. The identity says which measured code serves, not what that code does.
Talk to the service only over a listed TLS key; everything else may end outside the TEE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from quotary.errors import Reason, VerificationError
from quotary.trust import unix_seconds
from quotary.workloads._document import Document
from quotary.workloads.aci._canonical import require_version
from quotary.workloads.aci.custody import require_kms_custody
from quotary.workloads.aci.keyset import Keyset, report_data
from quotary.workloads.dstack import DstackEvidence, Expectations, Workload, verify_dstack
from quotary.workloads.quoted import HardwareCheck, Quoted
from quotary.workloads.statements import Gap, Proof, Statement

__all__ = [
    "AciPolicy",
    "AciReport",
    "Channel",
    "Identity",
    "Provenance",
    "Serving",
    "verify_report",
]


class Serving(StrEnum):
    """Whether inference runs in the attested workload or behind it. Unknown means behind."""

    DIRECT = "direct"
    AGGREGATOR = "aggregator"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the service says its code comes from."""

    repo_url: str | None
    repo_commit: str | None
    image_digest: str | None

    @property
    def claimed(self) -> bool:
        """Whether the claim is complete enough to follow (section 4.1)."""
        return self.image_digest is not None or None not in (self.repo_url, self.repo_commit)


@dataclass(frozen=True, slots=True)
class Channel:
    """The TLS key observed on a connection, and the host name it was made to."""

    spki_sha256: bytes
    domain: str | None


@dataclass(frozen=True, slots=True)
class AciPolicy:
    """
    What the caller demands beyond the specification's minimum.

    `expected.compose_hash` names a compose document the caller reviewed, which is provenance by
    itself. `kms_roots` (compressed keys) demands custody by a dstack KMS; without it custody rests
    on the measured code, and the result says so. `subject` must be equal when given.
    """

    expected: Expectations = field(default_factory=Expectations)
    kms_roots: frozenset[bytes] = frozenset()
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class AciReport:
    """The answer of `GET /v1/aci/attestation`; nothing in it is proven yet."""

    keyset: Keyset
    keyset_digest: str
    report_data: bytes
    provenance: Provenance
    serving: Serving
    evidence: Document

    @classmethod
    def parse(cls, data: bytes | str) -> AciReport:
        """
        Read a report.

        Raises `ParseError`, or `VerificationError` for another protocol version, TEE type, or a
        keyset that breaks the rules.
        """
        fields = Document.parse(data, "report")
        require_version(fields, "report")
        attestation = fields.inner("attestation")
        tee_type = attestation.text("tee_type")
        if tee_type != "tdx":
            raise VerificationError(
                Reason.TEE_TYPE_NOT_ALLOWED, "tee_type", expected="tdx", found=ascii(tee_type)[:80]
            )
        source = Document(attestation.values.get("source_provenance") or {}, "source_provenance")
        capabilities = Document(fields.values.get("service_capabilities") or {}, "capabilities")
        direct = capabilities.values.get("serving") == Serving.DIRECT
        return cls(
            keyset=Keyset.read(attestation.inner("workload_keyset")),
            keyset_digest=fields.text("workload_keyset_digest"),
            report_data=attestation.octets("report_data", 32),
            provenance=Provenance(
                source.text_or_none("repo_url"),
                source.text_or_none("repo_commit"),
                source.text_or_none("image_digest"),
            ),
            serving=Serving.DIRECT if direct else Serving.AGGREGATOR,
            evidence=attestation.inner("evidence"),
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """An established service identity: everything later binds to its keyset."""

    keyset: Keyset
    serving: Serving
    workload: Workload
    provenance: Provenance
    quoted: Quoted
    nonce: bytes | None
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


def verify_report(
    report: AciReport,
    hardware: HardwareCheck,
    *,
    nonce: bytes | None,
    at: datetime,
    policy: AciPolicy | None = None,
    channel: Channel | None = None,
) -> Identity:
    """
    Establish who serves, at the time `at`.

    `nonce` is the caller's own, 32 bytes; None checks the unchallenged form, which proves binding
    but not freshness. Raises `ParseError`, `VerificationError`, and what `hardware` raises;
    `ValueError` when `at` has no time zone.
    """
    policy = policy or AciPolicy()
    # 1
    evidence = DstackEvidence.read(report.evidence)
    quoted = hardware(evidence.quote)
    # 2
    _require_binding(report, quoted, nonce)
    # 3
    report.keyset.require_current(unix_seconds(at))
    # 4
    workload = verify_dstack(evidence, quoted, policy.expected)
    _require_provenance(report.provenance, workload, policy)
    # 5
    if policy.kms_roots:
        require_kms_custody(report.evidence, report.keyset, workload.app_id, policy.kms_roots)
    _require_subject(report.keyset.subject, workload, policy)
    # 6
    if channel is not None:
        report.keyset.require_channel(channel.spki_sha256, channel.domain)
    return Identity(
        keyset=report.keyset,
        serving=report.serving,
        workload=workload,
        provenance=report.provenance,
        quoted=quoted,
        nonce=nonce,
        proofs=tuple(_proofs(workload, nonce, policy, channel)),
        gaps=tuple(_gaps(report, workload, nonce, policy, channel)),
    )


def _require_binding(report: AciReport, quoted: Quoted, nonce: bytes | None) -> None:
    digest = report.keyset.digest
    if report.keyset_digest != digest:
        raise VerificationError(
            Reason.KEYSET_DIGEST_MISMATCH,
            "workload_keyset_digest",
            expected=digest,
            found=ascii(report.keyset_digest)[:80],
        )
    expected = report_data(digest, nonce)
    found = [("quote", quoted.report_data), ("attestation", report.report_data + bytes(32))]
    if report.evidence.has("quote_report_data"):
        found.append(("evidence", report.evidence.octets("quote_report_data", 64)))
    for where, value in found:
        if value != expected:
            raise VerificationError(
                Reason.REPORT_DATA_MISMATCH,
                f"report data of the {where}",
                expected=f"{expected.hex()} (keyset and nonce)",
                found=value.hex(),
            )


def _require_provenance(provenance: Provenance, workload: Workload, policy: AciPolicy) -> None:
    digest = provenance.image_digest
    if digest is not None and workload.compose is not None:
        measured = {image.digest for image in workload.compose.images}
        if digest not in measured:
            raise VerificationError(
                Reason.PROVENANCE_UNBACKED,
                "image_digest",
                expected="an image of the measured compose document",
                found=ascii(digest)[:100],
            )
        return
    # verify_dstack has compared the pinned hash with the measured one already.
    if policy.expected.compose_hash is None:
        raise VerificationError(
            Reason.PROVENANCE_UNBACKED,
            "source_provenance",
            expected="a measured image digest, or a compose hash you reviewed",
            found="a repository and commit only" if provenance.claimed else "none",
        )


def _require_subject(subject: str | None, workload: Workload, policy: AciPolicy) -> None:
    measured = f"app-id:0x{workload.app_id.hex()}"
    wanted = policy.subject
    if wanted is None and subject is not None and subject.startswith("app-id:"):
        wanted = measured
    if wanted is not None and subject != wanted:
        raise VerificationError(
            Reason.WORKLOAD_MISMATCH,
            "subject",
            expected=ascii(wanted)[:100],
            found=ascii(subject)[:100],
        )


def _proofs(
    workload: Workload, nonce: bytes | None, policy: AciPolicy, channel: Channel | None
) -> Iterator[Proof]:
    yield from workload.proofs
    yield Proof.KEYSET_BOUND
    if nonce is not None:
        yield Proof.FRESH
    yield Proof.PROVENANCE_MEASURED
    if policy.kms_roots:
        yield Proof.CUSTODY_KMS
    if channel is not None:
        yield Proof.CHANNEL_BOUND


def _gaps(
    report: AciReport,
    workload: Workload,
    nonce: bytes | None,
    policy: AciPolicy,
    channel: Channel | None,
) -> Iterator[Gap]:
    yield from workload.gaps
    if nonce is None:
        yield Gap.FRESHNESS
    if None not in (report.provenance.repo_url, report.provenance.repo_commit):
        yield Gap.SOURCE_CLAIM
    yield Gap.CUSTODY
    if report.keyset.subject is not None and policy.subject is None:
        yield Gap.SUBJECT
    if channel is None:
        yield Gap.CHANNEL
