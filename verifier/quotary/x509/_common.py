"""What certificates and revocation lists share: algorithm, times, serial numbers, key ids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from quotary._der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_ID,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    DerReader,
)
from quotary.errors import ParseError, Reason

__all__ = [
    "MAX_EXTENSIONS",
    "Extension",
    "read_algorithm",
    "read_authority_key_id",
    "read_extensions",
    "read_serial",
    "read_time",
    "split_serial",
    "split_signed",
    "utc_seconds",
]

MAX_EXTENSIONS: Final = 16
"""Intel's certificates have five or six."""

_ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
_LONG_SEQUENCE: Final = bytes([SEQUENCE, 0x82])
_BEFORE_SIGNATURE: Final = _ECDSA_WITH_SHA256 + bytes([BIT_STRING])
_MAX_SERIAL_BYTES: Final = 20
_KEY_IDENTIFIER: Final = 0x80
_INTEGER: Final = b"\x02"
_SHORTEST_INTEGER: Final = 3
_SHORTEST_EXTENSION: Final = 5
_SHORTEST_PAIR: Final = 8
_THREE_BYTE_ID: Final = bytes([OBJECT_ID, 3])
_CRITICAL: Final = bytes([BOOLEAN, 1, 0xFF])
_OCTETS: Final = bytes([OCTET_STRING])
_TOP_BIT: Final = 0x80


class Extension(NamedTuple):
    """One extension: its object id's content, whether it is critical, and its value."""

    object_id: bytes
    critical: bool
    value: bytes


def read_algorithm(reader: DerReader, item: str) -> None:
    """Read an algorithm identifier that must be ecdsa-with-SHA256 without parameters."""
    algorithm = reader.whole(SEQUENCE)
    if algorithm != _ECDSA_WITH_SHA256:
        raise ParseError(
            Reason.SIG_ALG_UNEXPECTED,
            item,
            expected=f"ecdsa-with-SHA256 ({_ECDSA_WITH_SHA256.hex()})",
            found=algorithm[:_SHOWN].hex(),
        )


def split_signed(der: bytes, item: str) -> tuple[bytes, bytes]:
    """Take `SEQUENCE { signed part, algorithm, signature }` apart: the first and the last."""
    usual = _split_usual(der)
    if usual is not None:
        return usual
    file = DerReader(der, item)
    outer = file.enter(SEQUENCE)
    file.finish()
    tbs = outer.whole(SEQUENCE)
    read_algorithm(outer, item)
    signature = _read_signature(outer, item)
    outer.finish()
    return tbs, signature


def _split_usual(der: bytes) -> tuple[bytes, bytes] | None:
    """The same for lengths of two bytes, as all of Intel's have; None for any other form."""
    whole, signed = der[:4], der[4:8]
    if whole[:2] != _LONG_SEQUENCE or signed[:2] != _LONG_SEQUENCE or len(signed) != len(whole):
        return None
    end = 8 + int.from_bytes(signed[2:])
    start = end + len(_BEFORE_SIGNATURE) + 2
    signature = der[start:]
    if (
        whole[2] == 0
        or signed[2] == 0
        or int.from_bytes(whole[2:]) != len(der) - 4
        or der[end : start - 2] != _BEFORE_SIGNATURE
        or len(signature) >= _TOP_BIT - 1
        or der[start - 2 : start] != bytes([len(signature) + 1, 0])
        or not _is_usual_pair(signature)
    ):
        return None
    return der[4:end], signature


def _read_signature(reader: DerReader, item: str) -> bytes:
    """Read a signature value and return it, checked to be DER of two positive integers."""
    signature = reader.bits()
    if _is_usual_pair(signature):
        return signature
    outer = DerReader(signature, f"{item} signature")
    pair = outer.enter(SEQUENCE)
    numbers = pair.integer(), pair.integer()
    pair.finish()
    outer.finish()
    if min(numbers) <= 0:
        raise ParseError(Reason.SIGNATURE_INVALID, item, expected="positive r and s")
    return signature


def _is_usual_pair(encoding: bytes) -> bool:
    """Whether two positive integers of P-256's size are encoded, in their one form."""
    if len(encoding) < _SHORTEST_PAIR or encoding[0] != SEQUENCE:
        return False
    middle = 4 + encoding[3]
    return (
        encoding[1] == len(encoding) - 2 < _TOP_BIT
        and encoding[2] == INTEGER
        and middle + 2 < len(encoding)
        and encoding[middle] == INTEGER
        and encoding[middle + 1] == len(encoding) - middle - 2
        and _is_positive(encoding[4:middle])
        and _is_positive(encoding[middle + 2 :])
    )


def _is_positive(content: bytes) -> bool:
    if not content:
        return False
    if content[0] == 0:
        return len(content) > 1 and content[1] >= _TOP_BIT
    return content[0] < _TOP_BIT


def read_serial(reader: DerReader, item: str) -> int:
    """Read a serial number: positive and at most twenty bytes (RFC 5280, 4.1.2.2)."""
    serial = reader.integer()
    if serial <= 0 or serial.bit_length() > 8 * _MAX_SERIAL_BYTES:
        raise ParseError(
            Reason.SERIAL_INVALID,
            item,
            expected="a positive number of at most 20 bytes",
            found=f"{serial:#x}"[: 2 * _SHOWN],
        )
    return serial


