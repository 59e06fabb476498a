"""
Read untrusted JSON into typed values.

Each reader returns the value or raises `RefusalError(BAD_FIELD)` naming the field. Bytes are hex
with `0x`, as JSON-RPC has them; integers are JSON integers, or decimal strings for those that
JavaScript cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NewType

from eth_utils.address import to_checksum_address

from quotary_enclave.keys import Address
from quotary_enclave.worker import bounded_json
from quotary_enclave.worker.errors import RefusalError, WorkerReason

__all__ = [
    "Bytes32",
    "Document",
    "read_address",
    "read_bytes",
    "read_bytes32",
    "read_bytes32_list",
    "read_document",
    "read_documents",
    "read_uint",
]

Bytes32 = NewType("Bytes32", bytes)

Document = Mapping[str, Any]

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


def read_document(body: bytes) -> Document:
    """The JSON object in `body`. Raises `RefusalError(BAD_JSON)`."""
    try:
        document = bounded_json.loads(body)
    except ValueError as error:
        raise RefusalError(WorkerReason.BAD_JSON, "the body is not JSON") from error
    if not isinstance(document, dict):
        raise RefusalError(WorkerReason.BAD_JSON, "the body is not a JSON object")
    return document


def read_documents(document: Document, name: str, most: int) -> list[Document]:
    """The list `name` of at least one and at most `most` JSON objects."""
    values = document.get(name)
    sound = isinstance(values, list) and 0 < len(values) <= most
    if not sound or not all(isinstance(value, dict) for value in values or ()):
        raise _bad(name, f"a list of 1 to {most} objects")
    return list(values or ())


def _bad(name: str, expected: str) -> RefusalError:
    return RefusalError(WorkerReason.BAD_FIELD, f"{name} must be {expected}", param=name)


def read_bytes(document: Document, name: str) -> bytes:
    """The bytes of `name`."""
    value = document.get(name)
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _bad(name, "bytes in hex, with 0x")
    return bytes.fromhex(value[2:])


def read_bytes32(document: Document, name: str) -> Bytes32:
    """The 32 bytes of `name`."""
    value = read_bytes(document, name)
    if len(value) != 32:  # noqa: PLR2004 - the length is the type's name
        raise _bad(name, "32 bytes in hex, with 0x")
    return Bytes32(value)


def read_bytes32_list(document: Document, name: str, most: int) -> tuple[Bytes32, ...]:
    """The list `name` of at most `most` times 32 bytes."""
    values = document.get(name)
    if not isinstance(values, list) or len(values) > most:
        raise _bad(name, f"a list of at most {most} times 32 bytes in hex, with 0x")
    return tuple(read_bytes32({name: value}, name) for value in values)


def read_address(document: Document, name: str) -> Address:
    """The address `name`, in any case, with its checksum in the result."""
    value = document.get(name)
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise _bad(name, "an address: 20 bytes in hex, with 0x")
    return Address(str(to_checksum_address(value)))


def read_uint(document: Document, name: str, bits: int) -> int:
    """The unsigned integer `name` of at most `bits` bits."""
    value = document.get(name)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise _bad(name, f"an unsigned integer of {bits} bits")
    return value
