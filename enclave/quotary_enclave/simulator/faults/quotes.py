"""Faults in the quote itself: container, signatures, quoting enclave and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from quotary_enclave.simulator.faults.deviations import (
    body,
    finished,
    header,
    qe,
    qe_report,
    quote,
    scenario,
)
from quotary_enclave.simulator.faults.fault import (
    Deviation,
    Fault,
    described,
    flat,
    nested,
    sgx,
    td15,
    tdx,
)
from quotary_enclave.simulator.keys import SeededKeys
from quotary_enclave.simulator.pki import Role
from quotary_enclave.simulator.quotes import SignatureForm, off_curve
from quotary_enclave.simulator.reports import DEBUG, SEPT_VE_DISABLE, SgxReport
from quotary_enclave.simulator.scenario import Scenario

__all__ = ["QUOTE_FAULTS", "QUOTE_VARIATIONS"]

_KEY_ELSEWHERE = "another attestation key"
_PROVISION_KEY: Final = 1 << 4
_EINITTOKEN_KEY: Final = 1 << 5
_TUD_BITS: Final = range(8)
_FORBIDDEN_TD_BITS: Final = (8, 15, 23, 26, 29, 32, 61)


def _carrying_off_curve_key(base: Scenario) -> Scenario:
    key = SeededKeys(base.seed).key(base.attestation_label)
    return base.with_qe(attestation_key=off_curve(key))


def _bound_to_another_key(base: Scenario) -> Scenario:
    other = SeededKeys(base.seed).octets("another binding", 32)
    return base.with_qe(report_data=other + bytes(32))


def _flipping_body(base: Scenario) -> Scenario:
    last = len(base.quote.signed_bytes()) - 1
    return replace(base, finish=lambda whole: _flipped(whole, last))


def _flipped(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]


def _with_body_size(difference: int, base: Scenario) -> Scenario:
    size = len(base.quote.body.encode())
    return base.with_quote(body_size=size + difference)


def _with_flags(flags: int, base: Scenario) -> Scenario:
    report = base.quote.body
    present = report.flags if isinstance(report, SgxReport) else 0
    return base.with_body(flags=present | flags)


def _td_bit(bit: int) -> Deviation:
    return body(td_attributes=SEPT_VE_DISABLE | 1 << bit)


def _container() -> Iterator[Fault]:
    for version in (0, 1, 2, 6, 0xFFFF):
        yield Fault(
            f"version-{version}",
            quote(version=version),
            "UNSUPPORTED_QUOTE_VERSION",
        )
    for kind in (0, 1, 3, 4):
        yield Fault(
            f"attestation-key-type-{kind}",
            header(attestation_key_type=kind),
            "UNSUPPORTED_ATT_KEY_TYPE",
        )
    yield Fault("tee-unknown", header(tee_type=5), "UNSUPPORTED_TEE_TYPE", nested)
    yield Fault(
        "tdx-in-version-3",
        header(tee_type=0x81),
        "TEE_TYPE_VERSION_MISMATCH",
        flat,
    )
    yield Fault("vendor", header(vendor_id=bytes(16)), "QE_VENDOR_MISMATCH")
    yield Fault("header-reserved", header(reserved=b"\1\0\0\0"), "RESERVED_NONZERO", nested)
    yield Fault("body-type", quote(body_type=9), "BODY_TYPE_UNSUPPORTED", described)
    yield Fault("body-size-less", partial(_with_body_size, -1), "BODY_SIZE_MISMATCH", described)
    yield Fault("body-size-more", partial(_with_body_size, 1), "BODY_SIZE_MISMATCH", described)
    yield Fault("cut-short", finished(lambda whole: whole[:-1]), "QUOTE_TRUNCATED")
    yield Fault("padding-enormous", quote(padding=32 * 1024), "INPUT_TOO_LARGE")
    yield Fault(
        "trailing-bytes",
        finished(lambda whole: whole + b"\1"),
        "QUOTE_TRAILING_BYTES",
    )


def _signature_data() -> Iterator[Fault]:
    wrong_type, bad_length = "CERT_DATA_TYPE_UNSUPPORTED", "LENGTH_OUT_OF_RANGE"
    for kind in (5, 7, 99):
        yield Fault(
            f"outer-type-{kind}",
            quote(outer_type=kind),
            wrong_type,
            nested,
        )
    for kind in (0, 6, 7):
        yield Fault(
            f"certification-type-{kind}",
            quote(certification_type=kind),
            wrong_type,
        )
    yield Fault("padding-inside", quote(nested_padding=1), bad_length)
    yield Fault("certification-length", quote(certification_length=0xFFFFFFFF), bad_length)
    yield Fault("auth-length", quote(auth_length=0xFFFF), "QE_AUTH_LEN_INVALID")
    yield Fault("outer-length", quote(outer_length=0xFFFFFFFF), bad_length, nested)


def _signatures() -> Iterator[Fault]:
    forged, unvouched = "QUOTE_SIGNATURE_INVALID", "QE_REPORT_SIGNATURE_INVALID"
    spoiled = (
        SignatureForm.ZERO_R,
        SignatureForm.ZERO_S,
        SignatureForm.R_AT_ORDER,
        SignatureForm.S_AT_ORDER,
    )
    for form in spoiled:
        name = form.name.lower().replace("_", "-")
        yield Fault(
            f"quote-signature-{name}",
            quote(signature=form),
            "SIGNATURE_INVALID",
        )
        yield Fault(
            f"qe-signature-{name}",
            qe(signature=form),
            "SIGNATURE_INVALID",
        )
    flipped = SignatureForm.FLIPPED
    yield Fault("quote-signature-flipped", quote(signature=flipped), forged)
    yield Fault("qe-signature-flipped", qe(signature=flipped), unvouched)
    yield Fault("quote-signer", scenario(quote_signer=_KEY_ELSEWHERE), forged)
    yield Fault("body-altered", _flipping_body, forged)
    yield Fault("qe-signer", scenario(qe_signer=Role.STRANGER), unvouched)
    yield Fault("attestation-key-off-curve", _carrying_off_curve_key, "PUBKEY_NOT_ON_CURVE")
    yield Fault("qe-binds-another-key", _bound_to_another_key, "QE_REPORT_DATA_MISMATCH")


def _quoting_enclave() -> Iterator[Fault]:
    yield Fault("qe-misc", qe_report(misc_select=1), "QE_MISCSELECT_MISMATCH")
    yield Fault("qe-flags", qe_report(flags=0x35), "QE_ATTRIBUTES_MISMATCH")
    yield Fault("qe-debug", qe_report(flags=0x15 | DEBUG), "QE_DEBUG")
    yield Fault("qe-mrsigner", qe_report(mr_signer=bytes(32)), "QE_MRSIGNER_MISMATCH")
    yield Fault("qe-product", qe_report(isv_prod_id=9), "QE_ISVPRODID_MISMATCH")
    yield Fault("qe-ancient", qe_report(isv_svn=1), "QE_TCB_NO_MATCH")
    yield Fault("qe-outdated", qe_report(isv_svn=5), "TCB_STATUS_NOT_ALLOWED")


def _attributes() -> Iterator[Fault]:
    forbidden = "SGX_ATTR_FORBIDDEN"
    yield Fault("sgx-debug", partial(_with_flags, DEBUG), forbidden, sgx)
    yield Fault("sgx-provision-key", partial(_with_flags, _PROVISION_KEY), forbidden, sgx)
    yield Fault("sgx-einittoken-key", partial(_with_flags, _EINITTOKEN_KEY), forbidden, sgx)
    yield Fault("sgx-reserved", body(reserved=b"\1" + bytes(41)), "RESERVED_NONZERO", sgx)
    for bit in _TUD_BITS:
        yield Fault(
            f"td-debug-{bit}",
            _td_bit(bit),
            "TD_DEBUG",
            tdx,
        )
    for bit in _FORBIDDEN_TD_BITS:
        yield Fault(
            f"td-attribute-{bit}",
            _td_bit(bit),
            "TD_ATTR_FORBIDDEN",
            tdx,
        )
    yield Fault("sept-ve", body(td_attributes=0), "SEPT_VE_NOT_DISABLED", tdx)
    yield Fault("service-td-bit", _td_bit(17), "TD_ATTR_FORBIDDEN", tdx)
    yield Fault("service-td", body(mr_service_td=b"\1" * 48), "SERVICE_TD_FORBIDDEN", td15)


def _variations() -> Iterator[Fault]:
    for length in (0, 1, 64, 1000):
        yield Fault(
            f"auth-data-{length}",
            qe(auth_data=bytes(length)),
            None,
        )
    yield Fault("zero-padding", quote(padding=4096), None)
    yield Fault("quote-high-s", quote(signature=SignatureForm.HIGH_S), None)
    yield Fault("quote-low-s", quote(signature=SignatureForm.LOW_S), None)
    yield Fault("qe-high-s", qe(signature=SignatureForm.HIGH_S), None)
    yield Fault("user-data", header(user_data=b"\xff" * 20), None)


QUOTE_FAULTS: Final = (
    *_container(),
    *_signature_data(),
    *_signatures(),
    *_quoting_enclave(),
    *_attributes(),
)
QUOTE_VARIATIONS: Final = tuple(_variations())
