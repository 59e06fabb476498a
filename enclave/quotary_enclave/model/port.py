"""What the worker asks of a model, whichever model it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

__all__ = ["Answer", "Message", "Model", "Sha256", "Units"]

Sha256 = NewType("Sha256", bytes)
"""A SHA-256 digest, 32 bytes."""

Units = NewType("Units", int)
"""Metered work: tokens read."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as OpenAI's chat format has it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a model said, and how many tokens it read and wrote to say so.

    `label` is the class that the answer falls into, `number` the number it comes to: what answers
    of several workers may be compared by, where the model knows such a thing.
    """

    text: str
    units: Units
    written: Units
    label: str | None = None
    number: int | None = None


class Model(Protocol):
    """
    A model the worker can serve.

    Implementations are safe to call from several threads at once, and deterministic: the same
    messages give the same text on every machine, or quorums over results could never form.

    Warning: whoever asks a worker twice about one request gets two signed answers. If they differ,
    they are two outputs for one question, and end the worker for ever.
    """

    @property
    def name(self) -> str:
        """What `model` in a chat request must say."""
        ...

    @property
    def weights_root(self) -> Sha256:
        """SHA-256 of the weights file as it was read into memory."""
        ...

    @property
    def tokenizer_hash(self) -> Sha256:
        """SHA-256 of the tokenizer's definition as it was read into memory."""
        ...

    @property
    def config_hash(self) -> Sha256:
        """SHA-256 of the model's configuration as it was read into memory."""
        ...

    def answer(self, messages: Sequence[Message]) -> Answer:
        """Answer the conversation. Raises `QuestionError` for what it cannot answer."""
        ...
