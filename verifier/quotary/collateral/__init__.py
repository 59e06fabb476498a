"""Collateral: parsed here, judged in `quotary.trust`."""

from __future__ import annotations

from quotary.collateral._documents import MAX_DOCUMENT_BYTES, QeIdentity, TcbInfo
from quotary.collateral._evaluations import TcbEvaluation, TcbEvaluations
from quotary.collateral._raw import MAX_COLLATERAL_BYTES, RawCollateral, unwrap_signed

__all__ = [
    "MAX_COLLATERAL_BYTES",
    "MAX_DOCUMENT_BYTES",
    "QeIdentity",
    "RawCollateral",
    "TcbEvaluation",
    "TcbEvaluations",
    "TcbInfo",
    "unwrap_signed",
]
