"""Trust: the pinned root, collateral verified under it, and platforms proven with both."""

from __future__ import annotations

from quotary.trust._collateral import REMEMBERED_PLATFORMS, Collateral, unix_seconds
from quotary.trust._evaluations import verify_evaluations
from quotary.trust._memory import Memory
from quotary.trust._pck_chain import verify_pck_chain
from quotary.trust._platform import Platform
from quotary.trust._root import INTEL_ROOT, TrustRoot
from quotary.trust._rules import (
    certificate_window,
    document_window,
    list_window,
    require_list_of,
    require_not_revoked,
    require_same_authority,
    require_same_tee,
    require_signed,
)
from quotary.trust._voucher import Voucher, tcb_versions
from quotary.trust._window import Window, WindowKind, require_within

__all__ = [
    "INTEL_ROOT",
    "REMEMBERED_PLATFORMS",
    "Collateral",
    "Memory",
    "Platform",
    "TrustRoot",
    "Voucher",
    "Window",
    "WindowKind",
    "certificate_window",
    "document_window",
    "list_window",
    "require_list_of",
    "require_not_revoked",
    "require_same_authority",
    "require_same_tee",
    "require_signed",
    "require_within",
    "tcb_versions",
    "unix_seconds",
    "verify_evaluations",
    "verify_pck_chain",
]
