"""Registrations as files: a worker's quote waits here while a proof of it is made."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from eth_utils.address import is_checksum_address

from quotary_bridge.chain.contracts import Binding
from quotary_bridge.cli.options import read_file
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import Registration

__all__ = ["read_registration", "registration_text", "write_text"]

_FORMAT = "quotary-registration"
_VERSION = 1
_BYTES_LIMIT = 1 << 20
_NUMBERS = frozenset({"version", "chain_id", "challenge_block"})
_ADDRESSES = frozenset({"registry", "operator"})
_DIGEST_BYTES = 32


def registration_text(registration: Registration) -> str:
    """Return the file's text."""
    binding = {
        name: f"0x{value.hex()}" if isinstance(value, bytes) else value
        for name, value in asdict(registration.binding).items()
    }
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "worker": registration.worker,
        "quote": f"0x{registration.quote.hex()}",
        "report_data": f"0x{registration.report_data.hex()}",
        "binding": binding,
    }
    return json.dumps(document, indent=1) + "\n"


def write_text(name: str, text: str) -> None:
    """Write a file as a whole or not at all; raises `ConfigurationError`."""
    path = Path(name)
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE, f"{name} cannot be written: {error.strerror}", "name another"
        ) from error


def read_registration(name: str) -> Registration:
    """
    Read what `quotary worker quote` wrote; raises `ConfigurationError`.

    Nothing in it is believed: the chain rebuilds the report data from the binding.
    """
    try:
        document = json.loads(read_file(name, _BYTES_LIMIT))
        if (document["format"], document["version"]) != (_FORMAT, _VERSION):
            raise ValueError("another format")  # noqa: TRY301 (all shapes of nonsense end below)
        return Registration(
            worker=_address(document["worker"]),
            quote=_octets(document["quote"]),
            binding=_binding(document["binding"]),
            report_data=_octets(document["report_data"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{name} is not a registration",
            "give the file that `quotary worker quote` wrote",
        ) from error


def _binding(values: dict[str, Any]) -> Binding:
    parsed: dict[str, Any] = {}
    for field in fields(Binding):
        value = values[field.name]
        if field.name in _NUMBERS:
            if type(value) is not int or value < 0:
                raise ValueError("not a number")
            parsed[field.name] = value
        elif field.name in _ADDRESSES:
            parsed[field.name] = _address(value)
        else:
            digest = _octets(value)
            if len(digest) != _DIGEST_BYTES:
                raise ValueError("not 32 bytes")
            parsed[field.name] = Bytes32(digest)
    return Binding(**parsed)


def _address(value: str) -> Address:
    if not is_checksum_address(value):
        raise ValueError("not an address")
    return Address(value)


def _octets(value: str) -> bytes:
    if not value.startswith("0x"):
        raise ValueError("not hex")
    return bytes.fromhex(value[2:])
