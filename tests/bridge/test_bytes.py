"""What the bridge encodes by itself, because it is fast, equals what the libraries encode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from quotary_bridge.chain import Chain, Log
from quotary_bridge.chain.accounts import WELL_KNOWN_KEYS, Signer
from quotary_bridge.chain.contracts import (
    Payment,
    Quorum,
    RequestCreated,
    RequestTerms,
    ResultOracle,
    Rule,
    decode_event,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.transactions import DynamicFeeTransaction
from quotary_bridge.model import Address, Bytes32, ChainId, Fees, Wei
from quotary_bridge.words import encode_words, split_words

from tests.bridge.store_parts import ORACLE, signed_result

KEY = WELL_KNOWN_KEYS[0]
UINT64 = st.integers(0, 2**64 - 1)
UINT256 = st.integers(0, 2**256 - 1)
REQUEST = (
    "(bytes32,bytes32,bytes32,address,uint64,uint32,uint64,uint64,"
    "(address,address,uint96,uint96,uint96),(uint8,uint8,uint8,uint8,uint8,uint128),address[])"
)
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


@st.composite
def requests_made(draw: st.DrawFn) -> RequestTerms:
    """Any request there can be."""
    small, words = st.integers(0, 255), st.binary(min_size=32, max_size=32)
    amounts = st.integers(0, 2**96 - 1)
    return RequestTerms(
        *(Bytes32(draw(words)) for _ in range(3)),
        draw(ADDRESSES),
        *(draw(UINT64), draw(st.integers(0, 2**32 - 1)), draw(UINT64), draw(UINT64)),
        Payment(draw(amounts), draw(ADDRESSES), draw(ADDRESSES), draw(amounts), draw(amounts)),
        Quorum(
            *(draw(small) for _ in range(4)),
            draw(st.sampled_from(Rule)),
            draw(st.integers(0, 2**128 - 1)),
        ),
        tuple(draw(st.lists(ADDRESSES, max_size=4))),
    )


@given(requests_made(), st.binary(max_size=100))
def test_a_request_is_what_the_abi_makes_of_it(made: RequestTerms, given_input: bytes) -> None:
    """Alone, in its id, and in the event that tells of it; and it comes apart again."""
    assert made.encode() == encode([REQUEST], [made.words()])
    assert RequestTerms.decode(made.encode()) == made
    named = encode(["uint256", "address", REQUEST], [31337, ORACLE, made.words()])
    assert made.request_id(ChainId(31337), ORACLE) == keccak(named)
    log = created_log(made, encode([REQUEST, "bytes"], [made.words(), given_input]))
    assert RequestCreated.of(log) == decode_event(log)
    assert RequestCreated.terms_of(log) == made.encode()


@given(requests_made(), st.binary(max_size=100), st.binary(min_size=65, max_size=65))
def test_a_delivery_is_what_the_abi_makes_of_it(
    made: RequestTerms, output: bytes, signature: bytes
) -> None:
    """From the request as the store keeps it, without taking it apart."""
    oracle = ResultOracle(Chain.at("http://127.0.0.1:1"), ORACLE)
    said = signed_result().result
    quick = oracle.fulfill_as_made(made.encode(), said, output, signature)
    assert quick == oracle.fulfill(made, said, output, signature)


@given(requests_made(), st.data())
def test_a_damaged_event_is_read_as_the_abi_does_or_not_at_all(
    made: RequestTerms, data: st.DataObject
) -> None:
    """A node may send anything; what is read is never something else than what is there."""
    whole = bytearray(encode([REQUEST, "bytes"], [made.words(), b"a question"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    log = created_log(made, bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    try:
        found = RequestCreated.of(log)
    except ValueError:
        return
    assert found == decode_event(log)
    assert RequestCreated.terms_of(log) == found.terms.encode()


@given(requests_made(), st.integers(2**96, 2**256 - 1))
def test_a_request_that_fits_no_contract_is_refused(made: RequestTerms, amount: int) -> None:
    """A number that is too large for its field never becomes another one."""
    with pytest.raises(ValueError, match="bits"):
        replace(made, payment=replace(made.payment, max_fee=amount)).encode()
    whole = bytearray(made.encode())
    whole[11 * 32 : 12 * 32] = amount.to_bytes(32)
    with pytest.raises(ValueError, match="bits"):
        RequestTerms.decode(bytes(whole))


@pytest.mark.parametrize("encoded", [b"", bytes(32), bytes(33), bytes(22 * 32)])
def test_what_is_no_request_is_refused(encoded: bytes) -> None:
    """A damaged row must not become a delivery."""
    with pytest.raises(ValueError, match=r"no words|no request|elsewhere"):
        RequestTerms.decode(encoded)


def created_log(made: RequestTerms, data: bytes) -> Log:
    """The event of a request, as a node tells it."""
    topic = interface("ResultOracle").event("RequestCreated").topic
    requester = bytes(12) + bytes.fromhex(made.requester[2:])
    topics = (topic, bytes([9]) * 32, made.app_id, requester)
    return Log(ORACLE, topics, data, 1, bytes(32), bytes(32), 0, removed=False)
