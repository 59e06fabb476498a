"""One X.509 certificate revocation list."""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import sha256
from typing import Final, NamedTuple

from quotary._der import GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, DerReader
from quotary.errors import ParseError, Reason
from quotary.x509._common import (
    read_algorithm,
    read_authority_key_id,
    read_extensions,
    read_time,
    split_serial,
    split_signed,
    utc_seconds,
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

_USUAL_LIST: Final = re.compile(
    rb"\x30(?:\x81.|\x82..)\x02\x01\x01\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
    rb"(\x30[\x20-\x7f].{32,127}?)\x17\x0d(.{13})\x17\x0d(.{13})(?:\x30\x82(..)(.*))?"
    rb"\xa0\x2f\x30\x2d\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01([\x00-\x7f])"
    rb"\x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14(.{20})",
    re.DOTALL,
)
"""Version, algorithm, issuer, times, entries if any, a number of one byte, authority key id."""

_USUAL_SERIAL: Final = rb"\x30(?:\x33\x02\x14[\x01-\x7f]|\x34\x02\x15\x00[\x80-\xff]).{19}"
"""An entry of the usual length up to the end of its serial number of twenty bytes."""
_USUAL_REST: Final = rb"\x17\x0d(.{13})\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01."
"""What follows there: a time and a reason code."""
_USUAL_ENTRIES: Final = re.compile(
    rb"%s(%s)(?:%s\1)*" % (_USUAL_SERIAL, _USUAL_REST, _USUAL_SERIAL), re.DOTALL
)
"""Entries that were all revoked at one time for one reason, as Intel's lists have them."""


class _Parts(NamedTuple):
    tbs: bytes
    tbs_hash: bytes
    issuer: bytes
    this_update: int
    next_update: int
    authority_key_id: bytes
    number: int
    entries: bytes
    signature: bytes


class RevocationList(_Parts):
    """
    A revocation list. Parsing checks its form, no signature. Times are Unix seconds.

    `tbs` are the signed bytes and `tbs_hash` their SHA-256; `entries` is the DER of all entries,
    which are checked, and taken apart when somebody asks for what they are.
    """

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
        fields = _read_usual(tbs, item) or _read_body(tbs, item)
        return tuple.__new__(cls, (tbs, sha256(tbs).digest(), *fields, signature))

    @cached_property
    def serials(self) -> frozenset[bytes]:
        """The numbers of revoked certificates as big-endian bytes without leading zeros."""
        return _read_entries(self.entries, "CRL entries") if self.entries else frozenset()

    @property
    def revoked(self) -> frozenset[int]:
        """The serial numbers of revoked certificates."""
        return frozenset(map(int.from_bytes, self.serials))

    def lists(self, serial: int) -> bool:
        """Whether the certificate with this `serial` number is revoked."""
        if not self.entries:
            return False
        number = _serial_bytes(serial)
        # What does not even occur in the entries is no number of theirs, and nearly none does.
        return number in self.entries and number in self.serials


_Fields = tuple[bytes, int, int, bytes, int, bytes]
"""Issuer, both times, key id, number and entries."""


def _read_usual(tbs: bytes, item: str) -> _Fields | None:
    """
    Read the signed part in the one form Intel's lists have, None for any other.

    DER fixes by tags and lengths where values stand: where those are the usual ones, strict parsing
    finds the same values. `tbs` must be one whole element.
    """
    match = _USUAL_LIST.fullmatch(tbs)
    if match is None:
        return None
    issuer, begin, end, length, entries, number, key_id = match.groups()
    this_update, next_update = utc_seconds(begin), utc_seconds(end)
    if len(issuer) != 2 + issuer[1] or this_update is None or next_update is None:
        return None
    if length is not None:
        if length[0] == 0 or int.from_bytes(length) != len(entries):
            return None
        _check_entries(entries, item)
    return issuer, this_update, next_update, key_id, number[0], entries or b""


def _read_body(tbs: bytes, item: str) -> _Fields:
    body = DerReader(tbs, item).enter(SEQUENCE)
    if body.integer() != 1:
        raise ParseError(Reason.CRL_INVALID, item, expected="version 2")
    read_algorithm(body, item)
    issuer = body.whole(SEQUENCE)
    this_update = read_time(body, item)
    if body.next_tag() not in (UTC_TIME, GENERALIZED_TIME):
        raise ParseError(Reason.CRL_NO_NEXT_UPDATE, item, expected="a next update")
    next_update = read_time(body, item)
    entries = b""
    if body.next_tag() == SEQUENCE:
        entries = body.content(SEQUENCE)
        _check_entries(entries, item)
    key_id, number = _read_extensions(body, item)
    return issuer, this_update, next_update, key_id, number, entries


def _check_entries(entries: bytes, item: str) -> None:
    """Raise `ParseError` unless `entries` are `SEQUENCE { serial, time, extensions }` each."""
    match = _USUAL_ENTRIES.fullmatch(entries)
    if match is None or utc_seconds(match[2]) is None:
        _read_entries(entries, item)


def _read_entries(entries: bytes, item: str) -> frozenset[bytes]:
    """Read entries one by one; what follows a serial, the same in many, is checked once."""
    serials: set[bytes] = set()
    rests: set[bytes] = set()
    for entry in DerReader(entries, item).each(SEQUENCE):
        serial, rest = split_serial(entry, item)
        if rest not in rests:
            _check_rest_of_entry(rest, item)
            rests.add(rest)
        serials.add(_serial_bytes(serial))
    if not serials:
        raise ParseError(Reason.CRL_INVALID, item, expected="no list rather than an empty one")
    return frozenset(serials)


def _serial_bytes(serial: int) -> bytes:
    return serial.to_bytes((serial.bit_length() + 7) // 8)


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
