"""The bodies a quote can carry: SGX enclave reports and TD reports (Intel's sgx_quote_3/4/5.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["DEBUG", "SEPT_VE_DISABLE", "SgxReport", "TdReport"]

DEBUG: Final = 0x2
"""The DEBUG flag in the attributes of an SGX report."""

SEPT_VE_DISABLE: Final = 1 << 28
"""The TD attribute every well-kept guest sets: EPT violations never become exceptions."""

_SGX_FLAGS: Final = 0x5  # INIT and MODE64BIT
_XFRM: Final = 0xE7
_XFAM: Final = 0x602E7


@dataclass(frozen=True, slots=True)
class SgxReport:
    """An enclave report, 384 bytes; the quoting enclave's own report has the same form."""

    mr_enclave: bytes = bytes(32)
    mr_signer: bytes = bytes(32)
    report_data: bytes = bytes(64)
    cpu_svn: bytes = bytes(16)
    misc_select: int = 0
    flags: int = _SGX_FLAGS
    xfrm: int = _XFRM
    isv_prod_id: int = 0
    isv_svn: int = 0
    isv_ext_prod_id: bytes = bytes(16)
    isv_family_id: bytes = bytes(16)
    config_id: bytes = bytes(64)
    config_svn: int = 0
    reserved: bytes = bytes(42)

    def encode(self) -> bytes:
        """The report as the processor lays it out."""
        return struct.pack(
            "<16sI12x16sQQ32s32x32s32x64sHHH42s16s64s",
            *(self.cpu_svn, self.misc_select, self.isv_ext_prod_id, self.flags, self.xfrm),
            *(self.mr_enclave, self.mr_signer, self.config_id),
            *(self.isv_prod_id, self.isv_svn, self.config_svn, self.reserved),
            *(self.isv_family_id, self.report_data),
        )


@dataclass(frozen=True, slots=True)
class TdReport:
    """
    A TD report: 1.0 (584 bytes), 1.5 (648 bytes) with `tee_tcb_svn2` and `mr_service_td`, or 1.5ex.

    Which one it is follows from what is given: a `tee_tcb_svn2` makes it 1.5, an `extension` of 237
    bytes (the fields from VMID on) makes it 1.5ex.
    """

    tee_tcb_svn: bytes = bytes((5, 1, 4)) + bytes(13)
    mr_seam: bytes = bytes(48)
    mr_signer_seam: bytes = bytes(48)
    seam_attributes: bytes = bytes(8)
    td_attributes: int = SEPT_VE_DISABLE
    xfam: int = _XFAM
    mr_td: bytes = bytes(48)
    mr_config_id: bytes = bytes(48)
    mr_owner: bytes = bytes(48)
    mr_owner_config: bytes = bytes(48)
    rtmrs: tuple[bytes, bytes, bytes, bytes] = (bytes(48),) * 4
    report_data: bytes = bytes(64)
    tee_tcb_svn2: bytes | None = None
    mr_service_td: bytes = bytes(48)
    extension: bytes | None = None

    def encode(self) -> bytes:
        """The report as the TDX module lays it out."""
        body = struct.pack(
            "<16s48s48s8sQQ48s48s48s48s48s48s48s48s64s",
            *(self.tee_tcb_svn, self.mr_seam, self.mr_signer_seam, self.seam_attributes),
            *(self.td_attributes, self.xfam, self.mr_td),
            *(self.mr_config_id, self.mr_owner, self.mr_owner_config),
            *(*self.rtmrs, self.report_data),
        )
        if self.tee_tcb_svn2 is None:
            return body
        return body + self.tee_tcb_svn2 + self.mr_service_td + (self.extension or b"")

    @property
    def body_type(self) -> int:
        """The body type of quote version 5."""
        if self.tee_tcb_svn2 is None:
            return 2
        return 3 if self.extension is None else 4
