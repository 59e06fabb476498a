"""The SGX extension of a PCK certificate: which platform it is, and what it runs."""

from __future__ import annotations

import re
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from quotary._der import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OBJECT_ID,
    OCTET_STRING,
    SEQUENCE,
    DerReader,
)
from quotary.errors import ParseError, Reason
from quotary.tcb import COMPONENT_COUNT
from quotary.x509._certificate import SGX_EXTENSION_ID

__all__ = ["PckIdentity", "SgxType"]

_PPID, _TCB, _PCE_ID, _FMSPC, _SGX_TYPE, _INSTANCE_ID, _CONFIGURATION = range(1, 8)
_PCE_SVN: Final = 17
_CPU_SVN: Final = 18
_CPU_SVN_BYTES: Final = 16
_ITEM: Final = "SGX extension"
_SHORTEST: Final = 3
_ONE_BYTE: Final = bytes([INTEGER, 1])
_TOP_BIT: Final = 0x80


class SgxType(IntEnum):
    """How the platform protects memory integrity."""

    STANDARD = 0
    SCALABLE = 1
    SCALABLE_WITH_INTEGRITY = 2


class PckIdentity(NamedTuple):
    """
    What Intel certified of a platform.

    `components` and `pce_svn` are what TCB matching uses; `cpu_svn` is opaque and never compared.
    The last four fields exist on multi-package platforms (Platform CA) only; each flag may be
    unknown.
    """

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    sgx_type: SgxType
    platform_instance_id: bytes | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt_enabled: bool | None = None

    @classmethod
    def parse(cls, extension: bytes) -> PckIdentity:
        """Parse the extension's value; raises `ParseError` with `PCK_EXT_INVALID`."""
        try:
            return _parse(extension)
        except ParseError as error:
            if error.reason is Reason.PCK_EXT_INVALID:
                raise
            raise ParseError(
                Reason.PCK_EXT_INVALID, _ITEM, expected=error.expected, found=error.found
            ) from error


def _parse(extension: bytes) -> PckIdentity:
    return _parse_usual(extension) or _parse_any(extension)


def _parse_any(extension: bytes) -> PckIdentity:
    fields = _entries(extension, SGX_EXTENSION_ID)
    if fields.keys() not in _FIELD_SETS:
        raise _invalid("fields 1 to 5, or 1 to 7", str(sorted(fields)))
    components, pce_svn, cpu_svn = _tcb(fields[_TCB])
    sgx_type = _SGX_TYPES.get(fields[_SGX_TYPE])
    if sgx_type is None:
        raise _invalid("SGX type 0 to 2", fields[_SGX_TYPE].hex())
    instance_id, flags = None, {}
    if _INSTANCE_ID in fields:
        instance_id = _octets(fields[_INSTANCE_ID], 16, "platform instance id")
        flags = _configuration(fields[_CONFIGURATION])
    return PckIdentity(
        ppid=_octets(fields[_PPID], 16, "PPID"),
        components=components,
        pce_svn=pce_svn,
        cpu_svn=cpu_svn,
        pce_id=_octets(fields[_PCE_ID], 2, "PCE id"),
        fmspc=_octets(fields[_FMSPC], 6, "FMSPC"),
        sgx_type=sgx_type,
        platform_instance_id=instance_id,
        dynamic_platform=flags.get(1),
        cached_keys=flags.get(2),
        smt_enabled=flags.get(3),
    )


# Values stand in DER, which has one encoding only: comparing encodings compares values.
_SGX_TYPES: Final = {bytes([ENUMERATED, 1, kind]): kind for kind in SgxType}
_FLAGS: Final = {bytes([BOOLEAN, 1, 0x00]): False, bytes([BOOLEAN, 1, 0xFF]): True}
_FIELD_SETS: Final = ({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6, 7})
_TCB_FIELDS: Final = frozenset(range(1, _CPU_SVN + 1))
_CONFIGURATION_FIELDS: Final = frozenset({1, 2, 3})


def _entries(sequence: bytes, prefix: bytes) -> dict[int, bytes]:
    """Read `SEQUENCE { prefix.n, value }` entries; n is the key, the value is left in DER."""
    reader = DerReader(sequence, _ITEM)
    content = reader.enter(SEQUENCE)
    reader.finish()
    start = bytes([OBJECT_ID, len(prefix) + 1]) + prefix
    length = len(start) + 1
    entries: dict[int, bytes] = {}
    for entry in content.each(SEQUENCE):
        if len(entry) <= length or not entry.startswith(start) or entry[length - 1] in entries:
            raise _invalid("known fields, each once", entry[:length].hex())
        entries[entry[length - 1]] = entry[length:]
    return entries


