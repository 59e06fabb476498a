"""Rounds on the wire: call data without what follows from the rest, and what each was paid."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.contracts import (
    Reveal,
    RoundPaid,
    Rule,
    WorkerPaid,
    WorkerRegistry,
    decode_event,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, Bytes32, ChainId, Result, SignedResult, Timestamp
from quotary_bridge.workers import result_digest

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


def signed_statement(node: AnvilNode, worker: LocalAccount, output: bytes) -> SignedResult:
    digest = Bytes32(sha256(output).digest())
    said = Result(
        *(OTHER, OTHER, OTHER, OTHER, OTHER, digest, digest, OTHER, 0, 0),
        *(Address(worker.address), 3, 4, Timestamp(5)),
    )
    signed = worker.unsafe_sign_hash(result_digest(said, ChainId(node.chain_id), ORACLE))
    return SignedResult(said, output, bytes(signed.signature))


def code_of(contract: str, **immutables: bytes) -> bytes:
    """A contract's code as it stands on a chain, without its constructor's having run."""
    document = json.loads((files("quotary_bridge.chain.abi") / f"{contract}.json").read_text())
    code = bytearray.fromhex(document["deployedBytecode"].removeprefix("0x"))
    for name, word in immutables.items():
        for at in document["immutableReferences"][name]:
            code[at["start"] : at["start"] + at["length"]] = word
    return bytes(code)


def test_the_registry_reads_both_statements_of_an_equivocator(anvil: AnvilNode) -> None:
    """On a worker it does not know: it gets as far as looking for whom to revoke."""
    judge, place = (anvil.chain.web3.to_checksum_address(f"0x{n:040x}") for n in (0x5E96, 0x5E97))
    anvil.chain.rpc("anvil_setCode", [judge, code_of("EquivocationVerifier").hex()])
    code = code_of("WorkerRegistry", EQUIVOCATIONS=bytes.fromhex(judge[2:]).rjust(32, b"\0"))
    anvil.chain.rpc("anvil_setCode", [place, code.hex()])
    worker = Account.from_key(b"\x42" * 32)
    one = signed_statement(anvil, worker, b"yes")
    other = signed_statement(anvil, worker, b"no")
    registry = WorkerRegistry(anvil.chain, Address(place))
    for statements, error in (
        ((one, other), "WorkerUnknown"),
        ((one, one), "NoEquivocation"),
        ((one, replace(other, signature=one.signature)), "NotSignedBy"),
    ):
        call = registry.report_equivocation(ORACLE, *statements)
        with pytest.raises(ContractError) as caught:
            anvil.chain.call(TransactionRequest(ORACLE, registry.address, call))
        assert caught.value.name == error
