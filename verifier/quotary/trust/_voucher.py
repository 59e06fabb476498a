"""What certifies one attestation key, proven under one collateral."""

from __future__ import annotations

from typing import NamedTuple

from quotary._ecdsa import PublicKey
from quotary.trust._platform import Platform

__all__ = ["Voucher", "tcb_versions"]


class Voucher(NamedTuple):
    """
    That these bytes certify an attestation key: what was proven of them, and the bytes themselves.

    All quotes of one attestation key carry the same certification data, authentication data and QE
    report, but for the report's signature, which is new in each of them, and no part of this.
    """

    certification_type: int
    certification_data: bytes
    qe_report: bytes
    qe_auth_data: bytes
    platform: Platform
    attestation_key_id: bytes
    signer: PublicKey
    versions: bytes


def tcb_versions(platform: Platform, qe_isv_svn: int) -> bytes:
    """Return all versions of platform and quoting enclave that TCB levels are matched with."""
    identity = platform.identity
    return bytes(identity.components) + identity.pce_svn.to_bytes(2) + qe_isv_svn.to_bytes(2)
