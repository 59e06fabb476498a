"""Keccak, bindings and report data, against independent implementations."""

from __future__ import annotations

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from quotary._keccak import keccak256
from quotary.binding import (
    WorkerBinding,
    aci_report_data,
    challenge,
    chat_report_data,
    extended_report_data,
)

BINDING_TYPE = "(uint16,uint256,address,bytes32,address,bytes32,uint64,bytes32)"
REGISTRY, OPERATOR, WORKER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20
BINDING = WorkerBinding(31337, REGISTRY, b"a" * 32, OPERATOR, b"k" * 32, 12, b"c" * 32)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 134, 135, 136, 137, 271, 272, 273, 1000])
def test_keccak_around_every_block_boundary(length: int) -> None:
    """Equal to the C implementation, padding included."""
    data = bytes(i % 251 for i in range(length))
    assert keccak256(data) == keccak(data)


@given(st.binary(max_size=600))
def test_keccak_of_anything(data: bytes) -> None:
    """Equal to the C implementation."""
    assert keccak256(data) == keccak(data)


@given(
    st.integers(0, (1 << 256) - 1),
    st.integers(0, (1 << 64) - 1),
    st.binary(min_size=32, max_size=32),
)
def test_bindings_encode_as_solidity_encodes_them(chain_id: int, block: int, word: bytes) -> None:
    """Equal to `eth_abi`, for every number the types hold."""
    binding = WorkerBinding(chain_id, REGISTRY, word, OPERATOR, word, block, word)
    values = (
        1,
        chain_id,
        "0x" + REGISTRY.hex(),
        word,
        "0x" + OPERATOR.hex(),
        word,
        block,
        word,
    )
    assert binding.encode() == encode([BINDING_TYPE], [values])
    assert binding.hash == keccak(binding.encode())


def test_challenge_is_of_chain_contract_and_block() -> None:
    """Equal to `eth_abi`; any other chain, contract or block gives another."""
    block_hash = b"\x44" * 32
    expected = keccak(
        encode(["uint256", "address", "bytes32"], [31337, "0x" + REGISTRY.hex(), block_hash])
    )
    assert challenge(31337, REGISTRY, block_hash) == expected
    others = {
        challenge(1, REGISTRY, block_hash),
        challenge(31337, OPERATOR, block_hash),
        challenge(31337, REGISTRY, bytes(32)),
    }
    assert len(others | {expected}) == 4


def test_layouts_fix_all_64_bytes() -> None:
    """Where the address, the hash and the nonce stand, and zeros for the rest."""
    assert extended_report_data(WORKER, BINDING) == WORKER + BINDING.hash + bytes(12)
    assert chat_report_data(WORKER, b"n" * 32) == WORKER + bytes(12) + b"n" * 32
    assert aci_report_data(b"")[:4].hex() == "e3b0c442"
    assert aci_report_data(b"x")[32:] == bytes(32)


@pytest.mark.parametrize(
    "values",
    [
        (-1, REGISTRY, b"a" * 32, OPERATOR, b"k" * 32, 12, b"c" * 32),
        (1 << 256, REGISTRY, b"a" * 32, OPERATOR, b"k" * 32, 12, b"c" * 32),
        (1, REGISTRY[1:], b"a" * 32, OPERATOR, b"k" * 32, 12, b"c" * 32),
        (1, REGISTRY, b"a" * 31, OPERATOR, b"k" * 32, 12, b"c" * 32),
        (1, REGISTRY, b"a" * 32, OPERATOR + b"x", b"k" * 32, 12, b"c" * 32),
        (1, REGISTRY, b"a" * 32, OPERATOR, b"k" * 33, 12, b"c" * 32),
        (1, REGISTRY, b"a" * 32, OPERATOR, b"k" * 32, 1 << 64, b"c" * 32),
        (1, REGISTRY, b"a" * 32, OPERATOR, b"k" * 32, 12, b""),
    ],
)
def test_what_does_not_fit_is_a_mistake_of_the_caller(
    values: tuple[int, bytes, bytes, bytes, bytes, int, bytes],
) -> None:
    """Lengths and ranges are checked when the binding is made."""
    with pytest.raises(ValueError, match="Solidity type"):
        WorkerBinding(*values)
