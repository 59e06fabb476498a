"""
A model as people have it: a folder of its files, or a manifest that says what they hash to.

A folder holds `model.safetensors`, `tokenizer.json` and `config.json`, and is measured as the
worker measures it (docs/formats.md, "Models"). A manifest is a JSON object with `weights_root`,
`tokenizer_hash` and `config_hash`, and as it likes `name` and `licence_uri`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quotary_bridge.chain.contracts import Model
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Bytes32

__all__ = ["MAX_MANIFEST_BYTES", "ModelFile", "read_model"]

MAX_MANIFEST_BYTES = 64 * 1024
"""Three hashes and two texts need a hundredth of it."""

_FILES = {
    "weights_root": "model.safetensors",
    "tokenizer_hash": "tokenizer.json",
    "config_hash": "config.json",
}
_HASH = re.compile(r"(?:0x|sha256:)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What was found of a model; name and licence may be empty."""

    model: Model

    def named(self, name: str | None, licence_uri: str | None) -> Model:
        """
        Return the model under this name and licence where given, else under its own.

        Raises `ConfigurationError(CONFIGURATION_MISSING)` where one of them is still lacking.
        """
        content = self.model
        chosen = Model(
            content.weights_root,
            content.tokenizer_hash,
            content.config_hash,
            name or content.name,
            licence_uri or content.licence_uri,
        )
        if not chosen.name or not chosen.licence_uri:
            raise ConfigurationError(
                Reason.CONFIGURATION_MISSING,
                "a model is admitted under its name and its licence",
                "give --name and --licence-uri, or a manifest that has both",
            )
        return chosen


def read_model(name: str) -> ModelFile:
    """
    Measure the folder, or read the manifest, called `name`.

    Raises `ConfigurationError`: `FILE_UNREADABLE`; `CONFIGURATION_INVALID` for what is no manifest.
    """
    path = Path(name)
    try:
        if path.is_dir():
            hashes = {field: _digest(path / file) for field, file in _FILES.items()}
            return _of(name, hashes)
        with path.open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    try:
        document = json.loads(text) if len(text) <= MAX_MANIFEST_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _no_manifest(name, "it is no JSON object of moderate size")
    return _of(name, document)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of(name: str, document: Mapping[str, object]) -> ModelFile:
    hashes = []
    for field in _FILES:
        found = _HASH.fullmatch(str(document.get(field, "")))
        if found is None:
            raise _no_manifest(name, f"its {field} is not 32 bytes of hexadecimal")
        hashes.append(Bytes32(bytes.fromhex(found[1])))
    texts = [document.get(field, "") for field in ("name", "licence_uri")]
    if not all(isinstance(text, str) for text in texts):
        raise _no_manifest(name, "its name or licence_uri is no text")
    weights, tokenizer, config = hashes
    return ModelFile(Model(weights, tokenizer, config, str(texts[0]), str(texts[1])))


def _no_manifest(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"{name} is no manifest of a model: {why}",
        "give a folder of a model's files, or what quotary model id --json printed of one",
    )


def _unreadable(name: str, error: OSError | ValueError) -> ConfigurationError:
    cause = f"{error.strerror}" if isinstance(error, OSError) else "not a file name"
    missing = Path(error.filename).name if isinstance(error, OSError) and error.filename else name
    return ConfigurationError(
        Reason.FILE_UNREADABLE,
        f"{name} cannot be read: {missing}: {cause}",
        f"name a manifest, or a folder with {', '.join(_FILES.values())}",
    )
