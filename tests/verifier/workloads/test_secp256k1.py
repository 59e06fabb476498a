"""Recovery of secp256k1 signers, against eth_account and Wycheproof."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary.errors import Reason, VerificationError
from quotary.workloads._secp256k1 import (
    _G,
    _N,
    _P,
    _weigh,
    address_of,
    compressed,
    personal_digest,
    recover,
)

N = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
KEYS = st.integers(1, N - 1).map(lambda number: number.to_bytes(32, "big"))


@settings(max_examples=25, deadline=None)
@given(KEYS, st.binary(max_size=200))
def test_wallet_signatures_recover_to_their_address(key: bytes, text: bytes) -> None:
    """As wallets sign, so the address is found; the digest is theirs too."""
    signed = Account.sign_message(encode_defunct(text), key)
    digest = personal_digest(text)
    assert digest == bytes(signed.message_hash)
    public_key = recover(digest, bytes(signed.signature), "text")
    assert address_of(public_key).hex() == Account.from_key(key).address[2:].lower()
    assert compressed(public_key) == PrivateKey(key).public_key.to_compressed_bytes()


@settings(max_examples=25, deadline=None)
@given(KEYS, st.integers(0, 64), st.integers(1, 255))
def test_a_changed_signature_names_nobody_or_somebody_else(
    key: bytes, position: int, change: int
) -> None:
    """Each bit counts; what is refused is refused with our reasons only."""
    digest = personal_digest(b"text")
    signature = bytearray(Account.sign_message(encode_defunct(b"text"), key).signature)
    signature[position] ^= change
    own = PrivateKey(key).public_key.to_bytes()
    with suppress(VerificationError):
        assert recover(digest, bytes(signature), "text")[1:] != own


NEGATED = (_G[0], _P - _G[1])


@pytest.mark.parametrize(
    ("g", "weight", "point", "multiple"),
    [
        (0, 0, _G, 0),
        (1, 0, _G, 1),
        (0, 1, _G, 1),
        (1, 1, _G, 2),
        (2, 1, _G, 3),
        (5, 5, NEGATED, 0),
        (7, 3, NEGATED, 4),
        (_N - 1, 2, _G, 1),
        (_N - 1, 1, _G, 0),
    ],
)
def test_sums_that_meet_themselves_or_vanish(
    g: int, weight: int, point: tuple[int, int], multiple: int
) -> None:
    """Where addition must double or end at infinity: the point is G itself, or its negative."""
    found = _weigh(g, weight, point)
    expected = PrivateKey(multiple.to_bytes(32)).public_key.to_bytes() if multiple else None
    assert expected == (found and found[0].to_bytes(32) + found[1].to_bytes(32))


def signature_of(text: bytes = b"text") -> bytes:
    return bytes(Account.sign_message(encode_defunct(text), b"\x01" * 32).signature)


def high_s(signature: bytes) -> bytes:
    s = N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize(
    "signature",
    [
        high_s(signature_of()),
        signature_of()[:64],
        signature_of() + b"\x00",
        signature_of()[:64] + b"\x00",
        signature_of()[:64] + b"\x1d",
        bytes(32) + signature_of()[32:],
        signature_of()[:32] + bytes(32) + signature_of()[64:],
        N.to_bytes(32, "big") + signature_of()[32:],
        b"",
    ],
    ids=["high s", "64 bytes", "66 bytes", "v 0", "v 29", "r 0", "s 0", "r = n", "empty"],
)
def test_one_encoding_per_signature(signature: bytes) -> None:
    """Whatever has a second form could be replayed as new."""
    with pytest.raises(VerificationError) as caught:
        recover(personal_digest(b"text"), signature, "text")
    assert caught.value.reason == Reason.SIGNATURE_INVALID


def test_an_r_that_is_no_point_names_nobody() -> None:
    """Half of all numbers are no x of the curve."""
    signature = (5).to_bytes(32, "big") + signature_of()[32:]
    with pytest.raises(VerificationError) as caught:
        recover(personal_digest(b"text"), signature, "text")
    assert caught.value.reason == Reason.MESSAGE_SIGNATURE_INVALID


def test_wycheproof(shared: Path) -> None:
    """Valid low-s signatures recover to their key under one v; invalid ones under none."""
    path = shared / "vectors/wycheproof/ecdsa_secp256k1_sha256_p1363_test.json"
    checked = 0
    for group in json.loads(path.read_text())["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["uncompressed"])
        for test in group["tests"]:
            raw = bytes.fromhex(test["sig"])
            low = len(raw) == 64 and int.from_bytes(raw[32:], "big") <= N // 2
            assert recovers(key, bytes.fromhex(test["msg"]), raw) == (
                test["result"] == "valid" and low
            ), test
            checked += 1
    assert checked > 200


def recovers(key: bytes, message: bytes, raw: bytes) -> bool:
    for v in (b"\x1b", b"\x1c"):
        try:
            if recover(sha256(message).digest(), raw + v, "vector") == key:
                return True
        except VerificationError:
            continue
    return False
