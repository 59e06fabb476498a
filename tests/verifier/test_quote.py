"""Parsing quotes: exact lengths, named refusals, and nothing but our errors."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary import ParseError, QuotaryError, Quote, Reason
from quotary.quote import MAX_QUOTE_BYTES, BodyType, SgxFlags, SgxReport, TdReport
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary_enclave.simulator import Simulator, samples

from tests.verifier.genuine import genuine_items

SAMPLES = {
    name: scenario.mint().quote
    for name, scenario in samples(Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"q")).items()
}
KINDS = ("sgx-v3-platform", "sgx-v4-platform", "td10-v4-platform", "td15ex-v5-platform")


def reason_of(data: bytes) -> Reason | None:
    """Why parsing refuses `data`, None if it does not."""
    try:
        Quote.parse(data)
    except QuotaryError as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", KINDS)
def test_truncation_at_every_offset_is_named(name: str) -> None:
    """Whatever is cut off, the quote is truncated; never another exception."""
    quote = SAMPLES[name]
    for length in range(len(quote)):
        assert reason_of(quote[:length]) is Reason.QUOTE_TRUNCATED


def test_genuine_quotes_truncated_at_every_offset(shared: Path) -> None:
    """The same with the certification data real quoting enclaves write."""
    for item in genuine_items(shared)[::8]:
        quote = (shared / "vectors" / item["file"]).read_bytes()
        for length in range(0, len(quote), 7):
            assert reason_of(quote[:length]) is Reason.QUOTE_TRUNCATED


@pytest.mark.parametrize("name", KINDS)
def test_only_zero_padding_may_follow(name: str) -> None:
    """Padding is counted and ignored; anything else is refused."""
    quote = SAMPLES[name]
    assert Quote.parse(quote + bytes(100)).trailing_length == 100
    padded, plain = Quote.parse(quote + bytes(9)), Quote.parse(quote)
    assert padded.signed_bytes == plain.signed_bytes
    assert reason_of(quote + b"\0\0\1") is Reason.QUOTE_TRAILING_BYTES


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (0, b"\x01\0", Reason.UNSUPPORTED_QUOTE_VERSION),
        (0, b"\x02\0", Reason.UNSUPPORTED_QUOTE_VERSION),
        (0, b"\x06\0", Reason.UNSUPPORTED_QUOTE_VERSION),
        (0, b"\xff\xff", Reason.UNSUPPORTED_QUOTE_VERSION),
        (2, b"\x03\0", Reason.UNSUPPORTED_ATT_KEY_TYPE),
        (2, b"\0\0", Reason.UNSUPPORTED_ATT_KEY_TYPE),
        (4, b"\x82\0\0\0", Reason.UNSUPPORTED_TEE_TYPE),
        (8, b"\0\0\0\1", Reason.RESERVED_NONZERO),
    ],
)
def test_header_fields(position: int, value: bytes, reason: Reason) -> None:
    """Each header field that decides about the format is checked by name."""
    quote = bytearray(SAMPLES["td10-v4-platform"])
    quote[position : position + len(value)] = value
    assert reason_of(bytes(quote)) is reason


def test_versions_and_tee_types_must_agree() -> None:
    """Version 3 is SGX only; a version 5 body must be of the header's TEE type and size."""
    v3 = bytearray(SAMPLES["sgx-v3-platform"])
    v3[4] = 0x81
    assert reason_of(bytes(v3)) is Reason.TEE_TYPE_VERSION_MISMATCH
    v5 = SAMPLES["td15-v5-platform"]
    assert reason_of(v5[:4] + bytes(4) + v5[8:]) is Reason.TEE_TYPE_VERSION_MISMATCH
    for code, reason in (
        (2, Reason.BODY_SIZE_MISMATCH),
        (4, Reason.BODY_SIZE_MISMATCH),
        (1, Reason.BODY_SIZE_MISMATCH),
        (0, Reason.BODY_TYPE_UNSUPPORTED),
        (5, Reason.BODY_TYPE_UNSUPPORTED),
    ):
        assert reason_of(v5[:48] + bytes([code, 0]) + v5[50:]) is reason


def test_absurd_lengths_are_refused_before_anything_is_copied() -> None:
    """A signature data length beyond the bound is out of range, not a truncation."""
    quote = SAMPLES["td10-v4-platform"]
    for length in (0xFFFFFFFF, MAX_QUOTE_BYTES + 1):
        forged = quote[:632] + length.to_bytes(4, "little") + quote[636:]
        assert reason_of(forged) is Reason.LENGTH_OUT_OF_RANGE
    assert reason_of(bytes(MAX_QUOTE_BYTES + 1)) is Reason.INPUT_TOO_LARGE


