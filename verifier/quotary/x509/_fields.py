"""What single fields and extensions of certificates say."""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache
from typing import Final

from quotary._der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OBJECT_ID,
    OCTET_STRING,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    UTF8_STRING,
    DerReader,
)
from quotary.errors import ParseError, Reason

__all__ = [
    "KeyUsage",
    "read_basic_constraints",
    "read_common_name",
    "read_key_usage",
    "read_subject_key_id",
]

_ONE_BYTE_OF_BITS: Final = 2
_MAX_UNUSED_BITS: Final = 7
_MAX_PATH_LENGTH: Final = 0xFF
_COMMON_NAME: Final = bytes.fromhex("550403")


class KeyUsage(IntFlag):
    """The uses Intel's certificates speak of, as bits of the first byte of the extension."""

    DIGITAL_SIGNATURE = 0x80
    KEY_CERT_SIGN = 0x04
    CRL_SIGN = 0x02


# Nearly all certificates have the very same names, usages and constraints: each form is read once.


@lru_cache(maxsize=256)
def read_common_name(name: bytes, item: str) -> str:
    """Return the one common name in `name`, the DER of a name."""
    attributes = DerReader(name, item).enter(SEQUENCE)
    common_names = []
    while not attributes.at_end:
        group = attributes.enter(SET)
        attribute = group.enter(SEQUENCE)
        group.finish()
        object_id = attribute.content(OBJECT_ID)
        if object_id == _COMMON_NAME:
            tag = attribute.next_tag()
            if tag not in (UTF8_STRING, PRINTABLE_STRING):
                raise ParseError(Reason.CERT_INVALID, item, expected="a common name as text")
            common_names.append(attribute.content(tag))
            attribute.finish()
    if len(common_names) != 1 or not common_names[0].isascii():
        raise ParseError(Reason.CERT_INVALID, item, expected="one common name, in ASCII")
    return common_names[0].decode("ascii")


def read_subject_key_id(value: bytes, item: str) -> bytes:
    """Return the key identifier of a subject key identifier extension."""
    reader = DerReader(value, item)
    key_id = reader.content(OCTET_STRING)
    reader.finish()
    if not key_id:
        raise ParseError(Reason.KEY_ID_MISSING, item, expected="a subject key identifier")
    return key_id


@lru_cache(maxsize=256)
def read_key_usage(value: bytes, item: str) -> KeyUsage:
    """Return the usage bits of a key usage extension."""
    reader = DerReader(value, item)
    content = reader.content(BIT_STRING)
    reader.finish()
    if (
        len(content) != _ONE_BYTE_OF_BITS
        or content[0] > _MAX_UNUSED_BITS
        or content[1] & ((1 << content[0]) - 1)
    ):
        raise ParseError(Reason.KEY_USAGE, item, expected="one byte of key usage bits")
    return KeyUsage(content[1])


@lru_cache(maxsize=256)
def read_basic_constraints(value: bytes, item: str) -> tuple[bool, int | None]:
    """Return whether a basic constraints extension speaks of an authority, and the path length."""
    reader = DerReader(value, item)
    sequence = reader.enter(SEQUENCE)
    reader.finish()
    is_ca = False
    if sequence.next_tag() == BOOLEAN:
        is_ca = sequence.boolean()
        if not is_ca:
            raise ParseError(
                Reason.DER_NONCANONICAL, item, expected="no encoding of a default value"
            )
    path_length = sequence.integer(INTEGER) if sequence.next_tag() == INTEGER else None
    sequence.finish()
    if path_length is not None and (not is_ca or not 0 <= path_length <= _MAX_PATH_LENGTH):
        raise ParseError(
            Reason.BASIC_CONSTRAINTS, item, expected="a small path length, of an authority"
        )
    return is_ca, path_length
