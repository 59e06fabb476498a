"""The SGX extension of a PCK certificate: which platform it is, and what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from quotary._der import ENUMERATED, OBJECT_ID, OCTET_STRING, SEQUENCE, DerReader
from quotary.errors import ParseError, Reason
from quotary.tcb import COMPONENT_COUNT
from quotary.x509._certificate import SGX_EXTENSION_ID

__all__ = ["PckIdentity", "SgxType"]

_PPID, _TCB, _PCE_ID, _FMSPC, _SGX_TYPE, _INSTANCE_ID, _CONFIGURATION = range(1, 8)
_PCE_SVN: Final = 17
_CPU_SVN: Final = 18
_ITEM: Final = "SGX extension"


class SgxType(IntEnum):
    """How the platform protects memory integrity."""

    STANDARD = 0
    SCALABLE = 1
    SCALABLE_WITH_INTEGRITY = 2


@dataclass(frozen=True, slots=True)
class PckIdentity:
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
    reader = DerReader(extension, _ITEM)
    fields = _entries(reader.enter(SEQUENCE), SGX_EXTENSION_ID)
    reader.finish()
    if set(fields) not in ({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6, 7}):
        raise _invalid("fields 1 to 5, or 1 to 7", str(sorted(fields)))
    ppid = _octets(fields[_PPID], 16, "PPID")
    components, pce_svn, cpu_svn = _tcb(fields[_TCB])
    sgx_type = fields[_SGX_TYPE].integer(ENUMERATED)
    fields[_SGX_TYPE].finish()
    if sgx_type not in _SGX_TYPES:
        raise _invalid("SGX type 0 to 2", str(sgx_type))
    instance_id, flags = None, {}
    if _INSTANCE_ID in fields:
        instance_id = _octets(fields[_INSTANCE_ID], 16, "platform instance id")
        flags = _configuration(fields[_CONFIGURATION])
    return PckIdentity(
        ppid=ppid,
        components=components,
        pce_svn=pce_svn,
        cpu_svn=cpu_svn,
        pce_id=_octets(fields[_PCE_ID], 2, "PCE id"),
        fmspc=_octets(fields[_FMSPC], 6, "FMSPC"),
        sgx_type=_SGX_TYPES[sgx_type],
        platform_instance_id=instance_id,
        dynamic_platform=flags.get(1),
        cached_keys=flags.get(2),
        smt_enabled=flags.get(3),
    )


_SGX_TYPES: Final = {int(kind): kind for kind in SgxType}


def _entries(sequence: DerReader, prefix: bytes) -> dict[int, DerReader]:
    """Read `SEQUENCE { prefix.n, value }` entries; n is the key, the value is left to be read."""
    entries: dict[int, DerReader] = {}
    while not sequence.at_end:
        entry = sequence.enter(SEQUENCE)
        object_id = entry.content(OBJECT_ID)
        suffix = object_id[len(prefix) :]
        if not object_id.startswith(prefix) or len(suffix) != 1 or suffix[0] in entries:
            raise _invalid("known fields, each once", object_id.hex())
        entries[suffix[0]] = entry
    return entries


def _tcb(field: DerReader) -> tuple[tuple[int, ...], int, bytes]:
    levels = _entries(field.enter(SEQUENCE), SGX_EXTENSION_ID + b"\x02")
    field.finish()
    if set(levels) != set(range(1, _CPU_SVN + 1)):
        raise _invalid("16 components, PCESVN and CPUSVN", str(sorted(levels)))
    components = tuple(_number(levels[i], 0xFF) for i in range(1, COMPONENT_COUNT + 1))
    pce_svn = _number(levels[_PCE_SVN], 0xFFFF)
    return components, pce_svn, _octets(levels[_CPU_SVN], 16, "CPUSVN")


def _configuration(field: DerReader) -> dict[int, bool]:
    entries = _entries(field.enter(SEQUENCE), SGX_EXTENSION_ID + b"\x07")
    field.finish()
    if not set(entries) <= {1, 2, 3}:
        raise _invalid("configuration flags 1 to 3", str(sorted(entries)))
    flags = {}
    for key, entry in entries.items():
        flags[key] = entry.boolean()
        entry.finish()
    return flags


def _number(entry: DerReader, limit: int) -> int:
    value = entry.integer()
    entry.finish()
    if not 0 <= value <= limit:
        raise _invalid(f"a version of at most {limit}", str(value))
    return value


def _octets(entry: DerReader, length: int, name: str) -> bytes:
    value = entry.content(OCTET_STRING)
    entry.finish()
    if len(value) != length:
        raise _invalid(f"a {name} of {length} bytes", f"{len(value)} bytes")
    return value


def _invalid(expected: str, found: str) -> ParseError:
    return ParseError(Reason.PCK_EXT_INVALID, _ITEM, expected=expected, found=found)
