"""What certificates and revocation lists share: algorithm, times, serial numbers, key ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from quotary._der import (
    BOOLEAN,
    GENERALIZED_TIME,
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
    "is_usual_serial",
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
_MIDDLE_SEQUENCE: Final = bytes([SEQUENCE, 0x81])
_LONG_SEQUENCE: Final = bytes([SEQUENCE, 0x82])
_POSITIVE: Final = rb"\x02(?:\x20[\x01-\x7f]|\x21\x00[\x80-\xff]).{31}"
_USUAL_SIGNATURE: Final = re.compile(
    re.escape(_ECDSA_WITH_SHA256) + rb"\x03(.)\x00(\x30(.)" + _POSITIVE * 2 + b")", re.DOTALL
)
"""The algorithm, and a signature of two positive integers of 32 bytes."""
_MAX_SERIAL_BYTES: Final = 20
_KEY_IDENTIFIER: Final = 0x80
_INTEGER: Final = b"\x02"
_SHORTEST_INTEGER: Final = 3
_SHORTEST_EXTENSION: Final = 5
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
    return _split_usual(der) or _split_any(der, item)


def _split_any(der: bytes, item: str) -> tuple[bytes, bytes]:
    file = DerReader(der, item)
    outer = file.enter(SEQUENCE)
    file.finish()
    tbs = outer.whole(SEQUENCE)
    read_algorithm(outer, item)
    signature = _read_signature(outer, item)
    outer.finish()
    return tbs, signature


def _split_usual(der: bytes) -> tuple[bytes, bytes] | None:
    """The same for the lengths that nearly all of Intel's have; None for any other form."""
    if der[4:6] == _LONG_SEQUENCE and der[6:7] > b"\0":
        end = 8 + int.from_bytes(der[6:8])
    elif der[4:6] == _MIDDLE_SEQUENCE and der[6:7] >= b"\x80":
        end = 7 + der[6]
    else:
        return None
    match = _USUAL_SIGNATURE.fullmatch(der, end)
    if match is None:
        return None
    bits, pair, numbers = match.groups()
    if (
        der[:2] != _LONG_SEQUENCE
        or der[2] == 0
        or int.from_bytes(der[2:4]) != len(der) - 4
        or bits[0] != len(pair) + 1
        or numbers[0] != len(pair) - 2
    ):
        return None
    return der[4:end], pair


def _read_signature(reader: DerReader, item: str) -> bytes:
    """Read a signature value and return it, checked to be DER of two positive integers."""
    signature = reader.bits()
    outer = DerReader(signature, f"{item} signature")
    pair = outer.enter(SEQUENCE)
    numbers = pair.integer(), pair.integer()
    pair.finish()
    outer.finish()
    if min(numbers) <= 0:
        raise ParseError(Reason.SIGNATURE_INVALID, item, expected="positive r and s")
    return signature


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
    if is_usual_serial(entry[:end]):
        return int.from_bytes(entry[2:end]), entry[end:]
    reader = DerReader(entry, item)
    return read_serial(reader, item), reader.rest()


def is_usual_serial(encoding: bytes) -> bool:
    """Whether a serial number is encoded: positive, minimal, at most twenty bytes."""
    content = encoding[2:]
    length = len(content)
    if encoding[:1] != _INTEGER or not 0 < length == encoding[1] <= _MAX_SERIAL_BYTES + 1:
        return False
    if length <= _MAX_SERIAL_BYTES:
        return 0 < content[0] < _TOP_BIT
    return content[0] == 0 and content[1] >= _TOP_BIT


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
