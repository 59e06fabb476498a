"""Single deviations, written as the field that changes: `header(vendor_id=bytes(16))`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quotary_enclave.simulator.documents import Edit
from quotary_enclave.simulator.faults.fault import Deviation
from quotary_enclave.simulator.pki import Role
from quotary_enclave.simulator.scenario import FieldValue

__all__ = [
    "body",
    "certificate",
    "collateral",
    "finished",
    "header",
    "pck",
    "pck_crl",
    "qe",
    "qe_identity",
    "qe_report",
    "quote",
    "root_crl",
    "scenario",
    "tcb_info",
]


def scenario(**changes: FieldValue) -> Deviation:
    """Change fields of the scenario itself."""
    return lambda base: replace(base, **changes)


def finished(edit: Callable[[bytes], bytes]) -> Deviation:
    """Edit the bytes of the finished quote."""
    return scenario(finish=edit)


def quote(**changes: FieldValue) -> Deviation:
    """Change fields of the quote."""
    return lambda base: base.with_quote(**changes)


def header(**changes: FieldValue) -> Deviation:
    """Change fields of the quote's header."""
    return lambda base: base.with_header(**changes)


def body(**changes: FieldValue) -> Deviation:
    """Change fields of the report the quote is about."""
    return lambda base: base.with_body(**changes)


def qe(**changes: FieldValue) -> Deviation:
    """Change what the quoting enclave adds."""
    return lambda base: base.with_qe(**changes)


def qe_report(**changes: FieldValue) -> Deviation:
    """Change fields of the QE report."""
    return lambda base: base.with_qe_report(**changes)


def certificate(role: Role, **changes: FieldValue) -> Deviation:
    """Change the certificate of `role`."""
    return lambda base: base.with_certificate(role, **changes)


def pck(**changes: FieldValue) -> Deviation:
    """Change the SGX extension of the PCK certificate."""
    return lambda base: base.with_pck(**changes)


def collateral(**changes: FieldValue) -> Deviation:
    """Change the collateral as a whole: signers, chains, missing parts."""
    return lambda base: base.with_collateral(**changes)


def tcb_info(*edits: Edit, **changes: FieldValue) -> Deviation:
    """Change the TCB info document."""
    return lambda base: base.with_tcb_info(*edits, **changes)


def qe_identity(*edits: Edit, **changes: FieldValue) -> Deviation:
    """Change the QE identity document."""
    return lambda base: base.with_qe_identity(*edits, **changes)


def root_crl(**changes: FieldValue) -> Deviation:
    """Change the root's revocation list."""
    return lambda base: base.with_root_crl(**changes)


def pck_crl(**changes: FieldValue) -> Deviation:
    """Change the revocation list of the platform's CA."""
    return lambda base: base.with_pck_crl(**changes)
