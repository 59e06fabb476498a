"""
OpenAI's chat format: requests in, completions and event streams out.

Source: OpenAI API reference, "Chat completions". Sampling parameters are accepted and have no
effect: the model is deterministic. One choice is given; `n` above 1 is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from quotary_enclave.model import Answer, Message
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import Document

__all__ = [
    "MAX_MESSAGES",
    "ChatRequest",
    "Completion",
    "encode",
    "read_messages",
]

MAX_MESSAGES = 256
"""Bounds the loop over messages; conversations this long exceed the model's text long before."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat request asks of this worker."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool

    @classmethod
    def read(cls, document: Document) -> ChatRequest:
        """The request in `document`. Raises `RefusalError`."""
        model = document.get("model")
        if not isinstance(model, str) or not model:
            raise _bad("model", "the name of a model")
        if document.get("n", 1) != 1:
            raise _bad("n", "1: one choice is all there is")
        stream = document.get("stream") or False
        if not isinstance(stream, bool):
            raise _bad("stream", "true or false")
        _read_constraints(document.get("provider"))
        options = document.get("stream_options")
        usage = options.get("include_usage") if isinstance(options, dict) else False
        return cls(model, read_messages(document.get("messages")), stream, usage is True)


def read_messages(value: object) -> tuple[Message, ...]:
    """The conversation in `value`. Raises `RefusalError(BAD_FIELD)`."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MESSAGES:
        raise _bad("messages", f"a list of 1 to {MAX_MESSAGES} messages")
    return tuple(_read_message(entry, f"messages[{index}]") for index, entry in enumerate(value))


def _read_message(entry: object, name: str) -> Message:
    role = entry.get("role") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(role, str):
        raise _bad(name, "an object with a role")
    content = entry.get("content")
    if isinstance(content, list) and all(_is_text(part) for part in content):
        content = "\n".join(part["text"] for part in content)
    if isinstance(content, str) and _is_unicode(content):
        return Message(role, content)
    raise _bad(f"{name}.content", "text, or a list of parts of type text")


def _is_text(part: object) -> bool:
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


def _is_unicode(text: str) -> bool:
    """Whether `text` is free of unpaired surrogates, which JSON can spell and UTF-8 cannot."""
    return text.isascii() or not _SURROGATE.search(text)


def _read_constraints(provider: object) -> None:
    """Check ACI's serving constraints (section 5.3), as a service without upstreams must."""
    if not isinstance(provider, dict):
        return
    unknown = {name for name in provider if name.startswith("aci_")}
    unknown -= {"aci_verified", "aci_session_ids"}
    if unknown:
        raise _bad(f"provider.{min(unknown)}", "a constraint that ACI defines")
    verified = provider.get("aci_verified", True)
    if not isinstance(verified, bool):
        raise _bad("provider.aci_verified", "true or false")
    if "aci_session_ids" in provider:
        if not verified:
            raise _bad("provider.aci_verified", "true where sessions are listed")
        raise RefusalError(
            WorkerReason.SESSION_NOT_ACCEPTED,
            "this service infers by itself and has no upstream sessions",
            412,
            param="provider.aci_session_ids",
        )


def _bad(name: str, expected: str) -> RefusalError:
    return RefusalError(WorkerReason.BAD_FIELD, f"{name} must be {expected}", param=name)


def encode(document: object) -> bytes:
    """JSON as it goes on the wire: compact, UTF-8."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has no UTF-8; its backslash form is JSON's own escape for it.
    return text.encode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, ready to be written in either form."""

    chat_id: str
    created: int
    model: str
    answer: Answer

    def body(self) -> bytes:
        """The `chat.completion` object."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.answer.text},
            "logprobs": None,
            "finish_reason": "stop",
        }
        document = self._head("chat.completion") | {"choices": [choice], "usage": self._usage()}
        return encode(document)

    def events(self, *, include_usage: bool) -> Sequence[bytes]:
        """The event stream, event by event, ending with `[DONE]`."""
        words = self.answer.text.split(" ")
        pieces = [words[0], *(f" {word}" for word in words[1:])]
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant"}, None)]
        deltas += [({"content": piece}, None) for piece in pieces]
        deltas.append(({}, "stop"))
        documents = [self._chunk(delta, finish) for delta, finish in deltas]
        if include_usage:
            head = self._head("chat.completion.chunk")
            documents.append(head | {"choices": [], "usage": self._usage()})
        return [b"data: " + encode(document) + b"\n\n" for document in documents] + [
            b"data: [DONE]\n\n"
        ]

    def _chunk(self, delta: dict[str, str], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.chat_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
        }

    def _usage(self) -> dict[str, int]:
        read, written = self.answer.units, self.answer.written
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
