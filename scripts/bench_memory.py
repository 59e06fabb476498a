"""What remembering a platform costs, measured on the process and on genuine sizes."""

from __future__ import annotations

import gc
import os
from hashlib import sha256
from pathlib import Path

from quotary import Quote
from quotary.trust import Memory, Platform
from quotary.x509 import Certificate, PckIdentity, split_pem

__all__ = ["bytes_per_platform"]


def bytes_per_platform(quote: bytes, count: int) -> int:
    """
    Fill a memory with `count` platforms and return the bytes the process grew by, for each.

    Every platform is one of its own: the leaf of `quote` with another PPID, its key loaded anew.
    """
    leaf = split_pem(Quote.parse(quote).certification_data, "PCK chain", 3)[0]
    extension = Certificate.parse(leaf, "PCK").sgx_extension
    if extension is None:
        raise ValueError("the quote's PCK certificate has no SGX extension")
    ppid = PckIdentity.parse(extension).ppid
    memory: Memory[bytes, Platform] = Memory(count)
    gc.collect()
    before = _resident()
    for number in range(count):
        other = leaf.replace(ppid, number.to_bytes(len(ppid)))
        platform = Platform.assemble(Certificate.parse(other, "PCK"))
        memory.remember(sha256(other).digest(), platform)
    gc.collect()
    return (_resident() - before) // len(memory)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
