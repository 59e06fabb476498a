"""Shortcuts for usual forms find what the strict parsers find, or leave the bytes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from quotary import ParseError, Quote
from quotary._der import INTEGER, SEQUENCE, DerReader
from quotary.x509 import Certificate, split_pem
from quotary.x509._certificate import _read_body
from quotary.x509._common import _is_usual_pair
from quotary.x509._mould import _MOULDS, cast_again, forget_moulds
from quotary.x509._pck import _parse, _parse_any, _parse_usual
from quotary_enclave.simulator import Simulator, samples

SAMPLES = samples(Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"usual"))


def leaf_of(name: str) -> bytes:
    return split_pem(Quote.parse(SAMPLES[name].mint().quote).certification_data, "chain", 3)[0]


def changed(data: bytes, seed: int) -> Iterator[bytes]:
    """Every byte of `data`, changed one after another to values that parsers treat differently."""
    random = Random(seed)
    for position, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x80, 0x00, 0xFF, 0x39, random.randrange(256)} - {byte}:
            yield data[:position] + bytes([other]) + data[position + 1 :]


def outcome(read: Callable[[], object]) -> object:
    """What reading returns, or the reason of the refusal."""
    try:
        return read()
    except ParseError as error:
        return error.reason


@pytest.mark.parametrize("name", ["sgx-v3-platform", "td10-v4-platform"])
def test_a_mould_finds_what_strict_parsing_finds(name: str) -> None:
    """Whatever one byte is changed to, a mould agrees with the parser or does not fit."""
    tbs = Certificate.parse(leaf_of(name), "PCK").tbs
    fitting = 0
    for other in changed(tbs, 1):
        found = outcome(lambda other=other: cast_again(other, "PCK"))
        if found is not None:
            fitting += 1
            assert found == outcome(lambda other=other: _read_body(other, "PCK"))
    assert fitting > len(tbs)


def test_certificates_are_the_same_with_and_without_a_mould() -> None:
    """The very certificate, and one of another platform, parsed by form and parsed strictly."""
    for name in ("sgx-v3-platform", "td10-v4-platform", "td15-v5-platform"):
        der = leaf_of(name)
        forget_moulds()
        strict = Certificate.parse(der, "PCK")
        assert _MOULDS
        assert Certificate.parse(der, "PCK") == strict


def test_a_usual_extension_is_read_as_any_extension_is() -> None:
    """Whatever one byte is changed to, the shortcut agrees with the parser or declines."""
    extension = Certificate.parse(leaf_of("td10-v4-platform"), "PCK").sgx_extension
    assert extension is not None
    assert _parse_usual(extension) == _parse_any(extension)
    for other in changed(extension, 2):
        found = _parse_usual(other)
        expected = outcome(lambda other=other: _parse_any(other))
        assert found is None or found == expected
        assert outcome(lambda other=other: _parse(other)) == expected


def pairs() -> Iterator[bytes]:
    """Encodings of two integers at their edges, and each of them with a byte changed."""
    numbers = [b"", b"\0", b"\1", b"\x7f", b"\x80", b"\0\x7f", b"\0\x80", b"\0\xff" * 16, b"\xff\1"]
    for first in numbers:
        for second in numbers:
            body = b"".join(bytes([INTEGER, len(n)]) + n for n in (first, second))
            whole = bytes([SEQUENCE, len(body)]) + body
            yield whole
            yield whole + b"\0"
            yield from changed(whole[:6], len(body))


def test_a_usual_signature_is_one_that_the_reader_accepts() -> None:
    """The shortcut accepts two positive minimal integers, and nothing the reader would refuse."""

    def strictly(encoding: bytes) -> bool:
        outer = DerReader(encoding, "signature")
        pair = outer.enter(SEQUENCE)
        read_positive = min(pair.integer(), pair.integer()) > 0
        pair.finish()
        outer.finish()
        return read_positive

    verdicts = set()
    for encoding in pairs():
        expected = outcome(lambda encoding=encoding: strictly(encoding)) is True
        assert _is_usual_pair(encoding) == expected, encoding.hex()
        verdicts.add(expected)
    assert verdicts == {True, False}
