"""Report bodies: what the TEE measured, field by field."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from quotary.errors import ParseError, Reason

__all__ = [
    "SGX_REPORT_BYTES",
    "SgxFlags",
    "SgxReport",
    "TdAttributes",
    "TdMigration",
    "TdReport",
]

SGX_REPORT_BYTES: Final = 384
_TD_REPORT_10_BYTES: Final = 584
_TD_REPORT_15_BYTES: Final = 648
_MEASURED: Final = slice(16, 320)
_FLAGS: Final = slice(48, 56)
_TD_MEASURED: Final = slice(120, 520)
_NO_SERVICE_TD: Final = bytes(48)

# The words between the fields are reserved and zero (Intel SDM, REPORT structure).
_SGX_RESERVED: Final = bytes(12 + 32 + 32 + 42)
_TD_10: Final = Struct("<16s 48s 48s 8s 8s 8s 48s 48s 48s 48s 48s 48s 48s 48s 64s")
_TD_15: Final = Struct("<16s 48s")
_NOTHING_FURTHER: Final = (None, None, None)
_TD_15EX: Final = Struct("<B 32s 48s 48s 8s 16s 16s 12s 48s 8s")


class SgxFlags(IntFlag):
    """The flags half of SGX ATTRIBUTES that policies speak of."""

    INIT = 1 << 0
    DEBUG = 1 << 1
    MODE64BIT = 1 << 2
    PROVISION_KEY = 1 << 4
    EINITTOKEN_KEY = 1 << 5
    CET = 1 << 6
    KSS = 1 << 7
    AEX_NOTIFY = 1 << 10


class TdAttributes(IntFlag):
    """The TD attributes (TDX Module ABI specification 348551, table of ATTRIBUTES)."""

    DEBUG = 1 << 0
    HGS_PLUS_PROF = 1 << 4
    PERF_PROF = 1 << 5
    PMT_PROF = 1 << 6
    ICSSD = 1 << 16
    SERVTD_EXT = 1 << 17
    LASS = 1 << 27
    SEPT_VE_DISABLE = 1 << 28
    MIGRATABLE = 1 << 29
    PKS = 1 << 30
    KL = 1 << 31
    TPA = 1 << 62
    PERFMON = 1 << 63


class _Octets:
    """A field of a report: bytes of it, cut out when they are read."""

    def __init__(self, start: int, length: int) -> None:
        self._at = slice(start, start + length)

    def __get__(self, report: SgxReport, _: type[SgxReport] | None = None) -> bytes:
        return report.data[self._at]


class _Number:
    """A field of a report: a number in little-endian order."""

    def __init__(self, start: int, length: int) -> None:
        self._at = slice(start, start + length)

    def __get__(self, report: SgxReport, _: type[SgxReport] | None = None) -> int:
        return int.from_bytes(report.data[self._at], "little")


class _Bytes(NamedTuple):
    data: bytes


class SgxReport(_Bytes):
    """
    An SGX enclave report, 384 bytes; also the form of the quoting enclave's report.

    Every quote has one or two of them, and few of their fields are read: so they are read late.
    """

    __slots__ = ()

    cpu_svn = _Octets(0, 16)
    misc_select = _Number(16, 4)
    isv_ext_prod_id = _Octets(32, 16)
    attributes = _Octets(48, 16)
    mr_enclave = _Octets(64, 32)
    mr_signer = _Octets(128, 32)
    config_id = _Octets(192, 64)
    isv_prod_id = _Number(256, 2)
    isv_svn = _Number(258, 2)
    config_svn = _Number(260, 2)
    isv_family_id = _Octets(304, 16)
    report_data = _Octets(320, 64)

    @classmethod
    def parse(cls, data: bytes, item: str) -> SgxReport:
        """Parse exactly 384 bytes; raises `ParseError` when a reserved word is not zero."""
        reserved = data[20:32] + data[96:128] + data[160:192] + data[262:304]
        if reserved != _SGX_RESERVED:
            raise ParseError(Reason.RESERVED_NONZERO, item, expected="zero in reserved words")
        return tuple.__new__(cls, (data,))

    def fields(self) -> dict[str, bytes | int]:
        """Return all fields by their names, in the order in which they stand."""
        return {
            name: getattr(self, name)
            for name, value in vars(type(self)).items()
            if isinstance(value, _Octets | _Number)
        }

    @property
    def flag_bits(self) -> int:
        """The flags half of the attributes, of which not all have names."""
        return int.from_bytes(self.data[_FLAGS], "little")

    @property
    def flags(self) -> SgxFlags:
        """The same by their names."""
        return SgxFlags(self.flag_bits)

    @property
    def xfrm(self) -> int:
        """The extended features half of the attributes."""
        return int.from_bytes(self.attributes[8:], "little")

    @property
    def measurement(self) -> bytes:
        """What a registry admits: MISCSELECT up to the report data, 304 bytes."""
        return self.data[_MEASURED]


class TdMigration(NamedTuple):
    """What TD report 1.5ex adds about migration and service TDs. Exposed, judged by nobody yet."""

    vmid: int
    td_id: bytes
    device_info_hash: bytes
    init_service_td_hash: bytes
    init_service_td_attributes: bytes
    init_cpu_svn: bytes
    init_tee_tcb_svn: bytes
    init_tee_fmspc: bytes
    current_service_td_hash: bytes
    current_service_td_attributes: bytes


class TdReport(NamedTuple):
    """A TD report: 1.0 (584 bytes), 1.5 (648) or 1.5ex (885); None where a version has no field."""

    data: bytes
    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmr0: bytes
    rtmr1: bytes
    rtmr2: bytes
    rtmr3: bytes
    report_data: bytes
    tee_tcb_svn2: bytes | None = None
    mr_service_td: bytes | None = None
    migration: TdMigration | None = None

    @classmethod
    def parse(cls, data: bytes) -> TdReport:
        """Parse a report of one of the three lengths, which the caller has checked."""
        further: tuple[object, ...] = _NOTHING_FURTHER
        if len(data) > _TD_REPORT_10_BYTES:
            migration = (
                TdMigration(*_TD_15EX.unpack_from(data, _TD_REPORT_15_BYTES))
                if len(data) > _TD_REPORT_15_BYTES
                else None
            )
            further = (*_TD_15.unpack_from(data, _TD_REPORT_10_BYTES), migration)
        return tuple.__new__(cls, (data, *_TD_10.unpack_from(data), *further))

    def fields(self) -> dict[str, object]:
        """Return all fields by their names, None where a version has no field."""
        return self._asdict()

    @property
    def attributes(self) -> TdAttributes:
        """The TD attributes as flags."""
        return TdAttributes(int.from_bytes(self.td_attributes, "little"))

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The four run-time measurement registers."""
        return self.rtmr0, self.rtmr1, self.rtmr2, self.rtmr3

    @property
    def measurement(self) -> bytes:
        """What a registry admits: TD attributes up to RTMR3, then MRSERVICETD, 448 bytes."""
        return self.data[_TD_MEASURED] + (self.mr_service_td or _NO_SERVICE_TD)
