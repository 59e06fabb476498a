"""Random changes of a scenario's quote, report and quoting enclave, signed over what changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from quotary_enclave.simulator import Role, Scenario, SgxReport, SignatureForm, TdReport

__all__ = ["QUOTE_CHANGES", "Change", "random_svn"]

Change = Callable[[Random, Scenario], Scenario]
"""Returns the scenario unchanged where it cannot have the change."""

_NEAR = (-2, -1, 0, 0, 0, 1, 2)
_TD_BITS = (0, 1, 4, 6, 7, 15, 16, 17, 18, 22, 23, 27, 28, 29, 30, 31, 32, 61, 62, 63)


def near(rng: Random, value: int, limit: int = 255) -> int:
    """A number close to `value`, where comparisons turn."""
    return min(limit, max(0, value + rng.choice(_NEAR)))


def random_svn(rng: Random, base: bytes) -> bytes:
    """A TEE TCB SVN close to `base`; the module's major version varies, too."""
    svn = [near(rng, value) if rng.random() < 0.4 else value for value in base]
    if rng.random() < 0.4:
        svn[1] = rng.choice((0, 1, 1, 2, 3))
    return bytes(svn)


def header(rng: Random, base: Scenario) -> Scenario:
    """One field of the header."""
    changes: tuple[dict[str, Any], ...] = (
        {"attestation_key_type": rng.choice((0, 1, 2, 3, 4, 0xFFFF))},
        {"tee_type": rng.choice((0, 0x81, 1, 0x80, 0xFFFFFFFF))},
        {"reserved": rng.choice((bytes(4), rng.randbytes(4)))},
        {"vendor_id": rng.choice((bytes(16), rng.randbytes(16)))},
        {"user_data": rng.randbytes(20)},
    )
    return base.with_header(**rng.choice(changes))


def version(rng: Random, base: Scenario) -> Scenario:
    """Another version, with whatever body there is."""
    return base.with_quote(version=rng.choice((2, 3, 4, 5, 6)))


def descriptor(rng: Random, base: Scenario) -> Scenario:
    """The body's description in version 5."""
    size = len(base.quote.body.encode())
    if rng.random() < 0.5:
        return base.with_quote(body_type=rng.choice((0, 1, 2, 3, 4, 5)))
    return base.with_quote(body_size=rng.choice((0, size - 1, size + 1, 384, 584, 648, 885)))


def container(rng: Random, base: Scenario) -> Scenario:
    """Types and lengths inside the signature data, and what surrounds it."""
    changes: tuple[dict[str, Any], ...] = (
        {"certification_type": rng.randrange(9)},
        {"outer_type": rng.randrange(9)},
        {"nested_padding": rng.randrange(4)},
        {"padding": rng.choice((0, 1, 100, 3000))},
        {"signature_length": rng.randrange(6000)},
        {"auth_length": rng.choice((0, 31, 33, 0xFFFF))},
        {"certification_length": rng.randrange(6000)},
        {"outer_length": rng.randrange(6000)},
        {"signature": rng.choice(list(SignatureForm))},
    )
    return base.with_quote(**rng.choice(changes))


def quoting_enclave(rng: Random, base: Scenario) -> Scenario:
    """What the quoting enclave adds."""
    changes: tuple[dict[str, Any], ...] = (
        {"auth_data": rng.randbytes(rng.choice((0, 1, 16, 31, 32, 32, 33, 64, 500)))},
        {"report_data": rng.randbytes(64)},
        {"signature": rng.choice(list(SignatureForm))},
        {"attestation_key": rng.randbytes(64)},
    )
    return base.with_qe(**rng.choice(changes))


def qe_report(rng: Random, base: Scenario) -> Scenario:
    """The quoting enclave's report."""
    report = base.qe.report
    changes: tuple[dict[str, Any], ...] = (
        {"isv_svn": near(rng, report.isv_svn, 0xFFFF)},
        {"isv_svn": rng.randrange(14)},
        {"isv_prod_id": rng.choice((0, 1, 2, 0x0100))},
        {"flags": report.flags ^ (1 << rng.randrange(64))},
        {"xfrm": report.xfrm ^ (1 << rng.randrange(64))},
        {"misc_select": 1 << rng.randrange(32)},
        {"mr_signer": rng.randbytes(32)},
        {"mr_enclave": rng.randbytes(32), "cpu_svn": rng.randbytes(16)},
        {"reserved": rng.choice((bytes(42), rng.randbytes(42)))},
        {"config_id": rng.randbytes(64), "config_svn": rng.randrange(1 << 16)},
    )
    return base.with_qe_report(**rng.choice(changes))


def report(rng: Random, base: Scenario) -> Scenario:
    """The report the quote is about."""
    body = base.quote.body
    if isinstance(body, TdReport):
        return _td_report(rng, body, base)
    return _enclave_report(rng, body, base)


def _enclave_report(rng: Random, body: SgxReport, base: Scenario) -> Scenario:
    changes: tuple[dict[str, Any], ...] = (
        {"flags": body.flags ^ (1 << rng.randrange(64))},
        {"flags": body.flags ^ (1 << rng.choice((0, 1, 2, 4, 5, 6, 7, 10)))},
        {"xfrm": rng.getrandbits(64)},
        {"misc_select": rng.getrandbits(32)},
        {"mr_enclave": rng.randbytes(32), "mr_signer": rng.randbytes(32)},
        {"report_data": rng.randbytes(64)},
        {"reserved": rng.choice((bytes(42), rng.randbytes(42)))},
        {"isv_svn": rng.randrange(1 << 16), "isv_prod_id": rng.randrange(1 << 16)},
        {"config_id": rng.randbytes(64), "isv_family_id": rng.randbytes(16)},
    )
    return base.with_body(**rng.choice(changes))


def _td_report(rng: Random, body: TdReport, base: Scenario) -> Scenario:
    newer = body.tee_tcb_svn2
    changes: tuple[dict[str, Any], ...] = (
        {"tee_tcb_svn": random_svn(rng, body.tee_tcb_svn)},
        {"tee_tcb_svn2": newer and random_svn(rng, newer)},
        {"td_attributes": body.td_attributes ^ (1 << rng.choice(_TD_BITS))},
        {"td_attributes": body.td_attributes ^ (1 << rng.randrange(64))},
        {"xfam": rng.getrandbits(64)},
        {"mr_signer_seam": rng.choice((bytes(48), rng.randbytes(48)))},
        {"seam_attributes": rng.choice((bytes(8), bytes((1 << rng.randrange(8), *bytes(7)))))},
        {"mr_td": rng.randbytes(48), "mr_seam": rng.randbytes(48)},
        {"report_data": rng.randbytes(64), "mr_owner": rng.randbytes(48)},
        {"mr_service_td": rng.choice((bytes(48), rng.randbytes(48)))},
    )
    return base.with_body(**rng.choice(changes))


def signers(rng: Random, base: Scenario) -> Scenario:
    """Who signs the quote and the QE report."""
    if rng.random() < 0.5:
        return replace(base, quote_signer="somebody else")
    return replace(base, qe_signer=rng.choice([role for role in Role if role is not Role.PCK]))


QUOTE_CHANGES: tuple[Change, ...] = (
    header,
    version,
    descriptor,
    container,
    quoting_enclave,
    quoting_enclave,
    qe_report,
    qe_report,
    report,
    report,
    report,
    report,
    signers,
)
