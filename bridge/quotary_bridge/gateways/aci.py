"""ACI services: a keyset in a quote, and receipts by its keys."""

from __future__ import annotations

from hashlib import sha256

from eth_utils.crypto import keccak
from quotary.cli.aci import exchange_sections
from quotary.cli.gateway import chat_id_of
from quotary.errors import Reason, VerificationError
from quotary.workloads.aci import (
    AciPolicy,
    AciReceipt,
    AciReport,
    Channel,
    Exchange,
    Identity,
    Keyset,
    ReceiptAlgorithm,
    ReceiptKey,
    ReceiptPolicy,
    verify_receipt,
    verify_report,
)
from quotary.workloads.live import Answer, Gateway

from quotary_bridge.gateways.folder import Answered, Challenged, Paper
from quotary_bridge.gateways.speech import Demands, Judge, Signed, Signer, Statements
from quotary_bridge.model import Address, Bytes32, address_from

__all__ = ["AciSpeech", "signed_receipt"]

_RECEIPT_ID = "x-receipt-id"
_ADDRESS_BYTES = 20
_POINT_BYTES = 65
"""The one form in which `AciLib` reads a point; signatures recover to it as well."""


class AciSpeech:
    """What `Speech` says, for `aci/1`."""

    def fetch_report(self, gateway: Gateway, nonce: bytes) -> Answer:
        """`GET /v1/aci/attestation`."""
        return gateway.aci_report(nonce)

    def claimed(self, report: bytes) -> tuple[tuple[Address | None, bytes | None], ...]:
        """The one keyset."""
        keyset = AciReport.parse(report).keyset
        return ((_address(keyset), keyset.canonical),)

    def signers(self, challenged: Challenged, demands: Demands) -> tuple[Signer, ...]:
        """Verify the report."""
        judge = Judge(demands.check)
        identity = _identity(challenged, challenged.tls_key, demands, judge)
        quote = judge.quotes[identity.quoted.quote_hash]
        keyset = identity.keyset
        return (Signer(quote, identity.quoted, _address(keyset), keyset.canonical),)

    def ask(self, gateway: Gateway, request: bytes) -> Answered:
        """`POST /v1/chat/completions`."""
        answer = gateway.chat(request)
        identifier = answer.headers.get(_RECEIPT_ID) or chat_id_of(answer.body)
        return Answered(identifier, answer.spki_sha256, request, answer.body)

    def fetch_signed(
        self, gateway: Gateway, answered: Answered, report: bytes, algorithm: str | None
    ) -> Paper:
        """`GET /v1/aci/receipts/{id}`, and `GET /v1/aci/sessions/{id}` where it cites one."""
        key = _chosen(AciReport.parse(report).keyset, algorithm)
        receipt = gateway.aci_receipt(answered.identifier, None if key is None else key.key_id)
        upstream = AciReceipt.parse(receipt.body).upstream
        session = None
        if upstream is not None and upstream.session_id is not None:
            session = gateway.aci_session(upstream.session_id).body
        return Paper(receipt.body, session)

    def verify(
        self,
        challenged: Challenged,
        answered: Answered,
        paper: Paper,
        demands: Demands,
    ) -> Statements:
        """Report, channel, receipt, bodies and session together."""
        identity = _identity(challenged, answered.tls_key, demands, Judge(demands.check))
        return verify_receipt(
            AciReceipt.parse(paper.document),
            identity,
            answered.request,
            answered.response,
            session=paper.session,
            policy=ReceiptPolicy(
                allow_unverified_upstream=demands.allow_unverified_upstream,
                session_ids=demands.session_ids,
            ),
        )

    def sections(self, found: Statements) -> dict[str, dict[str, object]]:
        """The receipt, and the session with its claims."""
        return exchange_sections(found) if isinstance(found, Exchange) else {}

    def signed(self, report: bytes, answered: Answered, signed: bytes) -> Signed:
        """The receipt, by a key of the report's keyset, over exactly these bodies."""
        receipt, algorithm = signed_receipt(report, signed)
        hashes = [sha256(body).digest() for body in (answered.request, answered.response)]
        for item, found, expected in (
            ("request.received", receipt.received, hashes[0]),
            ("response.returned", receipt.returned, hashes[1]),
        ):
            _require_equal(Reason.BODY_HASH_MISMATCH, item, found, f"sha256:{expected.hex()}")
        return Signed(
            Bytes32(hashes[0]),
            Bytes32(hashes[1]),
            receipt.signature,
            document=receipt.signed,
            attested=algorithm is ReceiptAlgorithm.ED25519,
        )


def signed_receipt(report: bytes, receipt: bytes) -> tuple[AciReceipt, ReceiptAlgorithm]:
    """
    Return a receipt that a key of the report's keyset signed, and by which algorithm.

    Raises `ParseError` or `VerificationError`. What bodies it is about is not asked: whoever
    vouches for a signature need not see them.
    """
    keyset, parsed = AciReport.parse(report).keyset, AciReceipt.parse(receipt)
    key = keyset.receipt_key(parsed.key_id)
    key.verify(parsed.signed, parsed.signature)
    _require_equal(Reason.KEYSET_DIGEST_MISMATCH, "receipt", parsed.keyset_digest, keyset.digest)
    return parsed, key.algorithm


def _identity(
    challenged: Challenged, tls_key: bytes | None, demands: Demands, judge: Judge
) -> Identity:
    """Verify the report, and that the TLS key that spoke is one of the keyset's."""
    channel = None
    if tls_key is not None and not demands.allow_unbound_channel:
        channel = Channel(tls_key, demands.host)
    return verify_report(
        AciReport.parse(challenged.report),
        judge,
        nonce=challenged.nonce,
        at=demands.at,
        policy=AciPolicy(
            expected=demands.expected, kms_roots=demands.kms_roots, subject=demands.subject
        ),
        channel=channel,
    )


def _of(keyset: Keyset, algorithm: ReceiptAlgorithm) -> ReceiptKey | None:
    """A key that can sign by this algorithm."""
    for key in keyset.receipt_keys:
        compressed = len(key.public_key) != _POINT_BYTES
        if key.algorithm is algorithm and not (
            algorithm is ReceiptAlgorithm.SECP256K1 and compressed
        ):
            return key
    return None


def _chosen(keyset: Keyset, algorithm: str | None) -> ReceiptKey | None:
    """The key to ask a receipt of; one that the chain can check, unless another is wanted."""
    if algorithm is None:
        return _of(keyset, ReceiptAlgorithm.SECP256K1)
    found = _of(keyset, ReceiptAlgorithm(algorithm))
    if found is None:
        raise VerificationError(
            Reason.KEY_UNKNOWN,
            "receipt_signing_keys",
            expected=f"a key of the algorithm {algorithm}",
            found=", ".join(key.algorithm for key in keyset.receipt_keys) or "none known",
        )
    return found


def _address(keyset: Keyset) -> Address | None:
    """The address of the key that a contract can check, as `AciLib` reads it."""
    key = _of(keyset, ReceiptAlgorithm.SECP256K1)
    if key is None:
        return None
    return address_from(keccak(key.public_key[1:])[-_ADDRESS_BYTES:])


def _require_equal(reason: Reason, item: str, found: str, expected: str) -> None:
    if found != expected:
        raise VerificationError(reason, item, expected=expected, found=ascii(found)[:80])
