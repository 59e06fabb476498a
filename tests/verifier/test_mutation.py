"""Every region of a genuine quote and of its collateral, changed: which check notices."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quotary import QuotaryError, Quote, RawCollateral, Reason, verify

from tests.verifier.genuine import Case, collateral_of, pick

SGX_RESERVED = {*range(20, 32), *range(96, 128), *range(160, 192), *range(262, 304)}


def reason_of(case: Case, quote: bytes) -> Reason | None:
    """Why the evidence is refused, None if it is not."""
    collateral = collateral_of(case.collateral_path, case.at)
    try:
        verify(quote, collateral, policy=None, at=case.at)
    except QuotaryError as error:
        return error.reason
    return None


def flipped(quote: bytes, position: int) -> bytes:
    changed = bytearray(quote)
    changed[position] ^= 0x01
    return bytes(changed)


@pytest.mark.parametrize("body", ["sgx", "tdx", "tdx15", "tdx15ex"])
def test_every_byte_of_the_body_is_signed(shared: Path, body: str) -> None:
    """A flipped bit in the body breaks the quote's signature, or a reserved word."""
    case = any_of(shared, body)
    quote = Quote.parse(case.quote)
    start = len(quote.signed_bytes) - len(quote.body.data)
    for position in range(start, len(quote.signed_bytes)):
        expected = {Reason.QUOTE_SIGNATURE_INVALID}
        if body == "sgx" and position - start in SGX_RESERVED:
            expected = {Reason.RESERVED_NONZERO}
        assert reason_of(case, flipped(case.quote, position)) in expected


@pytest.mark.parametrize("body", ["sgx", "tdx"])
def test_every_byte_of_the_header_is_checked_or_signed(shared: Path, body: str) -> None:
    """Format fields are refused by name, the vendor too; the rest is under the signature."""
    case = any_of(shared, body)
    for position in range(48):
        reason = reason_of(case, flipped(case.quote, position))
        if position < 8:
            assert reason is not None
        elif position < 12:
            signed = body == "sgx"
            expected = Reason.QUOTE_SIGNATURE_INVALID if signed else Reason.RESERVED_NONZERO
            assert reason is expected
        elif position < 28:
            assert reason is Reason.QE_VENDOR_MISMATCH
        else:
            assert reason is Reason.QUOTE_SIGNATURE_INVALID


@pytest.mark.parametrize("body", ["sgx", "tdx", "tdx15", "tdx15ex"])
def test_every_byte_of_the_signature_data_matters(shared: Path, body: str) -> None:
    """Signature, attestation key, QE report, its signature and authentication data."""
    case = any_of(shared, body)
    quote = Quote.parse(case.quote)
    nested = 0 if quote.version == 3 else 6
    regions = (
        (64, {Reason.QUOTE_SIGNATURE_INVALID, Reason.SIGNATURE_INVALID}),
        (64, {Reason.QE_REPORT_DATA_MISMATCH}),
        (nested, {Reason.CERT_DATA_TYPE_UNSUPPORTED, Reason.LENGTH_OUT_OF_RANGE}),
        (
            384,
            {
                Reason.QE_REPORT_SIGNATURE_INVALID,
                Reason.RESERVED_NONZERO,
                Reason.QE_REPORT_DATA_MISMATCH,
                Reason.QE_MISCSELECT_MISMATCH,
                Reason.QE_ATTRIBUTES_MISMATCH,
                Reason.QE_MRSIGNER_MISMATCH,
                Reason.QE_ISVPRODID_MISMATCH,
            },
        ),
        (64, {Reason.QE_REPORT_SIGNATURE_INVALID, Reason.SIGNATURE_INVALID}),
    )
    position = len(quote.signed_bytes) + 4
    for length, reasons in regions:
        for offset in range(length):
            assert reason_of(case, flipped(case.quote, position + offset)) in reasons
        position += length
    for offset in range(len(quote.qe_auth_data)):
        changed = flipped(case.quote, position + 2 + offset)
        assert reason_of(case, changed) is Reason.QE_REPORT_DATA_MISMATCH