def split_serial(entry: bytes, item: str) -> tuple[int, bytes]:
    """Read a serial number from the front of `entry`; returns it and the bytes after it."""
    end = 2 + entry[1] if len(entry) > _SHORTEST_INTEGER else 0
    content = entry[2:end]
    # Positive, minimal and at most twenty bytes, or else `read_serial` says what is wrong.
    if (
        entry[:1] == _INTEGER
        and 0 < len(content) == end - 2 <= _MAX_SERIAL_BYTES + 1
        and (
            0 < content[0] < _TOP_BIT
            if len(content) <= _MAX_SERIAL_BYTES
            else content[0] == 0 and content[1] >= _TOP_BIT
        )
    ):
        return int.from_bytes(content), entry[end:]
    reader = DerReader(entry, item)
    return read_serial(reader, item), reader.rest()


def read_time(reader: DerReader, item: str) -> int:
    """Read a time in one of the two forms RFC 5280 allows; returns Unix seconds."""
    tag = reader.next_tag()
    if tag not in _TIME_LENGTHS:
        raise ParseError(Reason.CERT_TIME_INVALID, item, expected="UTCTime or GeneralizedTime")
    text = reader.content(tag)
    try:
        return _seconds(tag, text)
    except ValueError as error:
        raise ParseError(
            Reason.CERT_TIME_INVALID,
            item,
            expected="a time of the calendar, in the form of RFC 5280",
            found=ascii(bytes(text[:_SHOWN])),
        ) from error


_SHOWN: Final = 32
"""So many bytes of what is wrong are shown."""

_TIME_LENGTHS: Final = {UTC_TIME: 13, GENERALIZED_TIME: 15}


@lru_cache(maxsize=1024)
def _seconds(tag: int, content: bytes) -> int:
    """Convert a time; remembered, as many entries of a list bear one date."""
    digits = content[:-1]
    if len(content) != _TIME_LENGTHS[tag] or content[-1:] != b"Z" or not digits.isdigit():
        raise ValueError("a time to the second, in UTC")
    if tag == UTC_TIME:
        digits = (b"20" if digits < b"50" else b"19") + digits
    elif digits < b"2050":
        raise ValueError("UTCTime before 2050")
    year, rest = int(digits[:4]), digits[4:]
    month, day, hour, minute, second = (int(rest[i : i + 2]) for i in range(0, 10, 2))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(moment.timestamp())


def utc_seconds(content: bytes) -> int | None:
    """Return the Unix seconds of a UTCTime's content, None when it is none."""
    try:
        return _seconds(UTC_TIME, content)
    except ValueError:
        return None


def read_extensions(reader: DerReader, item: str, invalid: Reason) -> Iterator[Extension]:
    """Read a list of extensions, each at most once, at least one."""
    seen: set[bytes] = set()
    for entry in reader.each(SEQUENCE):
        extension = _split_extension(entry) or _read_extension(entry, item)
        object_id = extension.object_id
        if object_id in seen or len(seen) == MAX_EXTENSIONS:
            raise ParseError(invalid, item, expected="each extension once", found=object_id.hex())
        seen.add(object_id)
        yield extension


def _split_extension(entry: bytes) -> Extension | None:
    """Take an extension in its usual form apart: lengths of one byte. None for any other form."""
    if len(entry) <= _SHORTEST_EXTENSION or entry[:2] != _THREE_BYTE_ID:
        return None
    start = _SHORTEST_EXTENSION
    critical = entry[start : start + 3] == _CRITICAL
    if critical:
        start += 3
    value = entry[start + 2 :]
    if entry[start : start + 1] != _OCTETS or not entry[start + 1 :]:
        return None
    if not entry[start + 1] == len(value) < _TOP_BIT:
        return None
    return Extension(entry[2:_SHORTEST_EXTENSION], critical, value)


def _read_extension(encoding: bytes, item: str) -> Extension:
    entry = DerReader(encoding, item)
    object_id = entry.content(OBJECT_ID)
    critical = False
    if entry.next_tag() == BOOLEAN:
        critical = entry.boolean()
        if not critical:
            raise ParseError(
                Reason.DER_NONCANONICAL, item, expected="no encoding of a default value"
            )
    value = entry.content(OCTET_STRING)
    entry.finish()
    return Extension(object_id, critical, value)


@lru_cache(maxsize=256)
def read_authority_key_id(value: bytes, item: str) -> bytes:
    """Return the key identifier of an authority key identifier extension."""
    outer = DerReader(value, item)
    sequence = outer.enter(SEQUENCE)
    outer.finish()
    if sequence.at_end:
        raise ParseError(Reason.KEY_ID_MISSING, item, expected="an authority key identifier")
    key_id = sequence.content(_KEY_IDENTIFIER)
    sequence.finish()
    if not key_id:
        raise ParseError(Reason.KEY_ID_MISSING, item, expected="an authority key identifier")
    return key_id
