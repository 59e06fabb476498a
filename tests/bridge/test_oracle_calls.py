"""Rounds on the wire: call data without what follows from the rest, and what each was paid."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from quotary_bridge.chain.contracts import Reveal, RoundPaid, Rule, WorkerPaid, decode_event
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.model import Address, Bytes32

WORKER, ORACLE = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
OUTPUT, OTHER = Bytes32(b"\x01" * 32), Bytes32(b"\x02" * 32)
NOTHING = bytes(32)
R, S = b"\x03" * 32, b"\x04" * 32
HIGH_BIT = 0x80


def reveal(output_hash: Bytes32, decision: Bytes32, v: int = 27) -> Reveal:
    return Reveal(WORKER, 1, 7, 9, output_hash, decision, R + S + bytes([v]))


@pytest.mark.parametrize(
    ("rule", "given", "delivered", "hashes"),
    [
        (Rule.EXACT, (OUTPUT, OUTPUT), OUTPUT, (NOTHING, NOTHING)),
        (Rule.EXACT, (OTHER, OTHER), OUTPUT, (OTHER, NOTHING)),
        (Rule.EXACT, (OTHER, OTHER), None, (OTHER, NOTHING)),
        # Who decides otherwise than by its output is shown as it is: the chain refuses it.
        (Rule.EXACT, (OUTPUT, OTHER), OUTPUT, (NOTHING, OTHER)),
        (Rule.CLASS, (OUTPUT, OUTPUT), OUTPUT, (NOTHING, OUTPUT)),
        (Rule.TOLERANCE, (OTHER, OTHER), OUTPUT, (OTHER, OTHER)),
    ],
)
def test_only_what_follows_is_left_out(
    rule: Rule,
    given: tuple[Bytes32, Bytes32],
    delivered: bytes | None,
    hashes: tuple[bytes, bytes],
) -> None:
    """Under every rule the contract can put the statement together again."""
    words = reveal(*given).words(rule, delivered)
    assert words == (WORKER, 1, 7, 9, *hashes, R, S)


def test_the_parity_is_the_highest_bit() -> None:
    """EIP-2098."""
    assert reveal(OUTPUT, OUTPUT, 28).words(Rule.EXACT, None)[-1] == bytes([HIGH_BIT | 4]) + S[1:]


@pytest.mark.parametrize(
    "signature", [b"", R + S, R + S + b"\x00", R + b"\xff" * 32 + b"\x1b", R + S + b"\x1b\x00"]
)
def test_another_form_has_no_short_one(signature: bytes) -> None:
    """Nothing is cut off or set that was not so."""
    with pytest.raises(ValueError, match="signature"):
        Reveal(WORKER, 0, 0, 0, OUTPUT, OUTPUT, signature).words(Rule.EXACT, None)


def test_the_pay_of_a_round_is_told_answer_by_answer() -> None:
    """One event for the whole round."""
    event = interface("ResultOracle").event("RoundPaid")
    pays = [(WORKER, ORACLE, 7, 10**18), (ORACLE, WORKER, 2**64 - 1, 0)]
    data = encode(["(address,address,uint64,uint256)[]"], [pays])
    log = Log(ORACLE, (event.topic, OTHER), data, 1, bytes(32), bytes(32), 0, removed=False)
    assert decode_event(log) == RoundPaid(OTHER, tuple(WorkerPaid(OTHER, *pay) for pay in pays))