def _tcb(field: bytes) -> tuple[tuple[int, ...], int, bytes]:
    if len(field) == len(_USUAL_TCB):
        # Nearly all platforms: versions below 128, in order, so that only their bytes differ.
        usual, cpu_svn = bytearray(field), field[-_CPU_SVN_BYTES:]
        versions = field[_VERSIONS]
        usual[_VERSIONS] = bytes(_PCE_SVN)
        usual[-_CPU_SVN_BYTES:] = bytes(_CPU_SVN_BYTES)
        if usual == _USUAL_TCB and max(versions) < _TOP_BIT:
            return tuple(versions[:-1]), versions[-1], cpu_svn
    levels = _entries(field, SGX_EXTENSION_ID + b"\x02")
    if levels.keys() != _TCB_FIELDS:
        raise _invalid("16 components, PCESVN and CPUSVN", str(sorted(levels)))
    components = tuple([_number(levels[i], 0xFF) for i in range(1, COMPONENT_COUNT + 1)])
    pce_svn = _number(levels[_PCE_SVN], 0xFFFF)
    return components, pce_svn, _octets(levels[_CPU_SVN], _CPU_SVN_BYTES, "CPUSVN")


def _usual_tcb() -> bytes:
    """The TCB field with all versions zero, and each of them in one byte."""
    name = SGX_EXTENSION_ID + b"\x02"
    body = b"".join(
        _der(SEQUENCE, _der(OBJECT_ID, name + bytes([i])) + _der(INTEGER, b"\0"))
        for i in range(1, _CPU_SVN)
    ) + _der(
        SEQUENCE,
        _der(OBJECT_ID, name + bytes([_CPU_SVN])) + _der(OCTET_STRING, bytes(_CPU_SVN_BYTES)),
    )
    return bytes([SEQUENCE, 0x82]) + len(body).to_bytes(2) + body


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _usual_extension() -> bytes:
    """The extension the Platform CA certifies, with zeros for all values."""
    flags = (_entry(bytes([_CONFIGURATION, flag]), _der(BOOLEAN, b"\0")) for flag in (1, 2, 3))
    body = (
        _entry(bytes([_PPID]), _der(OCTET_STRING, bytes(16)))
        + _entry(bytes([_TCB]), _usual_tcb())
        + _entry(bytes([_PCE_ID]), _der(OCTET_STRING, bytes(2)))
        + _entry(bytes([_FMSPC]), _der(OCTET_STRING, bytes(6)))
        + _entry(bytes([_SGX_TYPE]), _der(ENUMERATED, b"\0"))
        + _entry(bytes([_INSTANCE_ID]), _der(OCTET_STRING, bytes(16)))
        + _entry(bytes([_CONFIGURATION]), _der(SEQUENCE, b"".join(flags)))
    )
    return bytes([SEQUENCE, 0x82]) + len(body).to_bytes(2) + body


def _entry(path: bytes, value: bytes) -> bytes:
    content = _der(OBJECT_ID, SGX_EXTENSION_ID + path) + value
    length = len(content)
    long = length >= _TOP_BIT
    return bytes([SEQUENCE, *((0x82, length >> 8, length & 0xFF) if long else (length,))]) + content


_USUAL_TCB: Final = _usual_tcb()
_ENTRY_BYTES: Final = 18
_VERSIONS: Final = slice(4 + _ENTRY_BYTES - 1, 4 + _PCE_SVN * _ENTRY_BYTES, _ENTRY_BYTES)

_USUAL: Final = _usual_extension()


def _value_at(number: int, length: int, header: int = 2) -> slice:
    """Where the content of a field stands in the usual extension, `header` bytes into its value."""
    name = _der(OBJECT_ID, SGX_EXTENSION_ID + bytes([number]))
    start = _USUAL.index(name) + len(name) + header
    return slice(start, start + length)


_TCB_AT: Final = _value_at(_TCB, len(_USUAL_TCB), 0)
_VERSIONS_AT: Final = slice(
    _TCB_AT.start + 3 + _ENTRY_BYTES, _TCB_AT.start + 4 + _PCE_SVN * _ENTRY_BYTES, _ENTRY_BYTES
)
_CPU_SVN_AT: Final = slice(_TCB_AT.stop - _CPU_SVN_BYTES, _TCB_AT.stop)
_FLAGS_AT: Final = slice(len(_USUAL) - 1 - 2 * _ENTRY_BYTES, len(_USUAL), _ENTRY_BYTES)
_PPID_AT: Final = _value_at(_PPID, 16)
_PCE_ID_AT: Final = _value_at(_PCE_ID, 2)
_FMSPC_AT: Final = _value_at(_FMSPC, 6)
_SGX_TYPE_AT: Final = _value_at(_SGX_TYPE, 1)
_INSTANCE_ID_AT: Final = _value_at(_INSTANCE_ID, 16)
_KINDS: Final = {bytes([kind]): kind for kind in SgxType}
_TRUTH: Final = {0x00: False, 0xFF: True}