def test_nested_lengths_are_exact() -> None:
    """Every inner length must say exactly what is there."""
    quote = SAMPLES["td10-v4-platform"]
    nested = 636 + 64 + 64 + 2
    auth = nested + 4 + 384 + 64
    inner = auth + 2 + int.from_bytes(quote[auth : auth + 2], "little") + 2
    for position in (nested, inner):
        for delta in (-1, 1, 0x7FFFFFFF):
            length = int.from_bytes(quote[position : position + 4], "little") + delta
            forged = quote[:position] + length.to_bytes(4, "little") + quote[position + 4 :]
            assert reason_of(forged) is Reason.LENGTH_OUT_OF_RANGE
    forged = quote[:auth] + b"\xff\xff" + quote[auth + 2 :]
    assert reason_of(forged) is Reason.QE_AUTH_LEN_INVALID


def test_certification_types() -> None:
    """Outside must be type 6, inside one of 1 to 5."""
    quote = SAMPLES["td10-v4-platform"]
    outer = 636 + 128
    for code in (0, 1, 5, 7, 99):
        forged = quote[:outer] + code.to_bytes(2, "little") + quote[outer + 2 :]
        assert reason_of(forged) is Reason.CERT_DATA_TYPE_UNSUPPORTED
    auth = outer + 6 + 448
    inner = auth + 2 + int.from_bytes(quote[auth : auth + 2], "little")
    for code in (0, 6, 7):
        forged = quote[:inner] + code.to_bytes(2, "little") + quote[inner + 2 :]
        assert reason_of(forged) is Reason.CERT_DATA_TYPE_UNSUPPORTED


def test_fields_are_where_the_format_puts_them() -> None:
    """Fields, measurement and body types of each report."""
    sgx = Quote.parse(SAMPLES["sgx-v3-platform"])
    assert isinstance(sgx.body, SgxReport)
    assert sgx.body_type is BodyType.SGX
    assert SgxFlags.INIT in sgx.body.flags
    assert sgx.measurement == sgx.signed_bytes[48 + 16 : 48 + 320]
    td = Quote.parse(SAMPLES["td15ex-v5-platform"])
    assert isinstance(td.body, TdReport)
    assert td.body_type is BodyType.TD_15EX
    assert td.body.migration is not None
    assert len(td.measurement) == 448
    assert td.body.rtmrs == tuple(td.body.data[328 + 48 * i : 376 + 48 * i] for i in range(4))
    assert Quote.parse(SAMPLES["td10-v4-platform"]).measurement[400:] == bytes(48)


def test_encodings_give_the_same_quote() -> None:
    """Raw, hex and base64, with the line breaks tools write."""
    for quote in SAMPLES.values():
        hexadecimal = quote.hex().encode()
        wrapped = b"\n".join(hexadecimal[i : i + 60] for i in range(0, len(hexadecimal), 60))
        for text in (
            quote,
            hexadecimal,
            b"0x" + hexadecimal.upper() + b"\n",
            wrapped,
            base64.b64encode(quote),
            base64.encodebytes(quote),
        ):
            assert decode_quote(text) == quote


@pytest.mark.parametrize(
    "text", [b"abc", b"0x123", b"not a quote", b"AA=A", b"ab cd", "0x12".encode("utf-16"), b""]
)
def test_other_encodings_are_refused(text: bytes) -> None:
    """Odd digits, stray characters and other alphabets are refused somewhere, with our errors."""
    with pytest.raises(ParseError) as caught:
        Quote.parse(decode_quote(text))
    assert caught.value.reason in {
        Reason.QUOTE_ENCODING_INVALID,
        Reason.UNSUPPORTED_QUOTE_VERSION,
        Reason.QUOTE_TRUNCATED,
    }
    with pytest.raises(ParseError) as caught:
        decode_quote(b"A" * (MAX_ENCODED_BYTES + 1))
    assert caught.value.reason is Reason.INPUT_TOO_LARGE


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_changed_quotes_raise_only_our_errors(name: str, data: st.DataObject) -> None:
    """Any bytes put anywhere either parse or are refused with a reason."""
    quote = bytearray(SAMPLES[name])
    position = data.draw(st.integers(0, len(quote)))
    patch = data.draw(st.binary(max_size=40))
    cut = data.draw(st.integers(0, 40))
    quote[position : position + cut] = patch
    reason_of(bytes(quote))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_arbitrary_bytes_raise_only_our_errors(data: bytes) -> None:
    """No input escapes with another exception, in any encoding."""
    try:
        Quote.parse(decode_quote(data))
    except QuotaryError as error:
        assert error.remedy  # noqa: PT017