def test_every_byte_of_the_pck_leaf_is_noticed(shared: Path) -> None:
    """A flipped bit inside the leaf's base64 never yields a verdict."""
    case = any_of(shared, "tdx15ex")
    start = case.quote.index(b"-----BEGIN") + 28
    end = case.quote.index(b"-----END")
    verdict = verify(case.quote, case.raw, policy=None, at=case.at)
    for position in range(start, end, 3):
        changed = flipped(case.quote, position)
        reason = reason_of(case, changed)
        if reason is None:
            # White space may become other white space; the certificate is then the same.
            assert changed[position : position + 1].isspace()
            assert verify(changed, case.raw, policy=None, at=case.at) == verdict


@pytest.mark.parametrize("name", [field.name for field in fields(RawCollateral)][:9])
def test_every_part_of_the_collateral_is_noticed(shared: Path, name: str) -> None:
    """A flipped bit in any part, at many places, is refused, with one of our errors."""
    case = any_of(shared, "tdx15ex")
    part: bytes = getattr(case.raw, name)
    for position in range(0, len(part), max(1, len(part) // 200)):
        changed = flipped(part, position)
        raw = replace(case.raw, **{name: changed})
        try:
            verify(case.quote, raw, policy=None, at=case.at)
        except QuotaryError:
            continue
        assert name.endswith("_chain")
        assert changed[position : position + 1].isspace()


def test_signatures_are_malleable_and_identify_nothing(shared: Path) -> None:
    """The other s is as valid, and leads to the same journal."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    case = any_of(shared, "tdx")
    quote = Quote.parse(case.quote)
    other_s = (order - int.from_bytes(quote.signature[32:])).to_bytes(32)
    twin = case.quote.replace(quote.signature, quote.signature[:32] + other_s)
    assert twin != case.quote
    collateral = collateral_of(case.collateral_path, case.at)
    verdicts = [verify(each, collateral, policy=None, at=case.at) for each in (case.quote, twin)]
    assert verdicts[0].journal() == verdicts[1].journal()


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("number", [0, -1])
def test_signature_numbers_out_of_range(shared: Path, half: int, number: int) -> None:
    """Zero, and the greatest 32 bytes, are no r and no s."""
    case = any_of(shared, "tdx")
    signature = Quote.parse(case.quote).signature
    halves = [signature[:32], signature[32:]]
    halves[half] = bytes([number & 0xFF]) * 32
    changed = case.quote.replace(signature, b"".join(halves))
    assert reason_of(case, changed) is Reason.SIGNATURE_INVALID


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_other_exception_escapes(shared: Path, data: st.DataObject) -> None:
    """Whatever is changed, in quote or collateral, only our errors come out."""
    case = any_of(shared, data.draw(st.sampled_from(["sgx", "tdx", "tdx15ex"])))
    part = data.draw(st.sampled_from(["quote", *(f.name for f in fields(RawCollateral)[:9])]))
    content = bytearray(case.quote if part == "quote" else getattr(case.raw, part))
    position = data.draw(st.integers(0, len(content)))
    removed = data.draw(st.integers(0, 8))
    content[position : position + removed] = data.draw(st.binary(max_size=8))
    quote = bytes(content) if part == "quote" else case.quote
    raw = case.raw if part == "quote" else replace(case.raw, **{part: bytes(content)})
    try:
        verify(quote, raw, policy=None, at=case.at)
    except QuotaryError as error:
        assert error.reason in Reason  # noqa: PT017


def any_of(shared: Path, body: str) -> Case:
    """A case with this body whose evidence alone is accepted."""
    for status in ("UpToDate", "OutOfDate", "SWHardeningNeeded"):
        try:
            return pick(shared, body, status)
        except StopIteration:
            continue
    raise LookupError(body)
