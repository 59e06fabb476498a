"""The registry of models."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar, Final

from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts.base import Contract, ModelStatus
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Bytes32
from quotary_bridge.words import encode_words

__all__ = ["Model", "ModelRegistry", "model_from"]

_MODEL_TYPE_HASH: Final = keccak(
    b"Model(bytes32 weightsRoot,bytes32 tokenizerHash,bytes32 configHash)"
)


@dataclass(frozen=True, slots=True)
class Model:
    """What a model is, by three hashes, and how it is called."""

    weights_root: Bytes32
    tokenizer_hash: Bytes32
    config_hash: Bytes32
    name: str
    licence_uri: str

    @property
    def id(self) -> Bytes32:
        """The one hash that requests and results name it by (docs/formats.md, "Models")."""
        content = (self.weights_root, self.tokenizer_hash, self.config_hash)
        return Bytes32(keccak(encode_words(_MODEL_TYPE_HASH, *content)))


def model_from(record: AbiValue) -> Model:
    """Return a model as the ABI has it."""
    return Model(
        weights_root=record["weightsRoot"],
        tokenizer_hash=record["tokenizerHash"],
        config_hash=record["configHash"],
        name=record["name"],
        licence_uri=record["licenceUri"],
    )


class ModelRegistry(Contract):
    """The models that a request may ask for and a result may name."""

    abi_name: ClassVar[str] = "ModelRegistry"

    def status_of(self, model_id: Bytes32, at: BlockTag = "latest") -> ModelStatus:
        """Return what became of a model."""
        return ModelStatus(self.read("statusOf", model_id, at=at))

    def model_of(self, model_id: Bytes32, at: BlockTag = "latest") -> Model | None:
        """Return what a model was admitted as, or None where it never was; it never changes."""
        found = model_from(self.read("modelOf", model_id, at=at))
        return found if found.name else None

    def admit(self, model: Model) -> bytes:
        """Return call data for the governor."""
        return self.encode("admit", astuple(model))

    def revoke(self, model_id: Bytes32) -> bytes:
        """Return call data for the governor or the guardian; there is no way back."""
        return self.encode("revoke", model_id)

    def ban(self, model_id: Bytes32) -> bytes:
        """Return call data that rules out what was never admitted."""
        return self.encode("ban", model_id)
