"""The exported ABIs: what to call, what to expect, what an error or event means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

__all__ = [
    "AbiValue",
    "Entry",
    "Interface",
    "KnownError",
    "compiler_of",
    "error_catalogue",
    "interface",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One function, event or error of an ABI.

    `signature` is the canonical one, `topic` its whole hash; the types are those of `eth_abi`. All
    are worked out once, as every call and every log asks for them.
    """

    kind: str
    name: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    input_types: tuple[str, ...] = field(init=False, repr=False)
    output_types: tuple[str, ...] = field(init=False, repr=False)
    signature: str = field(init=False, repr=False)
    topic: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what follows from the parameters."""
        signature = f"{self.name}({','.join(_types(self.inputs))})"
        derived = {
            "input_types": _types(self.inputs),
            "output_types": _types(self.outputs),
            "signature": signature,
            "topic": keccak(text=signature),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def selector(self) -> bytes:
        """The first four bytes of the signature's hash."""
        return self.topic[:4]

    def arguments(self, data: bytes) -> dict[str, Any]:
        """Decode the inputs; raises `eth_abi`'s `DecodingError`."""
        return _named(self.inputs, decode(self.input_types, data))


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
        return entry.selector + _encode(f"{self.name}.{name}", entry.input_types, arguments)

    def encode_creation(self, arguments: Sequence[Any]) -> bytes:
        """Return init code: the creation code and the constructor's arguments."""
        if not self.bytecode:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID, f"{self.name} has no code: it cannot be deployed"
            )
        constructors = [entry for entry in self.entries if entry.kind == "constructor"]
        types = constructors[0].input_types if constructors else ()
        return self.bytecode + _encode(f"{self.name} constructor", types, arguments)

    def decode_result(self, name: str, data: bytes) -> tuple[Any, ...]:
        """
        Return a function's results; structs come as dicts by field name.

        Raises `RpcUnavailable` where the data are none: a call to an address without code returns
        nothing at all, and says so here instead of inventing zeros.
        """
        entry = self.function(name)
        try:
            values = decode(entry.output_types, data)
        except (DecodingError, OverflowError) as error:
            raise RpcUnavailable(
                Reason.RPC_BROKEN_ANSWER,
                f"{self.name}.{name} returned {len(data)} bytes that are not its result",
                "check that the contract is deployed on this chain",
            ) from error
        return tuple(_shaped(p, value) for p, value in zip(entry.outputs, values, strict=True))

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


def compiler_of(name: str) -> Mapping[str, Any]:
    """Return what made the exported code of a contract: name, version and settings."""
    compiler: Mapping[str, Any] = _document(name)["compiler"]
    return compiler


@cache
def interface(name: str) -> Interface:
    """Load an exported ABI; raises `ConfigurationError` where the package has none by that name."""
    return parse_interface(name, _document(name))


def _document(name: str) -> dict[str, Any]:
    source = files("quotary_bridge.chain").joinpath("abi", f"{name}.json")
    if not source.is_file():
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            f"no ABI of {name} is part of this installation",
            "install the package anew, or run scripts/export_abi.py in a checkout",
        )
    document: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return document


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


def _encode(what: str, types: Sequence[str], arguments: Sequence[Any]) -> bytes:
    try:
        return encode(types, list(arguments))
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


def _types(parameters: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(dict(parameter)) for parameter in parameters)


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
