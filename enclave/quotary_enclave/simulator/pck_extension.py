"""The SGX extension of a PCK certificate, OID 1.2.840.113741.1.13.1 (Intel's PCK profile)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from quotary_enclave.simulator import der

__all__ = ["PCK_EXTENSION_OID", "PckExtension"]

PCK_EXTENSION_OID: Final = "1.2.840.113741.1.13.1"


@dataclass(frozen=True, slots=True)
class PckExtension:
    """
    What Intel certifies about one platform at one TCB level.

    `platform_instance_id` and the three configuration flags exist under the Platform CA only; a
    flag that is None is left out. `cpu_svn` defaults to the sixteen components, as on all
    platforms seen so far. `omitted`, `repeated` and `added` deviate from the profile: they name
    entries by their suffix (`"4"`, `"2.17"`), or hold whole encoded entries.
    """

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    fmspc: bytes
    pce_id: bytes = bytes(2)
    cpu_svn: bytes | None = None
    sgx_type: int = 1
    platform_instance_id: bytes | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt_enabled: bool | None = None
    omitted: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    added: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The extension's value, without the OCTET STRING that X.509 puts around it."""
        return der.sequence(*self._listed(self._entries()), *self.added)

    def _entries(self) -> Iterator[tuple[str, bytes]]:
        yield "1", der.octets(self.ppid)
        yield "2", der.sequence(*self._listed(self._tcb_entries()))
        yield "3", der.octets(self.pce_id)
        yield "4", der.octets(self.fmspc)
        yield "5", der.enumerated(self.sgx_type)
        if self.platform_instance_id is not None:
            yield "6", der.octets(self.platform_instance_id)
            yield "7", der.sequence(*self._listed(self._configuration_entries()))

    def _tcb_entries(self) -> Iterator[tuple[str, bytes]]:
        for number, svn in enumerate(self.components, start=1):
            yield f"2.{number}", der.integer(svn)
        yield "2.17", der.integer(self.pce_svn)
        yield "2.18", der.octets(self._cpu_svn())

    def _configuration_entries(self) -> Iterator[tuple[str, bytes]]:
        flags = (self.dynamic_platform, self.cached_keys, self.smt_enabled)
        for number, flag in enumerate(flags, start=1):
            if flag is not None:
                yield f"7.{number}", der.boolean(value=flag)

    def _cpu_svn(self) -> bytes:
        if self.cpu_svn is not None:
            return self.cpu_svn
        return bytes(svn & 0xFF for svn in self.components)

    def _listed(self, entries: Iterator[tuple[str, bytes]]) -> Iterator[bytes]:
        for suffix, value in entries:
            if suffix in self.omitted:
                continue
            entry = der.sequence(der.object_id(f"{PCK_EXTENSION_OID}.{suffix}"), value)
            yield entry
            if suffix in self.repeated:
                yield entry
