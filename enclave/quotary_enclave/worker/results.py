"""Results for the chain: an input in, an output and a signed statement about it out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from quotary_enclave.keys import WorkerKeys
from quotary_enclave.model import Answer, Message, Model
from quotary_enclave.worker import bounded_json
from quotary_enclave.worker.batches import MAX_ANSWERS, Answered, Batch, leaf_of, root_of
from quotary_enclave.worker.config import Clock, WorkerConfig
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import (
    Bytes32,
    Document,
    read_address,
    read_bytes,
    read_bytes32,
    read_documents,
    read_uint,
)
from quotary_enclave.worker.memory import Memory
from quotary_enclave.worker.openai import read_messages
from quotary_enclave.worker.rounds import (
    NO_ROUND,
    Pledge,
    Pledges,
    already_revealed,
    decision_of,
    read_round,
    require_before,
)
from quotary_enclave.worker.statements import Result, ResultDomain, SignedResult, model_id_of
from quotary_enclave.worker.terms import Rule, Terms, bad_terms
from quotary_enclave.worker.vault import Vault

__all__ = ["LIFETIME_LIMIT", "Notary", "messages_of"]

LIFETIME_LIMIT: Final = 31 * 24 * 3600
"""Seconds a request may have left: the contract gives it 30 days at most, and clocks differ."""

Ask = Callable[[Sequence[Message]], Answer]
"""Asks the model; raises `WorkerError` for a question it refuses."""


def messages_of(content: bytes) -> tuple[Message, ...]:
    """
    The conversation in an on-chain input: UTF-8 text, or OpenAI messages as JSON.

    JSON counts as messages when it is a list, or an object with `messages`, of well-formed
    messages; any other text is one user message, as it stands. Raises
    `RefusalError(INPUT_NOT_TEXT)`.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise RefusalError(
            WorkerReason.INPUT_NOT_TEXT, "the input is not UTF-8", param="input"
        ) from error
    plain = (Message("user", text),)
    if not text.lstrip().startswith(("[", "{")):
        return plain
    try:
        document = bounded_json.loads(text)
        return read_messages(document["messages"] if isinstance(document, dict) else document)
    except (ValueError, KeyError, RefusalError):
        return plain


