"""Inputs made to be expensive: as long as a quote may be, and as nested or crowded as can be."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

from tests.fuzz.targets import TARGETS

__all__ = ["BOMB_BYTES", "bombs"]

BOMB_BYTES = 32 * 1024
"""Cost is measured and bounded for inputs up to the longest quote."""


def bombs(name: str) -> Iterator[bytes]:
    """Expensive inputs for the target `name`: general ones, and some that are crowded seeds."""
    yield from (bytes(BOMB_BYTES), b"\xff" * BOMB_BYTES, b"\x30\x80" * (BOMB_BYTES // 2))
    yield b"[" * BOMB_BYTES
    yield b'{"a":' * (BOMB_BYTES // 5)
    yield b"[" + b"{}," * (BOMB_BYTES // 3 - 1) + b"{}]"
    yield b'{"version":' + b"9" * (BOMB_BYTES - 20) + b"}"
    yield b'"' + b"\\" * (BOMB_BYTES - 2) + b'"'
    yield json.dumps({str(number): number for number in range(2000)}).encode()
    yield json.dumps(["\ud800" * 1000] * 4).encode()
    yield b"{" + b"".join(b'"%d":0,' % number for number in range(3500)) + b'"0":0}'
    yield b"ab" * (BOMB_BYTES // 2 - 1) + b"x"
    yield b'"' + b"ab" * (BOMB_BYTES // 2 - 2) + b'x"'
    block = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    yield block % b64encode(b"\x30\x03\x02\x01\x00") * 450
    yield b"-----BEGIN CERTIFICATE-----\n" + b"A" * (BOMB_BYTES - 60)
    yield b"\n" * BOMB_BYTES
    yield b"-----BEGIN CERTIFICATE-----\n" * 1100
    yield _nested_der()
    yield from _crowded(name)


def _nested_der() -> bytes:
    data = b""
    while len(data) < BOMB_BYTES - 8:
        length = len(data)
        data = b"\x30\x83" + length.to_bytes(3) + data if length > 0xFFFF else _wrapped(data)
    return data


def _wrapped(data: bytes) -> bytes:
    length = len(data)
    if length < 0x80:
        return bytes((0x30, length)) + data
    size = (length.bit_length() + 7) // 8
    return bytes((0x30, 0x80 | size)) + length.to_bytes(size) + data


def _crowded(name: str) -> Iterator[bytes]:
    """Good documents whose lists are repeated until the bound is reached."""
    for seed in TARGETS[name].seeds():
        if seed[:1] not in (b"{", b"["):
            yield seed + bytes(max(0, BOMB_BYTES - len(seed)))
            continue
        value = json.loads(seed)
        lists = [value] if isinstance(value, list) else list(value.values())
        for entries in lists:
            if isinstance(entries, list) and entries:
                size = len(json.dumps(entries))
                entries.extend(entries * ((BOMB_BYTES - len(seed)) // size))
        yield json.dumps(value).encode()[:BOMB_BYTES]
