"""Keys have one role each, and nothing but public halves ever shows."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from quotary_enclave.keys import WorkerKeys

from tests.enclave.worker_parts import SEED

HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


def public_halves(keys: WorkerKeys) -> list[bytes]:
    return [
        keys.result.public_key,
        keys.receipt_evm.public_key,
        keys.chat.public_key,
        keys.receipt.public_key,
        keys.encryption_public_key,
    ]


def test_roles_share_no_key_and_seeds_share_none() -> None:
    """Five keys per worker, all distinct, none of another worker's."""
    ours, again, others = (
        public_halves(WorkerKeys(seed)) for seed in (SEED, SEED, bytes([1]) + SEED[1:])
    )
    assert ours == again
    assert len({*ours, *others}) == 10


def test_generated_workers_differ() -> None:
    """Without a seed no two workers share a key."""
    assert not {*public_halves(WorkerKeys.generate())} & {*public_halves(WorkerKeys.generate())}


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_has_one_length(length: int) -> None:
    """A short seed is never stretched in silence."""
    with pytest.raises(ValueError, match="32 bytes"):
        WorkerKeys(bytes(length))


def test_signatures_are_what_the_evm_recovers() -> None:
    """65 bytes, low s, v 27 or 28, recovered by independent code."""
    signer = WorkerKeys(SEED).result
    for number in range(20):
        digest = keccak(number.to_bytes(32, "big"))
        signature = signer.sign_digest(digest)
        assert len(signature) == 65
        assert signer.sign_digest(digest) == signature
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
        assert Account._recover_hash(digest, signature=signature) == signer.address
    text = "é and more".encode()
    message = encode_defunct(primitive=text)
    assert Account.recover_message(message, signature=signer.sign_text(text)) == signer.address


def test_ed25519_signatures_verify() -> None:
    """Independent code accepts them."""
    signer = WorkerKeys(SEED).receipt
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(signer.sign(b"text"), b"text")


def test_nothing_shows_a_private_key() -> None:
    """Neither `repr` nor `str` of any part holds a byte of a private key; pickling is refused."""
    keys = WorkerKeys(SEED)
    secrets = [
        keys.result._key.private_numbers().private_value.to_bytes(32, "big"),
        keys.receipt_evm._key.private_numbers().private_value.to_bytes(32, "big"),
        keys.chat._key.private_bytes_raw(),
        keys.receipt._key.private_bytes_raw(),
        keys._encryption.private_bytes_raw(),
        SEED,
    ]
    for part in (keys, keys.result, keys.receipt_evm, keys.chat, keys.receipt):
        shown = f"{part!r} {part!s} {[part]!r}"
        for secret in secrets:
            assert secret.hex() not in shown
            assert repr(secret)[2:-1] not in shown
            assert str(int.from_bytes(secret, "big")) not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(keys)
