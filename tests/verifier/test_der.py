"""Strict DER: one encoding per value, nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary import ParseError, QuotaryError, Reason, VerificationError
from quotary._der import INTEGER, OCTET_STRING, SEQUENCE, DerReader
from quotary._ecdsa import load_key, signature_to_der

BAD = {
    "empty": "",
    "tag only": "02",
    "wrong tag": "0401 05",
    "indefinite length": "0280 0500 0000",
    "length over the end": "0202 05",
    "long form for a short length": "028101 05",
    "length with a leading zero": "02820080" + "01" * 128,
    "four length bytes": "0284 0000 0001 05",
    "integer without content": "0200",
    "positive integer padded": "0202 0005",
    "negative integer padded": "0202 ff80",
}


@pytest.mark.parametrize("encoding", BAD.values(), ids=BAD)
def test_other_encodings_of_integers_are_refused(encoding: str) -> None:
    """Every form but the shortest is refused."""
    with pytest.raises(ParseError) as caught:
        DerReader(bytes.fromhex(encoding), "test").integer()
    assert caught.value.reason is Reason.DER_NONCANONICAL


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, -1, -128, -129, 1 << 160])
def test_integers_of_either_sign(value: int) -> None:
    """What is minimal is read back."""
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    encoding = bytes([INTEGER, length]) + value.to_bytes(length, signed=True)
    reader = DerReader(encoding, "test")
    assert reader.integer() == value
    assert reader.at_end


def test_bytes_left_over_are_refused() -> None:
    """Inside a sequence and after it."""
    inner = DerReader(bytes.fromhex("3006 020105 020106"), "test").enter(SEQUENCE)
    inner.integer()
    with pytest.raises(ParseError):
        inner.finish()


@pytest.mark.parametrize("content", ["01", "fe", "", "ff00"])
def test_booleans_have_two_encodings(content: str) -> None:
    """0x00 and 0xff."""
    body = bytes.fromhex(content)
    with pytest.raises(ParseError):
        DerReader(bytes([1, len(body)]) + body, "test").boolean()
    assert DerReader(b"\x01\x01\xff", "test").boolean() is True


def test_bit_strings_are_of_whole_bytes() -> None:
    """Unused bits are refused, and so is an absent count of them."""
    assert DerReader(b"\x03\x02\x00\xaa", "test").bits() == b"\xaa"
    for encoding in (b"\x03\x02\x01\xaa", b"\x03\x00"):
        with pytest.raises(ParseError):
            DerReader(encoding, "test").bits()


def test_a_child_may_not_leave_its_parent() -> None:
    """The bytes exist, but they are the parent's sibling."""
    outer = DerReader(bytes.fromhex("3003 0402 aa bb"), "test").enter(SEQUENCE)
    with pytest.raises(ParseError):
        outer.content(OCTET_STRING)


@given(st.integers(1, 1 << 255), st.integers(1, 1 << 255))
def test_raw_signatures_become_der(r: int, s: int) -> None:
    """Pyca reads the very numbers back."""
    assert decode_dss_signature(signature_to_der(r.to_bytes(32) + s.to_bytes(32), "test")) == (r, s)


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ONE, LAST, AT_ORDER, NONE = (number.to_bytes(32) for number in (1, ORDER - 1, ORDER, 0))


def test_the_first_and_the_last_signature_become_der() -> None:
    """Both ends of the range belong to it."""
    for raw in (ONE + LAST, LAST + ONE):
        numbers = decode_dss_signature(signature_to_der(raw, "test"))
        assert b"".join(number.to_bytes(32) for number in numbers) == raw


@pytest.mark.parametrize(
    "raw",
    [
        *(pair for part in (NONE, AT_ORDER, b"\xff" * 32) for pair in (part + ONE, ONE + part)),
        b"",
        ONE,
        ONE + LAST[:-1],
        ONE + b"\0" + LAST,
        LAST + LAST * 9,
    ],
)
def test_raw_signatures_out_of_range_are_refused(raw: bytes) -> None:
    """Zero, the order and above, and every length but 64."""
    with pytest.raises(VerificationError) as caught:
        signature_to_der(raw, "test")
    assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("point", [bytes(64), b"\x01" * 64, b"\xff" * 64])
def test_points_off_the_curve_are_refused(point: bytes) -> None:
    """The zero point and others are no keys."""
    with pytest.raises(VerificationError) as caught:
        load_key(point, "test")
    assert caught.value.reason is Reason.PUBKEY_NOT_ON_CURVE


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_only_our_errors(data: bytes) -> None:
    """A walk through any bytes ends, or is refused."""
    try:
        reader = DerReader(data, "test")
        while not reader.at_end:
            reader.content(reader.next_tag())
    except QuotaryError as error:
        assert error.reason is Reason.DER_NONCANONICAL  # noqa: PT017
