"""First-generation chat gateways: an address in a quote, and a signature over two hashes."""

from __future__ import annotations

from hashlib import sha256

from eth_account import Account
from eth_account.messages import encode_defunct
from quotary.cli.gateway import chat_id_of
from quotary.errors import Reason, VerificationError
from quotary.workloads import ChatReport, ChatSignature, signed_text, verify_chat, verify_signer
from quotary.workloads.chat import SigningAlgorithm
from quotary.workloads.live import Answer, Gateway

from quotary_bridge.gateways.folder import Answered, Challenged, Paper
from quotary_bridge.gateways.speech import Demands, Judge, Signed, Signer, Statements
from quotary_bridge.model import Address, Bytes32, address_from

__all__ = ["ChatSpeech"]

_ALGORITHM = SigningAlgorithm.ECDSA
"""The other one's keys are no addresses: no contract takes them."""


class ChatSpeech:
    """What `Speech` says, for the first generation."""

    def fetch_report(self, gateway: Gateway, nonce: bytes) -> Answer:
        """`GET /v1/attestation/report`."""
        return gateway.chat_report(nonce, _ALGORITHM)

    def claimed(self, report: bytes) -> tuple[tuple[Address | None, bytes | None], ...]:
        """One address for each node."""
        return tuple((key, None) for key in dict.fromkeys(_addresses(ChatReport.parse(report))))

    def signers(self, challenged: Challenged, demands: Demands) -> tuple[Signer, ...]:
        """Verify every node: any of them may answer."""
        judge = Judge(demands.check)
        report = ChatReport.parse(challenged.report)
        found: dict[Address, Signer] = {}
        for key, attestation in zip(_addresses(report), report.attestations, strict=True):
            signer = verify_signer(
                attestation,
                judge,
                nonce=challenged.nonce,
                app_compose=demands.app_compose,
                expected=demands.expected,
            )
            found.setdefault(key, Signer(attestation.quote, signer.quoted, key, None))
        return tuple(found.values())

    def ask(self, gateway: Gateway, request: bytes) -> Answered:
        """`POST /v1/chat/completions`."""
        answer = gateway.chat(request)
        return Answered(chat_id_of(answer.body), answer.spki_sha256, request, answer.body)

    def fetch_signed(
        self,
        gateway: Gateway,
        answered: Answered,
        report: bytes,  # noqa: ARG002 (the other generation chooses a key from it)
        algorithm: str | None,  # noqa: ARG002
    ) -> Paper:
        """`GET /v1/signature/{chat_id}`."""
        return Paper(gateway.chat_signature(answered.identifier, _ALGORITHM).body, None)

    def verify(
        self,
        challenged: Challenged,
        answered: Answered,
        paper: Paper,
        demands: Demands,
    ) -> Statements:
        """Report, signature and bodies together."""
        return verify_chat(
            ChatReport.parse(challenged.report),
            ChatSignature.parse(paper.document),
            answered.request,
            answered.response,
            demands.check,
            nonce=challenged.nonce,
            app_compose=demands.app_compose,
            expected=demands.expected,
        )

    def sections(self, found: Statements) -> dict[str, dict[str, object]]:  # noqa: ARG002
        """Nothing: signature and hashes are all there is."""
        return {}

    def signed(self, report: bytes, answered: Answered, signed: bytes) -> Signed:
        """The signature, by a key of the report, over the hashes of exactly these bodies."""
        signature = ChatSignature.parse(signed)
        key = address_from(ChatReport.parse(report).of(signature).identity)
        text = signed_text(answered.request, answered.response)
        message = encode_defunct(text=text)
        try:
            recovered = Account.recover_message(message, signature=signature.signature)
        except Exception as error:
            raise _not_signed(key) from error
        if recovered != key:
            raise _not_signed(key)
        return Signed(
            Bytes32(sha256(answered.request).digest()),
            Bytes32(sha256(answered.response).digest()),
            signature.signature,
            key,
        )


def _addresses(report: ChatReport) -> list[Address]:
    """The nodes' addresses; raises `VerificationError` where one signs by another algorithm."""
    for attestation in report.attestations:
        if attestation.algorithm is not _ALGORITHM:
            raise VerificationError(
                Reason.SIGNER_MISMATCH,
                "signing_algo",
                expected=f"{_ALGORITHM}, as asked: no contract takes keys of another",
                found=str(attestation.algorithm),
            )
    return [address_from(attestation.identity) for attestation in report.attestations]


def _not_signed(key: Address) -> VerificationError:
    return VerificationError(
        Reason.MESSAGE_SIGNATURE_INVALID, "chat signature", expected=f"one made by {key}"
    )
