"""One X.509 certificate revocation list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from quotary._der import GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, DerReader
from quotary.errors import ParseError, Reason
from quotary.x509._common import (
    read_algorithm,
    read_authority_key_id,
    read_extensions,
    read_time,
    split_serial,
    split_signed,
)

__all__ = ["MAX_CRL_BYTES", "RevocationList"]

MAX_CRL_BYTES: Final = 1024 * 1024
"""Intel's longest so far, of July 2026, listed 129 certificates in about 5 kB."""

_EXTENSIONS_TAG: Final = 0xA0
_AUTHORITY_KEY_ID: Final = bytes.fromhex("551d23")
_CRL_NUMBER: Final = bytes.fromhex("551d14")
_REASON_CODE: Final = bytes.fromhex("551d15")
_INVALIDITY_DATE: Final = bytes.fromhex("551d18")
_KNOWN: Final = frozenset({_AUTHORITY_KEY_ID, _CRL_NUMBER})
_KNOWN_OF_ENTRIES: Final = frozenset({_REASON_CODE, _INVALIDITY_DATE})


@dataclass(frozen=True)
class RevocationList:
    """A revocation list. Parsing checks its form, no signature. Times are Unix seconds."""

    tbs: bytes
    issuer: bytes
    this_update: int
    next_update: int
    authority_key_id: bytes
    number: int
    revoked: frozenset[int]
    signature: bytes

    @classmethod
    def parse(cls, der: bytes, item: str) -> RevocationList:
        """Parse one version 2 list that is all of `der`. Raises `ParseError`."""
        if len(der) > MAX_CRL_BYTES:
            raise ParseError(
                Reason.CRL_TOO_LARGE,
                item,
                expected=f"at most {MAX_CRL_BYTES} bytes",
                found=str(len(der)),
            )
        tbs, signature = split_signed(der, item)
        body = DerReader(tbs, item).enter(SEQUENCE)
        if body.integer() != 1:
            raise ParseError(Reason.CRL_INVALID, item, expected="version 2")
        read_algorithm(body, item)
        issuer = body.whole(SEQUENCE)
        this_update = read_time(body, item)
        if body.next_tag() not in (UTC_TIME, GENERALIZED_TIME):
            raise ParseError(Reason.CRL_NO_NEXT_UPDATE, item, expected="a next update")
        next_update = read_time(body, item)
        revoked = (
            _read_entries(body.enter(SEQUENCE), item)
            if body.next_tag() == SEQUENCE
            else frozenset()
        )
        authority_key_id, number = _read_extensions(body, item)
        return cls(
            tbs=tbs,
            issuer=issuer,
            this_update=this_update,
            next_update=next_update,
            authority_key_id=authority_key_id,
            number=number,
            revoked=revoked,
            signature=signature,
        )

    @cached_property
    def tbs_hash(self) -> bytes:
        """SHA-256 of the signed bytes."""
        return sha256(self.tbs).digest()


def _read_entries(entries: DerReader, item: str) -> frozenset[int]:
    """
    Read `SEQUENCE { serial, time, extensions }` entries and return the serials.

    What follows the serial is the same in nearly all entries of a list: each form is checked once.
    """
    serials: set[int] = set()
    checked: set[bytes] = set()
    for entry in entries.each(SEQUENCE):
        serial, rest = split_serial(entry, item)
        if rest not in checked:
            _check_rest_of_entry(rest, item)
            checked.add(rest)
        serials.add(serial)
    if not serials:
        raise ParseError(Reason.CRL_INVALID, item, expected="no list rather than an empty one")
    return frozenset(serials)


def _check_rest_of_entry(encoding: bytes, item: str) -> None:
    entry = DerReader(encoding, item)
    read_time(entry, item)
    if entry.at_end:
        return
    extensions = entry.enter(SEQUENCE)
    entry.finish()
    for extension in read_extensions(extensions, item, Reason.CRL_INVALID):
        if extension.critical and extension.object_id not in _KNOWN_OF_ENTRIES:
            raise _unknown_critical(item, extension.object_id)


def _read_extensions(body: DerReader, item: str) -> tuple[bytes, int]:
    if body.next_tag() != _EXTENSIONS_TAG:
        raise ParseError(Reason.CRL_INVALID, item, expected="extensions")
    wrapper = body.enter(_EXTENSIONS_TAG)
    body.finish()
    sequence = wrapper.enter(SEQUENCE)
    wrapper.finish()
    values = {}
    for extension in read_extensions(sequence, item, Reason.CRL_INVALID):
        if extension.critical and extension.object_id not in _KNOWN:
            raise _unknown_critical(item, extension.object_id)
        values[extension.object_id] = extension.value
    if _AUTHORITY_KEY_ID not in values:
        raise ParseError(Reason.KEY_ID_MISSING, item, expected="an authority key identifier")
    if _CRL_NUMBER not in values:
        raise ParseError(Reason.CRL_INVALID, item, expected="a CRL number")
    reader = DerReader(values[_CRL_NUMBER], item)
    number = reader.integer(INTEGER)
    reader.finish()
    if number < 0:
        raise ParseError(Reason.CRL_INVALID, item, expected="a CRL number of at least zero")
    return read_authority_key_id(values[_AUTHORITY_KEY_ID], item), number


def _unknown_critical(item: str, object_id: bytes) -> ParseError:
    return ParseError(
        Reason.CRL_INVALID, item, expected="no unknown critical extension", found=object_id.hex()
    )
