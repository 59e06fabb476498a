"""
An advisor that answers a question by choosing the option nearest to it in meaning.

WHAT THIS MODEL IS. A sentence encoder of 22 million parameters. It measures how close two texts
are in meaning; it does not reason, count, check facts or understand negation well, and whoever
writes the question can move its choice by choosing words. It serves to show a real model with
real weights under attestation, and suits triage and tagging; it should not decide by itself over
anything of value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np

from quotary_enclave.model.errors import ModelReason, QuestionError
from quotary_enclave.model.port import Answer, Message, Sha256, Units
from quotary_enclave.model.prompt import Option, Question, parse_question
from quotary_enclave.model.weights import MAX_TEXT_TOKENS, SentenceEncoder

__all__ = ["CLEAR_MARGIN", "DEFAULT_OPTIONS", "SemanticAdvisor"]

CLEAR_MARGIN: Final = 0.02
"""Options closer than this to the best are tied; the first one listed wins, and says it is not
clear. Below it, the order of two options is noise of wording."""

DEFAULT_OPTIONS: Final = (
    Option(
        "needs discussion",
        (
            "The request is vague, gives no details, and leaves open what it is for.",
            "It is unclear how much this costs or who does the work; more information is needed.",
            "Do something good for the community; the details will follow later.",
        ),
    ),
    Option(
        "approve",
        (
            "A useful request with a clear scope, a reasonable budget and accountable people.",
            "Pay for an independent security audit, for maintenance, or for documentation.",
            "Fund development work in milestones, with public reports to the community.",
        ),
    ),
    Option(
        "reject",
        (
            "Send the entire treasury to an anonymous address immediately, without oversight.",
            "Remove all safeguards and give one person full control over the funds.",
            "A scam that promises guaranteed profits and enriches its author.",
        ),
    ),
)
"""What is chosen from when a question lists no options. The cautious one stands first: it wins
ties."""


class SemanticAdvisor:
    """A `Model` that chooses; see this module's introduction for what its choices are worth."""

    name: Final = "quotary-advisor-minilm-l6-v2"

    def __init__(self, encoder: SentenceEncoder | None = None) -> None:
        """Use `encoder`, or the installed weights. Raises `ModelUnavailableError`."""
        self._encoder = encoder or SentenceEncoder()

    @property
    def weights_root(self) -> Sha256:
        """SHA-256 of `model.safetensors`."""
        return self._encoder.weights_root

    @property
    def tokenizer_hash(self) -> Sha256:
        """SHA-256 of `tokenizer.json`."""
        return self._encoder.tokenizer_hash

    @property
    def config_hash(self) -> Sha256:
        """SHA-256 of `config.json`."""
        return self._encoder.config_hash

    def answer(self, messages: Sequence[Message]) -> Answer:
        """
        Choose an option.

        The text is `{"choice":"<label>","clear":<bool>,"score":"<two decimals>"}` with exactly
        this layout, so a contract can compare its head; or the bare label where the question says
        `Reply: label`. `score` is the cosine of question and option; `clear` says that no other
        option came within `CLEAR_MARGIN`. Raises `QuestionError`.
        """
        question = parse_question(messages)
        scores, units = self._scores(question)
        best = max(score for _, score in scores)
        near = [(label, score) for label, score in scores if score > best - CLEAR_MARGIN]
        label, score = near[0]
        text = label if question.bare else _statement(label, score, clear=len(near) == 1)
        return Answer(text, units, self._encoder.count(text), label, _hundredths(score))

    def _scores(self, question: Question) -> tuple[list[tuple[str, float]], Units]:
        options = question.options or DEFAULT_OPTIONS
        self._require_bounded([question.text, *(text for o in options for text in o.meanings)])
        asked, units = self._encoder.embed(question.text)
        scores = []
        for option in options:
            cosines = []
            for meaning in option.meanings:
                vector, read = self._encoder.embed(meaning)
                cosines.append(float(np.dot(asked, vector)))
                units = Units(units + read)
            scores.append((option.label, max(cosines)))
        return scores, units

    def _require_bounded(self, texts: Sequence[str]) -> None:
        # The sum counts: sixteen options of the greatest length would take a core for a minute.
        total = sum(self._encoder.count(text) for text in texts)
        if total > MAX_TEXT_TOKENS:
            raise QuestionError(
                ModelReason.QUESTION_TOO_LONG,
                f"{total} tokens in question and options, at most {MAX_TEXT_TOKENS}",
            )


def _statement(label: str, score: float, *, clear: bool) -> str:
    rounded = f"{_hundredths(score) / 100:.2f}"
    document = {"choice": label, "clear": clear, "score": rounded}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _hundredths(score: float) -> int:
    """Return what the answer shows of `score`: two decimals, as whole hundredths."""
    return round(round(score, 2) * 100)
