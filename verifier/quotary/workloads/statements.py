"""
What evidence proves and what it does not: one catalogue, for people and for programs.

A verification that succeeds still says less than a reader may hope. Every result carries both
lists, so that nobody has to know the protocols to know their limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Gap", "Proof", "Statement"]


class Proof(StrEnum):
    """What was established; the value is the stable code."""

    GENUINE_TEE = "GENUINE_TEE"
    EVENT_LOG = "EVENT_LOG"
    COMPOSE_HASH = "COMPOSE_HASH"
    IMAGES_PINNED = "IMAGES_PINNED"
    OS_MEASUREMENTS = "OS_MEASUREMENTS"
    EXPECTED_REPORT_DATA = "EXPECTED_REPORT_DATA"
    SIGNER_IN_TEE = "SIGNER_IN_TEE"
    FRESH = "FRESH"
    BODIES_SIGNED = "BODIES_SIGNED"
    KEYSET_BOUND = "KEYSET_BOUND"
    PROVENANCE_MEASURED = "PROVENANCE_MEASURED"
    CUSTODY_KMS = "CUSTODY_KMS"
    CHANNEL_BOUND = "CHANNEL_BOUND"
    RECEIPT_SIGNED = "RECEIPT_SIGNED"
    REFUSAL_SIGNED = "REFUSAL_SIGNED"
    FORWARDED_UNCHANGED = "FORWARDED_UNCHANGED"
    SESSION_RECORD = "SESSION_RECORD"


class Gap(StrEnum):
    """What remains unproven; the value is the stable code."""

    HARDWARE = "HARDWARE"
    OS_IDENTITY = "OS_IDENTITY"
    OS_IMAGE_CLAIM = "OS_IMAGE_CLAIM"
    COMPOSE_IN_CONFIG = "COMPOSE_IN_CONFIG"
    IMAGES_UNKNOWN = "IMAGES_UNKNOWN"
    IMAGES_UNPINNED = "IMAGES_UNPINNED"
    SCRIPTS = "SCRIPTS"
    ENVIRONMENT = "ENVIRONMENT"
    KEYS_NOT_PERSISTENT = "KEYS_NOT_PERSISTENT"
    CODE = "CODE"
    CODE_INTENT = "CODE_INTENT"
    FRESHNESS = "FRESHNESS"
    MODEL = "MODEL"
    REQUEST_IDENTITY = "REQUEST_IDENTITY"
    TIME = "TIME"
    CALLER_HASH = "CALLER_HASH"
    GPU = "GPU"
    OTHER_NODES = "OTHER_NODES"
    CHANNEL = "CHANNEL"
    SOURCE_CLAIM = "SOURCE_CLAIM"
    CUSTODY = "CUSTODY"
    SUBJECT = "SUBJECT"
    CLAIMS = "CLAIMS"
    REWRITTEN = "REWRITTEN"
    UPSTREAM = "UPSTREAM"
    UPSTREAM_UNVERIFIED = "UPSTREAM_UNVERIFIED"
    RECEIPT_TIME = "RECEIPT_TIME"


_TEXTS = {
    Proof.GENUINE_TEE: "A genuine TEE made the quote, and the collateral and policy accept it.",
    Proof.EVENT_LOG: "The event log is the one measured into RTMR0-3 of the quote.",
    Proof.COMPOSE_HASH: "The measured compose hash is that of the document, or the one you gave.",
    Proof.IMAGES_PINNED: "Every container image is named by digest in the measured compose file.",
    Proof.OS_MEASUREMENTS: "Firmware and OS measurements equal the ones you gave.",
    Proof.EXPECTED_REPORT_DATA: "All 64 bytes of report data equal the ones you gave.",
    Proof.SIGNER_IN_TEE: "The quote binds the key that signed: all 64 bytes of report data agree.",
    Proof.FRESH: "The quote was made after your nonce was.",
    Proof.BODIES_SIGNED: "The attested key signed the hashes of exactly these two bodies.",
    Proof.KEYSET_BOUND: "The quote binds exactly this keyset, and it has not expired.",
    Proof.PROVENANCE_MEASURED: "The claimed image or compose document is backed by a measurement.",
    Proof.CUSTODY_KMS: "An accepted KMS root released the receipt key's secret to this app.",
    Proof.CHANNEL_BOUND: "The TLS key observed is one that the keyset lists.",
    Proof.RECEIPT_SIGNED: (
        "A receipt key of the keyset signed the hashes of exactly these two bodies."
    ),
    Proof.REFUSAL_SIGNED: "The service refused: it says the prompt was not forwarded.",
    Proof.FORWARDED_UNCHANGED: "The service says it used the request bytes as they came.",
    Proof.SESSION_RECORD: "The session is the very record the receipt cites, evidence included.",
    Gap.HARDWARE: (
        "HARDWARE WAS NOT CHECKED: anybody can write such a quote; nothing here proves a TEE."
    ),
    Gap.OS_IDENTITY: (
        "Which OS runs: give MRTD and RTMR0-2 of an image you reproduced. All events in the log "
        "are the word of that OS."
    ),
    Gap.OS_IMAGE_CLAIM: "The OS image hash in the VM configuration: it is the host's word.",
    Gap.COMPOSE_IN_CONFIG: "The compose hash before boot: MRCONFIGID is zero, only RTMR3 has it.",
    Gap.IMAGES_UNKNOWN: "Which images run: only the compose hash was given, not the document.",
    Gap.IMAGES_UNPINNED: "Which code some images are: they are named by tag, as you allowed.",
    Gap.SCRIPTS: "What the compose document's own scripts do: they are measured, not looked into.",
    Gap.ENVIRONMENT: "The values of environment variables that the operator may set.",
    Gap.KEYS_NOT_PERSISTENT: "Keys that outlive a restart: the guest has no key provider.",
    Gap.CODE: "Which code runs: the report carries no event log to identify it by.",
    Gap.CODE_INTENT: "That the measured code does what it should: read it, or trust who did.",
    Gap.FRESHNESS: "When the quote was made: you gave no nonce of your own.",
    Gap.MODEL: "Which model and weights answered, and that the answer is right.",
    Gap.REQUEST_IDENTITY: "A request id, a chain or a contract: none is in the signed text.",
    Gap.TIME: "When the signature was made: an old answer to the same request looks the same.",
    Gap.CALLER_HASH: (
        "That the gateway hashed the request itself: these gateways sign a hash the caller sends "
        "in X-Request-Hash."
    ),
    Gap.GPU: "The GPU: NVIDIA's payload was not verified, only shown.",
    Gap.OTHER_NODES: "The other nodes in the report: only the one that signed was checked.",
    Gap.CHANNEL: "That your connection ended inside the TEE: no TLS key of yours was compared.",
    Gap.SOURCE_CLAIM: "That repository and commit built what runs: this is the service's word.",
    Gap.CUSTODY: "That the private keys never left the TEE: this rests on the measured code.",
    Gap.SUBJECT: "The subject in the keyset: a name the service gave itself.",
    Gap.CLAIMS: "Claims of the session that are unknown or refuted: see the list.",
    Gap.REWRITTEN: "What was asked in the end: the service rewrote the request before using it.",
    Gap.UPSTREAM: "The upstream itself: the session is the aggregator's word about it.",
    Gap.UPSTREAM_UNVERIFIED: "Anything about the upstream: it was not verified, as you allowed.",
    Gap.RECEIPT_TIME: "When it was served: the time in the receipt is the service's word.",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing proven or not: a stable code, and a sentence that is not."""

    code: Proof | Gap

    @property
    def text(self) -> str:
        """The sentence for people."""
        return _TEXTS[self.code]

    def to_json(self) -> dict[str, str]:
        """The code and its sentence."""
        return {"code": self.code.value, "text": self.text}
