"""Revert data in words: every custom error of the contracts, and Solidity's own two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from quotary.errors import REMEDIES
from quotary.errors import Reason as EvidenceReason

from quotary_bridge.chain.interface import KnownError, error_catalogue
from quotary_bridge.errors import ContractError

__all__ = ["REVERT_CODE", "decode_revert", "error_name", "revert_data"]

_ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC_SELECTOR = bytes.fromhex("4e487b71")  # Panic(uint256)
# EIP-1474 leaves it open; geth, reth, besu and anvil use 3 for a revert with data.
REVERT_CODE = 3
# An error that carries an error that carries an error…: hostile depth must end.
_DEPTH_LIMIT = 4
_SELECTOR, _WORD = 4, 32
# How everything under contracts/src/dcap says no: with a name of the verifier's own catalogue.
_REFUSAL = "EvidenceRefused"
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

_PANICS = {
    0x01: "a failed assertion",
    0x11: "arithmetic out of range",
    0x12: "a division by zero",
    0x21: "a value outside its enum",
    0x22: "corrupt storage bytes",
    0x31: "a pop from an empty array",
    0x32: "an index out of bounds",
    0x41: "too much memory",
    0x51: "a call to an unset function",
}


def revert_data(code: int, message: str, data: object) -> bytes | None:
    """
    Return the revert data inside a node's error, or None where the error is no revert.

    Nodes hand the data over as hex, as hex behind a word ("Reverted 0x…"), or inside an object.
    """
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    if isinstance(data, str):
        found = _HEX.search(data)
        if found and (code == REVERT_CODE or "revert" in f"{message} {data}".lower()):
            return bytes.fromhex(found.group()[2:])
    return b"" if code == REVERT_CODE or "execution reverted" in message.lower() else None


def decode_revert(
    data: bytes, catalogue: Mapping[bytes, KnownError] | None = None
) -> ContractError:
    """
    Return (never raise) the error that `data` encodes, with the one nested in it.

    `catalogue` serves contracts that are not ours; without it, the exported one is used.
    """
    return _decode(data, error_catalogue() if catalogue is None else catalogue, 0)


def _decode(data: bytes, catalogue: Mapping[bytes, KnownError], depth: int) -> ContractError:
    if not data:
        return ContractError(
            "EmptyRevert", {}, data, "check that the address is that of the contract meant"
        )
    selector, body = data[:4], data[4:]
    try:
        if selector == _ERROR_SELECTOR:
            return ContractError("Error", {"message": decode(["string"], body)[0]}, data)
        if selector == _PANIC_SELECTOR:
            number = decode(["uint256"], body)[0]
            meaning = _PANICS.get(number, "an unknown panic")
            return ContractError("Panic", {"code": hex(number), "meaning": meaning}, data)
        known = catalogue.get(selector)
        if known is not None:
            return _custom(known, data, catalogue, depth)
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return ContractError("UndecodableError", {"data": data}, data)
    return ContractError("UnknownError", {"selector": selector, "data": body}, data)


def error_name(selector: bytes) -> str:
    """Return the name of a custom error, or the selector in hex where no exported ABI has it."""
    known = error_catalogue().get(selector)
    return f"0x{selector.hex()}" if known is None else known.entry.name


def _custom(
    known: KnownError, data: bytes, catalogue: Mapping[bytes, KnownError], depth: int
) -> ContractError:
    values = known.entry.arguments(data[4:])
    if known.entry.name == _REFUSAL:
        return _refusal(values["reason"], known, data)
    inner = None if depth >= _DEPTH_LIMIT else _inner(values, catalogue, depth)
    return ContractError(
        known.entry.name,
        values,
        data,
        # The cause of a nested error is nearer to the truth than that of its wrapper.
        remedy=(inner.remedy if inner else "") or known.remedy,
        cause=known.cause,
        inner=inner,
    )


def _refusal(word: bytes, known: KnownError, data: bytes) -> ContractError:
    """Name the reason that evidence was refused for, and what the verifier says to do about it."""
    name = word.rstrip(b"\0").decode("ascii", "backslashreplace")
    if name not in EvidenceReason.__members__:
        return ContractError(known.entry.name, {"reason": name}, data, cause=known.cause)
    remedy = REMEDIES[EvidenceReason(name)].rstrip(".")
    # A sentence of its own there, the end of one here; names and abbreviations stay as they are.
    remedy = remedy if remedy[1:2].isupper() else remedy[:1].lower() + remedy[1:]
    return ContractError(known.entry.name, {"reason": name}, data, remedy)


def _inner(
    values: dict[str, Any], catalogue: Mapping[bytes, KnownError], depth: int
) -> ContractError | None:
    known = {*catalogue, _ERROR_SELECTOR, _PANIC_SELECTOR}
    for value in values.values():
        # ABI-encoded errors are four bytes and whole words: nothing else is mistaken for one.
        if isinstance(value, bytes) and len(value) % _WORD == _SELECTOR and value[:4] in known:
            return _decode(value, catalogue, depth + 1)
    return None
