"""The encodings people send quotes in: raw bytes, hex or base64."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from quotary.errors import ParseError, Reason

__all__ = ["MAX_ENCODED_BYTES", "decode_quote"]

MAX_ENCODED_BYTES: Final = 128 * 1024
"""Twice the longest quote in hex; refuses floods before any work."""

_QUOTE_STARTS: Final = (b"\x03\x00", b"\x04\x00", b"\x05\x00")
_SPACE: Final = 0x20
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


def decode_quote(data: bytes) -> bytes:
    """
    Return the raw bytes of a quote given raw, as hex (with or without `0x`) or as base64.

    White space around the text is ignored, as are line breaks in it, which `base64` and `xxd -p`
    write. Raises `ParseError`.
    """
    if len(data) > MAX_ENCODED_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            "quote",
            expected=f"at most {MAX_ENCODED_BYTES} bytes",
            found=str(len(data)),
        )
    if data[:2] in _QUOTE_STARTS or not data.isascii() or _is_binary(data):
        return data
    text = b"".join(data.strip().splitlines())
    digits = text[2:] if text[:2] in (b"0x", b"0X") else text
    if digits and _HEX.issuperset(digits):
        if len(digits) % 2:
            raise ParseError(
                Reason.QUOTE_ENCODING_INVALID, "hex", expected="an even number of digits"
            )
        return bytes.fromhex(digits.decode("ascii"))
    try:
        return b64decode(text, validate=True)
    except Base64Error as error:
        raise ParseError(
            Reason.QUOTE_ENCODING_INVALID, "quote", expected="raw bytes, hex or base64"
        ) from error


def _is_binary(data: bytes) -> bool:
    return any(byte < _SPACE and byte not in b"\t\n\r\f\v" for byte in data[:64])
