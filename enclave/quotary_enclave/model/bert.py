"""
The forward pass of a BERT encoder, in numpy.

One sequence at a time, so nothing is padded and no mask is needed, and an embedding never depends
on what else was asked. The arithmetic is float64 over the float32 weights: processors differ in
the order they add, so results differ between machines by about 1e-13, far below the two decimals
that leave this package.

Source: Devlin et al., "BERT", arXiv:1810.04805; mean pooling: Reimers and Gurevych,
"Sentence-BERT", arXiv:1908.10084, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quotary_enclave.model.errors import ModelReason, ModelUnavailableError

__all__ = ["BertEncoder", "BertShape", "Vector", "erf"]

Vector = npt.NDArray[np.float64]

_ERF_P = 0.3275911
_ERF_A = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def erf(x: Vector) -> Vector:
    """
    The error function, to within 1.5e-7.

    numpy has none. Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
    """
    t = 1.0 / (1.0 + _ERF_P * np.abs(x))
    polynomial = np.zeros_like(x)
    for coefficient in reversed(_ERF_A):
        polynomial = (polynomial + coefficient) * t
    return np.sign(x) * (1.0 - polynomial * np.exp(-x * x))


@dataclass(frozen=True, slots=True)
class BertShape:
    """The sizes that a BERT `config.json` states."""

    hidden: int
    layers: int
    heads: int
    positions: int
    epsilon: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> BertShape:
        """Read the sizes. Raises `ModelUnavailableError` for what is no plain BERT encoder."""
        try:
            if (config["model_type"], config["hidden_act"]) != ("bert", "gelu"):
                raise ModelUnavailableError(
                    ModelReason.WEIGHTS_MALFORMED, "the configuration is not of a BERT with GELU"
                )
            return cls(
                hidden=int(config["hidden_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                positions=int(config["max_position_embeddings"]),
                epsilon=float(config["layer_norm_eps"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailableError(
                ModelReason.WEIGHTS_MALFORMED, f"the configuration lacks a size: {error!r}"
            ) from error


class _Affine:
    """`x @ W.T + b`, with the weights as PyTorch stores them."""

    __slots__ = ("_bias", "_weight")

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], name: str) -> None:
        self._weight = np.ascontiguousarray(tensors[f"{name}.weight"].T, dtype=np.float64)
        self._bias = tensors[f"{name}.bias"].astype(np.float64)

    def __call__(self, x: Vector) -> Vector:
        return np.asarray(x @ self._weight + self._bias)


class _LayerNorm:
    """Normalise each row to zero mean and unit variance, then scale and shift."""

    __slots__ = ("_bias", "_epsilon", "_weight")

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], name: str, epsilon: float) -> None:
        self._weight = tensors[f"{name}.weight"].astype(np.float64)
        self._bias = tensors[f"{name}.bias"].astype(np.float64)
        self._epsilon = epsilon

    def __call__(self, x: Vector) -> Vector:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        return np.asarray(centred / np.sqrt(variance + self._epsilon) * self._weight + self._bias)


class _Layer:
    """One encoder layer: self-attention and a feed-forward network, each with its residual."""

    def __init__(
        self, tensors: Mapping[str, npt.NDArray[Any]], name: str, shape: BertShape
    ) -> None:
        self._heads = shape.heads
        self._query = _Affine(tensors, f"{name}.attention.self.query")
        self._key = _Affine(tensors, f"{name}.attention.self.key")
        self._value = _Affine(tensors, f"{name}.attention.self.value")
        self._attended = _Affine(tensors, f"{name}.attention.output.dense")
        self._norm_attended = _LayerNorm(
            tensors, f"{name}.attention.output.LayerNorm", shape.epsilon
        )
        self._widen = _Affine(tensors, f"{name}.intermediate.dense")
        self._narrow = _Affine(tensors, f"{name}.output.dense")
        self._norm_out = _LayerNorm(tensors, f"{name}.output.LayerNorm", shape.epsilon)

    def __call__(self, x: Vector) -> Vector:
        x = self._norm_attended(x + self._attended(self._attend(x)))
        wide = self._widen(x)
        gelu = 0.5 * wide * (1.0 + erf(wide / np.sqrt(2.0)))
        return self._norm_out(x + self._narrow(gelu))

    def _attend(self, x: Vector) -> Vector:
        tokens, hidden = x.shape
        size = hidden // self._heads

        def by_head(y: Vector) -> Vector:
            return y.reshape(tokens, self._heads, size).transpose(1, 0, 2)

        scores = by_head(self._query(x)) @ by_head(self._key(x)).transpose(0, 2, 1) / np.sqrt(size)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = weights @ by_head(self._value(x))
        return np.asarray(mixed.transpose(1, 0, 2).reshape(tokens, hidden))


class BertEncoder:
    """Turns a sequence of token ids into one unit vector: mean of the last layer, normalised."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], shape: BertShape) -> None:
        """Take the weights. Raises `ModelUnavailableError` where one is missing."""
        self.shape = shape
        try:
            self._words = tensors["embeddings.word_embeddings.weight"]
            self._positions = tensors["embeddings.position_embeddings.weight"].astype(np.float64)
            self._type = tensors["embeddings.token_type_embeddings.weight"][0].astype(np.float64)
            self._norm = _LayerNorm(tensors, "embeddings.LayerNorm", shape.epsilon)
            self._layers = tuple(
                _Layer(tensors, f"encoder.layer.{index}", shape) for index in range(shape.layers)
            )
        except KeyError as error:
            raise ModelUnavailableError(
                ModelReason.WEIGHTS_MALFORMED, f"the weights lack the tensor {error}"
            ) from error

    def embed(self, ids: Sequence[int]) -> Vector:
        """The unit vector of `ids`, which hold at least one and at most `shape.positions` ids."""
        words = self._words[np.asarray(ids, dtype=np.intp)].astype(np.float64)
        x = self._norm(words + self._positions[: len(ids)] + self._type)
        for layer in self._layers:
            x = layer(x)
        pooled = x.mean(axis=0)
        return np.asarray(pooled / np.linalg.norm(pooled))