@dataclass(frozen=True, slots=True)
class Notary:
    """
    Runs the model on a request's input and signs what came out.

    The signature says which weights answered which input for which request. It does not say that
    the answer is right, nor that the request exists: the oracle checks that. The deadline is held
    against a clock the host can set; the oracle enforces it.
    """

    config: WorkerConfig
    keys: WorkerKeys
    model: Model
    clock: Clock
    vault: Vault | None = None
    pledges: Pledges = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no answers but those in the vault."""
        memory = Memory(self.config.limits.kept_bytes)
        entries = memory if self.vault is None else self.vault
        object.__setattr__(self, "pledges", Pledges(self.clock, entries))

    def notarise(self, document: Document, ask: Ask) -> SignedResult:
        """
        Answer and sign; whoever asks again gets the same answer.

        `document`: `terms, input, oracle, chainId`. Raises `WorkerError`: malformed fields, a
        request for several workers, a chain, an oracle or a model not served, an input too large
        or not text, a deadline that has passed (before or while the model ran) or is too far away,
        more answers than can be kept.
        """
        domain = self._domain(document)
        terms, content = self._asked(document, domain)
        if terms.results != 1:
            raise bad_terms("a request that one worker answers")
        self._require_before(terms.deadline)
        pledge = self.pledges.find(domain, terms.request_id)
        if pledge is None:
            self._admit(terms.model_id, terms.deadline, content)
            answer = ask(messages_of(content))
            # One worker's answer is compared with nobody's, in no round.
            alone = self._pledge(terms, answer, Rule.EXACT, NO_ROUND)
            pledge = self.pledges.keep(domain, alone)
        return SignedResult.sign(domain, pledge.unsigned, pledge.output, self.keys)

    def answer_many(self, document: Document, ask: Ask) -> dict[str, Any]:
        """
        Answer every request, and sign the root over all answers.

        `document`: `requests[{requestId, input}], appId, modelId, deadline, oracle, chainId`, where
        the oracle is a BatchOracle. One request that is refused has the whole batch refused. Raises
        `WorkerError` as `notarise` does.
        """
        domain = self._domain(document)
        model_id = read_bytes32(document, "modelId")
        deadline = read_uint(document, "deadline", 64)
        asked = read_documents(document, "requests", MAX_ANSWERS)
        for request in asked:
            self._admit(model_id, deadline, read_bytes(request, "input"))
        answers, leaves = [], []
        for request in asked:
            request_id, content = read_bytes32(request, "requestId"), read_bytes(request, "input")
            answer = ask(messages_of(content))
            output = answer.text.encode()
            commitment, output_hash = (Bytes32(sha256(part).digest()) for part in (content, output))
            leaves.append(leaf_of(request_id, commitment, output_hash, answer.units))
            answers.append(Answered(request_id, output, answer.units))
        self._require_before(deadline)
        batch = Batch(
            app_id=read_bytes32(document, "appId"),
            model_id=model_id,
            weights_root=Bytes32(self.model.weights_root),
            root=root_of(leaves),
            count=len(leaves),
            key_epoch=0,
            policy_version=0,
            worker=self.keys.result.address,
            nonce=secrets.randbits(256),
            deadline=deadline,
        )
        digest = batch.digest(domain.chain_id, domain.oracle)
        return {
            "batch": batch.as_json(),
            "answers": [answered.as_json() for answered in answers],
            "signature": "0x" + self.keys.result.sign_digest(digest).hex(),
            "digest": "0x" + digest.hex(),
            "chainId": domain.chain_id,
            "oracle": domain.oracle,
        }

    def commit(self, document: Document, ask: Ask) -> dict[str, Any]:
        """
        Answer, and show no more of it than a commitment.

        `document`: `terms, input, oracle, chainId`. The same request is answered once: asked again,
        the commitment is the same. Raises `WorkerError` as `notarise` does, and for a rule that the
        model's answers cannot be compared by.
        """
        domain = self._domain(document)
        terms, content = self._asked(document, domain)
        if terms.results == 1:
            raise bad_terms("a request that several workers answer")
        pledge = self.pledges.find(domain, terms.request_id)
        if pledge is None:
            self._admit(terms.model_id, terms.deadline, content)
            answer = ask(messages_of(content))
            pledge = self.pledges.keep(domain, self._pledge(terms, answer, terms.rule))
        if pledge.revealed is not None:
            raise already_revealed()
        return {
            "requestId": "0x" + terms.request_id.hex(),
            "worker": self.keys.result.address,
            "commitment": "0x" + pledge.commitment.hex(),
            "chainId": domain.chain_id,
            "oracle": domain.oracle,
        }

    def reveal(self, document: Document) -> SignedResult:
        """
        Sign the answer that was committed to, for a closed round.

        `document`: `requestId, round, oracle, chainId`. Raises `WorkerError`.
        """
        domain = self._domain(document)
        request_id, commitments = read_bytes32(document, "requestId"), read_round(document)
        result, output = self.pledges.reveal(domain, request_id, commitments)
        return SignedResult.sign(domain, result, output, self.keys)

    def _asked(self, document: Document, domain: ResultDomain) -> tuple[Terms, bytes]:
        """The terms in `document`, and the input they commit to."""
        terms = Terms.read(document, domain)
        content = read_bytes(document, "input")
        if Bytes32(sha256(content).digest()) != terms.input_commitment:
            raise RefusalError(
                WorkerReason.BAD_FIELD, "input must be what the terms commit to", param="input"
            )
        # An answer is kept until then, and what is made up must not be kept for ever.
        latest = self.clock() + LIFETIME_LIMIT
        if terms.deadline > latest:
            raise RefusalError(
                WorkerReason.DEADLINE_OUT_OF_RANGE,
                f"{terms.deadline} is later than {latest}: no request lives that long",
                param="deadline",
            )
        return terms, content

    def _pledge(
        self, terms: Terms, answer: Answer, rule: Rule, shown: Bytes32 | None = None
    ) -> Pledge:
        output = answer.text.encode()
        unsigned = Result(
            request_id=terms.request_id,
            app_id=terms.app_id,
            model_id=terms.model_id,
            weights_root=Bytes32(self.model.weights_root),
            input_commitment=terms.input_commitment,
            output_hash=Bytes32(sha256(output).digest()),
            decision=decision_of(answer, rule),
            round=NO_ROUND,
            key_epoch=0,
            policy_version=0,
            worker=self.keys.result.address,
            units=answer.units,
            nonce=secrets.randbits(256),
            deadline=terms.deadline,
        )
        return Pledge(terms, unsigned, output, shown)

    def _domain(self, document: Document) -> ResultDomain:
        domain = ResultDomain(read_uint(document, "chainId", 256), read_address(document, "oracle"))
        if self.config.chain_id not in (None, domain.chain_id):
            raise RefusalError(
                WorkerReason.CHAIN_NOT_SERVED,
                f"chain {domain.chain_id} is not served",
                403,
                "chainId",
            )
        served = {oracle.lower() for oracle in self.config.oracles}
        if served and domain.oracle.lower() not in served:
            raise RefusalError(
                WorkerReason.ORACLE_NOT_SERVED, f"{domain.oracle} is not served", 403, "oracle"
            )
        return domain

    def _admit(self, model_id: Bytes32, deadline: int, content: bytes) -> None:
        served = model_id_of(self.model)
        if model_id != served:
            raise RefusalError(
                WorkerReason.MODEL_NOT_SERVED,
                f"the model served here is 0x{served.hex()}",
                404,
                "modelId",
            )
        if len(content) > self.config.limits.input_bytes:
            raise RefusalError(
                WorkerReason.INPUT_TOO_LARGE,
                f"{len(content)} bytes, at most {self.config.limits.input_bytes}",
                413,
                "input",
            )
        self._require_before(deadline)

    def _require_before(self, deadline: int) -> None:
        require_before(deadline, self.clock())
