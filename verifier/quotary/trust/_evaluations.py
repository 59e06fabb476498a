"""The list of TCB evaluations, verified down from the root."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final

from quotary.collateral import TcbEvaluations
from quotary.errors import CollateralError
from quotary.trust._collateral import issued_by_root, unix_seconds
from quotary.trust._documents import read_list_of
from quotary.trust._root import INTEL_ROOT, TrustRoot
from quotary.trust._rules import (
    certificate_window,
    document_window,
    list_window,
    require_not_revoked,
    require_signed,
)
from quotary.trust._window import require_within
from quotary.x509 import Role

__all__ = ["verify_evaluations"]

_ITEM: Final = "tcb_evaluations"
_CHAIN: Final = "tcb_evaluations_issuer_chain"


def verify_evaluations(
    document: bytes,
    signature: bytes,
    issuer_chain: bytes,
    root_ca_crl: bytes,
    root: TrustRoot = INTEL_ROOT,
    *,
    at: datetime,
) -> TcbEvaluations:
    """
    Return what `document` says once root, signer, signature and windows hold at the time `at`.

    `signature` is r ‖ s, `issuer_chain` PEM, `root_ca_crl` DER. Raises `CollateralError`, or
    `ParseError` for bad bytes.
    """
    root_crl = read_list_of(root.certificate, root_ca_crl, "root_ca_crl")
    require_not_revoked(root.certificate, root_crl, "root certificate")
    signer = issued_by_root(issuer_chain, Role.TCB_SIGNING, root, root_crl, _CHAIN)
    require_signed(sha256(document).digest(), signature, signer, _ITEM)
    evaluations = TcbEvaluations.parse(document)
    windows = (
        certificate_window(root.certificate, "root certificate"),
        list_window(root_crl, "root_ca_crl"),
        certificate_window(signer, _CHAIN),
        document_window(evaluations, _ITEM),
    )
    require_within(windows, unix_seconds(at), CollateralError)
    return evaluations
