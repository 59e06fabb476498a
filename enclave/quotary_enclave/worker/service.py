"""The worker: one identity, one model, one source of quotes. No HTTP in here."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quotary_enclave.keys import WorkerKeys
from quotary_enclave.model import Answer, Message, Model, QuestionError
from quotary_enclave.worker import aci
from quotary_enclave.worker.chat import ChatIdentity, SigningAlgorithm, signed_text
from quotary_enclave.worker.config import Clock, WorkerConfig
from quotary_enclave.worker.errors import ConfigurationError, RefusalError, WorkerReason
from quotary_enclave.worker.fields import Document, read_document
from quotary_enclave.worker.ledger import Ledger, Served
from quotary_enclave.worker.openai import ChatRequest, Completion
from quotary_enclave.worker.quotes import QuoteSource
from quotary_enclave.worker.reports import Reporter
from quotary_enclave.worker.results import Notary
from quotary_enclave.worker.statements import model_id_of
from quotary_enclave.worker.vault import Vault

__all__ = ["CHAT_ENDPOINT", "ChatReply", "Worker"]

CHAT_ENDPOINT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A finished answer that has not been sent yet: its chunks make up the body."""

    chunks: tuple[bytes, ...]
    stream: bool
    served: Served


class Worker:
    """
    Everything a worker does, for any transport.

    Methods that ask the model or the TEE block; all are safe to call from several threads. They
    raise `WorkerError` and nothing else.
    """

    def __init__(
        self,
        config: WorkerConfig,
        model: Model,
        quotes: QuoteSource,
        *,
        keys: WorkerKeys,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        """
        Put the parts together; with a `vault`, `keys` are its identity.

        Raises `ConfigurationError` where real hardware would be run without an operator.
        """
        if config.operator is None and not quotes.simulated:
            raise ConfigurationError(
                "an operator is needed: without one, whoever asks for a quote could name himself"
            )
        self.config = config
        self.model = model
        self.keys = keys
        self.simulated = quotes.simulated
        self.reports = Reporter(config, keys, quotes, clock)
        self._clock = clock
        self._notary = Notary(config, keys, model, clock, vault)
        self._receipts = aci.Receipts(keys)
        self._ledger = Ledger(config.limits.retained)
        self._started = clock()

    def keyset_digest(self) -> str:
        """The digest of the current ACI keyset."""
        return aci.digest_of(aci.keyset_for(self.keys, self._clock()))

    def identity(self) -> dict[str, Any]:
        """Who this worker is and what it serves; nothing in it is proven without a quote."""
        return {
            "worker": self.keys.result.address,
            "encryptionKey": "0x" + self.keys.encryption_public_key.hex(),
            "operator": self.config.operator,
            "chainId": self.config.chain_id,
            "oracles": sorted(self.config.oracles),
            "simulated": self.simulated,
            "models": [self._model_card()],
        }

    def models(self) -> dict[str, Any]:
        """OpenAI's list of models, each with the hashes of its files."""
        card = self._model_card()
        entry = {
            "id": self.model.name,
            "object": "model",
            "created": self._started,
            "owned_by": "quotary",
        }
        return {"object": "list", "data": [{**entry, "quotary": card}]}

    def _model_card(self) -> dict[str, str]:
        return {
            "name": self.model.name,
            "modelId": "0x" + model_id_of(self.model).hex(),
            "weightsRoot": "0x" + self.model.weights_root.hex(),
            "tokenizerHash": "0x" + self.model.tokenizer_hash.hex(),
            "configHash": "0x" + self.model.config_hash.hex(),
        }

    def chat(self, body: bytes, credential: str | None) -> ChatReply:
        """Answer the chat request in `body`. The reply counts once `record` has been called."""
        request = ChatRequest.read(read_document(body))
        if request.model != self.model.name:
            raise RefusalError(
                WorkerReason.MODEL_NOT_SERVED,
                f"the model served here is {self.model.name}",
                404,
                "model",
            )
        answer = self.ask(request.messages)
        now = self._clock()
        completion = Completion(f"chatcmpl-{secrets.token_hex(12)}", now, request.model, answer)
        chunks = (
            tuple(completion.events(include_usage=request.include_usage))
            if request.stream
            else (completion.body(),)
        )
        exchange = aci.Exchange.direct(
            receipt_id=f"rcpt-{secrets.token_hex(16)}",
            chat_id=completion.chat_id,
            model=request.model,
            keyset_digest=aci.digest_of(aci.keyset_for(self.keys, now)),
            endpoint=CHAT_ENDPOINT,
            served_at=now,
            request=body,
            response=b"".join(chunks),
        )
        text = signed_text(body, b"".join(chunks))
        return ChatReply(chunks, request.stream, Served.record(exchange, text, credential))

    def record(self, reply: ChatReply) -> None:
        """Make the signature and the receipt of `reply` available."""
        self._ledger.add(reply.served)

    def signature(
        self, chat_id: str, algorithm: str | None, credential: str | None
    ) -> dict[str, Any]:
        """The first-generation signature over a served chat."""
        identity = ChatIdentity(self.keys, SigningAlgorithm.read(algorithm))
        served = self._ledger.find(chat_id)
        served.authorise(credential)
        return {
            "text": served.text,
            "signature": identity.sign(served.text),
            "signing_address": identity.signing_address,
            "signing_algo": identity.algorithm.value,
        }

    def receipt(
        self, identifier: str, algorithm: str | None, credential: str | None
    ) -> dict[str, Any]:
        """The ACI receipt of a served chat, signed with the key that `algorithm` selects."""
        try:
            chosen = aci.ReceiptAlgorithm(algorithm or aci.ReceiptAlgorithm.ED25519)
        except ValueError as error:
            names = ", ".join(aci.ReceiptAlgorithm)
            raise RefusalError(
                WorkerReason.BAD_FIELD, f"algo is one of {names}", param="algo"
            ) from error
        served = self._ledger.find(identifier)
        served.authorise(credential)
        return self._receipts.sign(served.exchange, chosen)

    def result(self, document: Document) -> dict[str, Any]:
        """A signed result for the request in `document`; see `Notary.notarise`."""
        signed = self._notary.notarise(document, self.ask)
        return {**signed.as_json(), "simulated": self.simulated}

    def batch(self, document: Document) -> dict[str, Any]:
        """Many answers under one signature; see `Notary.answer_many`."""
        return {**self._notary.answer_many(document, self.ask), "simulated": self.simulated}

    def commitment(self, document: Document) -> dict[str, Any]:
        """A commitment to the answer to the request in `document`; see `Notary.commit`."""
        return {**self._notary.commit(document, self.ask), "simulated": self.simulated}

    def reveal(self, document: Document) -> dict[str, Any]:
        """A signed result for the closed round in `document`; see `Notary.reveal`."""
        return {**self._notary.reveal(document).as_json(), "simulated": self.simulated}

    def ask(self, messages: Sequence[Message]) -> Answer:
        """Ask the model. Raises `RefusalError` with the model's own reason."""
        try:
            return self.model.answer(messages)
        except QuestionError as error:
            raise RefusalError(error.reason, error.detail) from error