def _layout() -> Struct:
    """The usual extension as pairs: what is the same in all of them, then a value."""
    form, end = ">", 0
    for at in (
        _PPID_AT,
        _VERSIONS_AT,
        _CPU_SVN_AT,
        _PCE_ID_AT,
        _FMSPC_AT,
        _SGX_TYPE_AT,
        _INSTANCE_ID_AT,
        _FLAGS_AT,
    ):
        positions = range(len(_USUAL))[at]
        if at.step is None:
            form += f"{at.start - end}s {len(positions)}s "
            end = at.stop
        else:
            for position in positions:
                form += f"{position - end}s B "
                end = position + 1
    return Struct(form)


_LAYOUT: Final = _layout()
_LITERALS: Final = _LAYOUT.unpack(_USUAL)[::2]

_LONG_VERSION: Final = re.compile(
    rb"\x30\x11(\x06\x0b" + re.escape(SGX_EXTENSION_ID + b"\x02") + rb"[\x01-\x11])"
    rb"\x02\x02\x00([\x80-\xff])"
)
"""A version from 128 to 255, which DER writes in two bytes. Many platforms have some of 255."""

_PIECES: Final = 3
"""What splitting finds for each: the object id, the version's byte, and all up to the next."""
_LENGTHS_AT: Final = (2, _TCB_AT.start - 14, _TCB_AT.start + 2)
"""Where lengths stand that count the versions: of the extension, the TCB entry and its value."""


def _shortened(extension: bytes) -> tuple[bytes, int]:
    """Write long versions in one byte, as no encoding does; returns how many there were as well."""
    pieces = _LONG_VERSION.split(extension)
    for at in range(1, len(pieces), _PIECES):
        pieces[at] = b"\x30\x10" + pieces[at] + b"\x02\x01"
    usual, count = bytearray(b"".join(pieces)), len(pieces) // _PIECES
    for at in _LENGTHS_AT:
        length = int.from_bytes(usual[at : at + 2]) - count
        usual[at : at + 2] = (length & 0xFFFF).to_bytes(2)
    return bytes(usual), count


def _parse_usual(extension: bytes) -> PckIdentity | None:
    """
    Read an extension of the usual form, None for any other.

    DER fixes by tags and lengths where values stand: what equals the usual extension in all but the
    contents of its values has them at the same places, once versions take one byte each.
    """
    long = 0
    if len(extension) > len(_USUAL):
        extension, long = _shortened(extension)
    if len(extension) != len(_USUAL):
        return None
    parts = _LAYOUT.unpack(extension)
    ppid, *versions, cpu_svn, pce_id, fmspc, sgx_type, instance_id, dynamic, cached, smt = parts[
        1::2
    ]
    kind = _KINDS.get(sgx_type)
    if (
        parts[::2] != _LITERALS
        or kind is None
        or (sum(map(_TOP_BIT.__le__, versions)) if long else max(versions) >= _TOP_BIT) != long
    ):
        return None
    pce_svn = versions.pop()
    try:
        flags = _TRUTH[dynamic], _TRUTH[cached], _TRUTH[smt]
    except KeyError:
        return None
    components = tuple(versions)
    identity = (ppid, components, pce_svn, cpu_svn, pce_id, fmspc, kind, instance_id, *flags)
    return tuple.__new__(PckIdentity, identity)


def _configuration(field: bytes) -> dict[int, bool]:
    entries = _entries(field, SGX_EXTENSION_ID + b"\x07")
    if not entries.keys() <= _CONFIGURATION_FIELDS:
        raise _invalid("configuration flags 1 to 3", str(sorted(entries)))
    if not _FLAGS.keys() >= set(entries.values()):
        raise _invalid("true or false", str([value.hex() for value in entries.values()]))
    return {key: _FLAGS[value] for key, value in entries.items()}


def _number(encoding: bytes, limit: int) -> int:
    if len(encoding) == _SHORTEST and encoding[:2] == _ONE_BYTE and encoding[2] < _TOP_BIT:
        return encoding[2]
    reader = DerReader(encoding, _ITEM)
    value = reader.integer()
    reader.finish()
    if not 0 <= value <= limit:
        raise _invalid(f"a version of at most {limit}", str(value))
    return value


def _octets(encoding: bytes, length: int, name: str) -> bytes:
    if encoding[:2] != bytes([OCTET_STRING, length]) or len(encoding) != length + 2:
        raise _invalid(f"a {name} of {length} bytes", encoding.hex())
    return encoding[2:]


def _invalid(expected: str, found: str) -> ParseError:
    return ParseError(Reason.PCK_EXT_INVALID, _ITEM, expected=expected, found=found)
