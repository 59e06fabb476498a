"""Certificates, revocation lists and Intel's SGX extension: parsed strictly, judged by rule."""

from __future__ import annotations

from quotary.x509._certificate import MAX_CERTIFICATE_BYTES, Certificate, KeyUsage
from quotary.x509._chain import Role, require_issued, require_role, split_pem
from quotary.x509._crl import MAX_CRL_BYTES, RevocationList
from quotary.x509._pck import PckIdentity, SgxType

__all__ = [
    "MAX_CERTIFICATE_BYTES",
    "MAX_CRL_BYTES",
    "Certificate",
    "KeyUsage",
    "PckIdentity",
    "RevocationList",
    "Role",
    "SgxType",
    "require_issued",
    "require_role",
    "split_pem",
]
