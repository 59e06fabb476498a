"""The exported ABIs: what to call, what to expect, what an error or event means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from quotary_bridge.chain.records import Log
from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable

AbiValue = Any
"""A decoded value: int, bool, str, bytes, a tuple of them, or a dict for a struct."""

__all__ = ["AbiValue", "Entry", "Interface", "KnownError", "error_catalogue", "interface"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One function, event or error of an ABI."""

    kind: str
    name: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]

    @property
    def signature(self) -> str:
        """The canonical signature, which selectors and topics are hashes of."""
        return f"{self.name}({','.join(_types(self.inputs))})"

    @property
    def selector(self) -> bytes:
        """The first four bytes of the signature's hash."""
        return keccak(text=self.signature)[:4]

    @property
    def topic(self) -> bytes:
        """The whole hash of the signature."""
        return keccak(text=self.signature)

    def arguments(self, data: bytes) -> dict[str, Any]:
        """Decode the inputs; raises `eth_abi`'s `DecodingError`."""
        return _named(self.inputs, decode(_types(self.inputs), data))


@dataclass(frozen=True, slots=True)
class KnownError:
    """A custom error, why a contract reverts with it, and what to do then."""

    entry: Entry
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Interface:
    """One contract's ABI, with the code to create it where it is no mere interface."""

    name: str
    entries: tuple[Entry, ...]
    bytecode: bytes

    def function(self, name: str) -> Entry:
        """Return a function; raises `ConfigurationError` where the ABI has none by that name."""
        return self._entry("function", name)

    def event(self, name: str) -> Entry:
        """Return an event; raises `ConfigurationError` where the ABI has none by that name."""
        return self._entry("event", name)

    def encode_call(self, name: str, arguments: Sequence[Any]) -> bytes:
        """Return call data; raises `ConfigurationError` where an argument has the wrong type."""
        entry = self.function(name)
        return entry.selector + _encode(f"{self.name}.{name}", entry.inputs, arguments)

    def encode_creation(self, arguments: Sequence[Any]) -> bytes:
        """Return init code: the creation code and the constructor's arguments."""
        if not self.bytecode:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID, f"{self.name} has no code: it cannot be deployed"
            )
        constructors = [entry for entry in self.entries if entry.kind == "constructor"]
        inputs = constructors[0].inputs if constructors else ()
        return self.bytecode + _encode(f"{self.name} constructor", inputs, arguments)

    def decode_result(self, name: str, data: bytes) -> tuple[Any, ...]:
        """
        Return a function's results; structs come as dicts by field name.

        Raises `RpcUnavailable` where the data are none: a call to an address without code returns
        nothing at all, and says so here instead of inventing zeros.
        """
        outputs = self.function(name).outputs
        try:
            values = decode(_types(outputs), data)
        except (DecodingError, OverflowError) as error:
            raise RpcUnavailable(
                Reason.RPC_BROKEN_ANSWER,
                f"{self.name}.{name} returned {len(data)} bytes that are not its result",
                "check that the contract is deployed on this chain",
            ) from error
        return tuple(_shaped(p, value) for p, value in zip(outputs, values, strict=True))

    def decode_log(self, log: Log) -> tuple[str, dict[str, Any]] | None:
        """Return an event's name and arguments, or None where the log is no event of this ABI."""
        for entry in self.entries:
            if entry.kind == "event" and log.topics and entry.topic == log.topics[0]:
                return entry.name, _event_arguments(entry, log)
        return None

    def _entry(self, kind: str, name: str) -> Entry:
        for entry in self.entries:
            if entry.kind == kind and entry.name == name:
                return entry
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the exported ABI of {self.name} has no {kind} {name}",
            "install matching versions of the contracts and the bridge",
        )


@cache
def error_catalogue() -> Mapping[bytes, KnownError]:
    """Return every custom error that the contracts know, by selector."""
    source = files("quotary_bridge.chain").joinpath("abi", "errors.json")
    if not source.is_file():
        return MappingProxyType({})
    catalogue: dict[str, dict[str, Any]] = json.loads(source.read_text(encoding="utf-8"))
    return MappingProxyType(
        {bytes.fromhex(key.removeprefix("0x")): _known(item) for key, item in catalogue.items()}
    )


def _known(item: Mapping[str, Any]) -> KnownError:
    entry = Entry("error", item["name"], tuple(item["inputs"]), ())
    # NatSpec writes references as {Name}.
    cause, remedy = (item[key].replace("{", "").replace("}", "") for key in ("cause", "remedy"))
    return KnownError(entry, cause, remedy)


@cache
def interface(name: str) -> Interface:
    """Load an exported ABI; raises `ConfigurationError` where the package has none by that name."""
    source = files("quotary_bridge.chain").joinpath("abi", f"{name}.json")
    if not source.is_file():
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            f"no ABI of {name} is part of this installation",
            "install the package anew, or run scripts/export_abi.py in a checkout",
        )
    return parse_interface(name, json.loads(source.read_text(encoding="utf-8")))


def parse_interface(name: str, document: Mapping[str, Any] | list[Any]) -> Interface:
    """Build an interface out of an ABI array, or of an object with `abi` and `bytecode`."""
    if isinstance(document, list):
        document = {"abi": document}
    code = document.get("bytecode") or ""
    if isinstance(code, Mapping):
        code = code.get("object") or ""
    entries = tuple(_entry_from(item) for item in document["abi"])
    return Interface(name, entries, bytes.fromhex(code.removeprefix("0x")))


def _entry_from(item: Mapping[str, Any]) -> Entry:
    return Entry(
        kind=item["type"],
        name=item.get("name", ""),
        inputs=tuple(item.get("inputs", ())),
        outputs=tuple(item.get("outputs", ())),
    )


def _encode(what: str, inputs: Sequence[Mapping[str, Any]], arguments: Sequence[Any]) -> bytes:
    try:
        return encode(_types(inputs), list(arguments))
    except (EncodingError, TypeError, ValueError) as error:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID, f"wrong arguments for {what}: {error}"
        ) from error


def _event_arguments(entry: Entry, log: Log) -> dict[str, Any]:
    plain = [p for p in entry.inputs if not p.get("indexed")]
    try:
        values = iter(decode(_types(plain), log.data))
        topics = iter(log.topics[1:])
        return {
            p["name"]: _from_topic(p, next(topics))
            if p.get("indexed")
            else _shaped(p, next(values))
            for p in entry.inputs
        }
    except (DecodingError, StopIteration, OverflowError) as error:
        raise RpcUnavailable(
            Reason.RPC_BROKEN_ANSWER, f"a log of {entry.name} cannot be decoded"
        ) from error


def _from_topic(parameter: Mapping[str, Any], topic: bytes) -> AbiValue:
    kind = collapse_if_tuple(dict(parameter))
    # Dynamic and composite values stand in topics as their hash.
    if kind in ("string", "bytes") or kind.endswith("]") or kind.startswith("("):
        return topic
    return decode([kind], topic)[0]


def _types(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    return [collapse_if_tuple(dict(parameter)) for parameter in parameters]


def _named(parameters: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    return {
        parameter.get("name") or f"value{index}": _shaped(parameter, value)
        for index, (parameter, value) in enumerate(zip(parameters, values, strict=True))
    }


def _shaped(parameter: Mapping[str, Any], value: AbiValue) -> AbiValue:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return value
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return tuple(_shaped(inner, item) for item in value)
    return _named(parameter["components"], value)
