"""What the bridge encodes by itself, because it is fast, equals what the libraries encode."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st
from quotary_bridge.chain.accounts import WELL_KNOWN_KEYS, Signer
from quotary_bridge.chain.transactions import DynamicFeeTransaction
from quotary_bridge.model import Address, Fees, Wei
from quotary_bridge.words import encode_words, split_words

KEY = WELL_KNOWN_KEYS[0]
UINT64 = st.integers(0, 2**64 - 1)
UINT256 = st.integers(0, 2**256 - 1)
ADDRESSES = st.binary(min_size=20, max_size=20).map(to_checksum_address).map(Address)


@given(UINT64, UINT64, ADDRESSES, st.binary(max_size=600), UINT256, UINT64, UINT256, UINT256)
def test_a_signed_transaction_is_that_of_eth_account(  # noqa: PLR0917 (a transaction has as many)
    chain_id: int,
    nonce: int,
    to: Address,
    data: bytes,
    value: int,
    gas: int,
    max_fee: int,
    tip: int,
) -> None:
    """Byte for byte, the edges of RLP's integers included."""
    fees = Fees(Wei(max_fee), Wei(tip))
    ours = DynamicFeeTransaction(chain_id, nonce, to, data, value, gas, fees)
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "to": to,
        "data": data,
        "value": value,
        "gas": gas,
        "maxFeePerGas": max_fee,
        "maxPriorityFeePerGas": tip,
    }
    theirs = Account.from_key(KEY).sign_transaction(fields).raw_transaction
    assert Signer.from_key(KEY, 31337).sign(ours) == bytes(theirs)


@given(UINT256, ADDRESSES, st.binary(min_size=32, max_size=32))
def test_words_are_those_of_the_abi(number: int, address: Address, word: bytes) -> None:
    """And come apart again."""
    encoded = encode_words(number, address, word)
    assert encoded == encode(["uint256", "address", "bytes32"], [number, address, word])
    assert list(split_words(encoded))[2] == word


@pytest.mark.parametrize("value", [-1, 2**256, b"short", "0x1234", bytes(33)])
def test_what_fits_no_word_is_refused(value: bytes | int | str) -> None:
    """Never cut, never padded."""
    with pytest.raises((ValueError, OverflowError)):
        encode_words(value)


def test_half_a_word_is_refused() -> None:
    """A damaged row must not become a result."""
    with pytest.raises(ValueError, match="no words"):
        list(split_words(bytes(33)))
