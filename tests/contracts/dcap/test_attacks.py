"""
Cases 91 to 102 of the catalogue of attacks: on-chain DCAP, each refused for its exact reason.

Some are held here, some by other tests of this folder: `HELD_BY` says which.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quotary import RawCollateral, TrustRoot
from quotary.collateral import TcbInfo
from quotary.quote import MAX_QUOTE_BYTES, Quote
from quotary.x509 import split_pem
from quotary_enclave.simulator import Evidence, Simulator, samples

from tests.contracts.dcap.dcap_world import (
    SENDER,
    Refused,
    World,
    compact_parts,
    encode,
    key_id,
    running_node,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)
NOW = int(AT.timestamp())
SCENARIO = samples(Simulator(AT, seed=b"attacks on chain"))["td10-v4-platform"]
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FOLDER = Path(__file__).parent

HELD_BY = {
    91: ("test_p256.py::test_the_self_test_tells_the_chains_apart",),
    92: ("test_p256.py::test_a_stranger_at_the_precompiles_address_is_no_verifier",),
    93: ("test_attacks.py::test_93_a_malleated_signature_is_no_other_quote",),
    94: ("test_p256.py::test_no_point_of_the_curve_is_no_key",),
    95: (
        "test_attacks.py::test_95_running_out_of_gas_is_no_verdict",
        "test_attacks.py::test_95_a_transaction_that_runs_out_of_gas_keeps_nothing",
    ),
    96: ("test_attacks.py::test_96_a_store_that_answers_nothing_is_no_store",),
    97: ("test_attacks.py::test_97_expired_collateral_supports_no_verdict",),
    98: ("test_attacks.py::test_98_a_document_counts_for_what_it_says_only",),
    99: (
        "test_attacks.py::test_99_the_newer_document_wins_in_either_order",
        "test_store.py::test_a_new_list_revokes_keys_that_were_proven",
    ),
    100: ("test_attacks.py::test_100_both_ends_of_validity_are_inside_and_no_second_more",),
    101: ("test_attacks.py::test_101_enormous_evidence_is_refused_within_a_transaction",),
    102: ("test_onchain_campaign.py::test_no_mutant_is_judged_differently",),
}


@dataclass(frozen=True)
class Town:
    """A world with all collateral of one good quote, and the quote in its forms."""

    world: World
    evidence: Evidence
    raw: RawCollateral

    @property
    def compact(self) -> tuple[bytes, bytes]:
        """The compact form, and the id of its attestation key."""
        quote = self.evidence.quote
        return compact_parts(quote)[0], key_id(Quote.parse(quote))


@pytest.fixture(scope="module")
def built() -> Iterator[Town]:
    """One chain for the module."""
    evidence = SCENARIO.mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    with running_node() as node:
        world = World.deploy(node, evidence.root_der)
        node.freeze(NOW)
        world.push(raw, TrustRoot.from_certificate(evidence.root_der))
        world.verifier_send("prove", evidence.quote)
        yield Town(world, evidence, raw)


@pytest.fixture
def town(built: Town) -> Iterator[Town]:
    """The chain, put back after the test."""
    snapshot = built.world.node.ask("evm_snapshot")
    yield built
    built.world.node.ask("evm_revert", snapshot)


def refusal(world: World, *call: object) -> str:
    """Why the verifier refuses."""
    with pytest.raises(Refused) as refused:
        world.verifier_call(str(call[0]), *call[1:])
    return refused.value.reason


def test_every_case_is_held_by_tests_that_exist() -> None:
    """Cases 91 to 102, without a gap."""
    assert list(HELD_BY) == list(range(91, 103))
    for pointer in (pointer for pointers in HELD_BY.values() for pointer in pointers):
        file, _, name = pointer.partition("::")
        tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_93_a_malleated_signature_is_no_other_quote(town: Town) -> None:
    """The twin with n - s is valid, and is the same quote: one hash, one journal, one record."""
    quote = town.evidence.quote
    parsed = Quote.parse(quote)
    place = quote.index(parsed.signature)
    s = int.from_bytes(parsed.signature[32:])
    twin = quote[: place + 32] + (N - s).to_bytes(32) + quote[place + 64 :]
    world = town.world
    assert twin != quote
    assert world.verifier_call("verify(bytes)", twin) == world.verifier_call("verify(bytes)", quote)
    compact, key = town.compact
    other = compact[:-32] + (N - s).to_bytes(32)
    assert world.verifier_call("verifyCompact", other, key) == world.verifier_call(
        "verifyCompact", compact, key
    )
    assert world.verifier_send("prove", twin)["logs"] == []


@pytest.mark.parametrize("hardfork", ["osaka", "prague"])
def test_95_running_out_of_gas_is_no_verdict(hardfork: str) -> None:
    """Whatever gas a call is given, it ends with the one journal or with a revert."""
    evidence = SCENARIO.mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    forged = bytearray(evidence.quote)
    forged[200] ^= 1
    with running_node(hardfork) as node:
        world = World.deploy(node, evidence.root_der)
        node.freeze(NOW)
        world.push(raw, TrustRoot.from_certificate(evidence.root_der))
        whole = world.verifier_call("verify(bytes)", evidence.quote)
        good = encode("DcapVerifier", "verify(bytes)", evidence.quote)
        bad = encode("DcapVerifier", "verify(bytes)", bytes(forged))
        accepted = 0
        for gas in range(150_000, 2_400_000, 75_000):
            call = {"to": world.verifier, "gas": hex(gas)}
            try:
                answer = node.ask("eth_call", {**call, "data": good}, "latest")
            except Refused:
                answer = None
            assert answer in (None, "0x" + whole.hex())
            accepted += answer is not None
            with pytest.raises(Refused):
                node.ask("eth_call", {**call, "data": bad}, "latest")
        assert 0 < accepted < 30


def test_95_a_transaction_that_runs_out_of_gas_keeps_nothing(town: Town) -> None:
    """Proof and record are one: short of gas there is neither."""
    world, node = town.world, town.world.node
    other = SCENARIO.with_qe(auth_data=b"another key's").mint().quote
    key = key_id(Quote.parse(other))
    data = encode("DcapVerifier", "prove", other)
    needed = int(node.ask("eth_estimateGas", {"to": world.verifier, "data": data}), 16)
    for gas in (needed * share // 100 for share in (45, 70, 90, 97)):
        transaction = {"from": SENDER, "to": world.verifier, "data": data, "gas": hex(gas)}
        digest = node.ask("eth_sendTransaction", transaction)
        assert node.receipt(digest)["status"] == "0x0"
        assert kept(world, key) == b""
    world.verifier_send("prove", other)
    assert kept(world, key)


def kept(world: World, key: bytes) -> bytes:
    """What the verifier keeps of an attestation key."""
    answer = world.verifier_call("attestationKeyOf", key)
    return answer[64 : 64 + int.from_bytes(answer[32:64])]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("no code at all", "0x"),
        ("nothing", "0x00"),
        ("one word, zero", "0x5f5f5260205ff3"),
        ("empty bytes", "0x60205f525f60205260405ff3"),
        ("a revert without data", "0x5f5ffd"),
    ],
)
def test_96_a_store_that_answers_nothing_is_no_store(town: Town, answer: str, code: str) -> None:
    """No call of the store is believed for having succeeded."""
    assert town.world.verifier_call("verifyCompact", *town.compact), answer
    town.world.node.ask("anvil_setCode", town.world.store, code)
    refusal(town.world, "verifyCompact", *town.compact)
    refusal(town.world, "verify(bytes)", town.evidence.quote)
    refusal(town.world, "prove", town.evidence.quote)


def test_97_expired_collateral_supports_no_verdict(town: Town) -> None:
    """Nobody need take it away: by its dates alone it is worth nothing, in every form."""
    info = TcbInfo.parse(town.raw.tcb_info)
    town.world.node.freeze(info.next_update + 1)
    expired = ("COLLATERAL_EXPIRED", "CRL_EXPIRED")
    assert refusal(town.world, "verifyCompact", *town.compact) in expired
    assert refusal(town.world, "verify(bytes)", town.evidence.quote) in expired
    key = town.compact[1]
    assert refusal(town.world, "reevaluate", key, 2, bytes(16), bytes(16)) in expired


def test_98_a_document_counts_for_what_it_says_only(town: Town) -> None:
    """Unsigned it is nothing; signed for another family it changes nothing of this one's."""
    world, raw = town.world, town.raw
    fmspc = int.from_bytes(TcbInfo.parse(raw.tcb_info).fmspc)
    before = world.store_call("tcbInfo", 2, fmspc)
    signer = signer_of(world, raw)
    junk = raw.tcb_info.replace(b'"tcbType":0', b'"tcbType":1')
    with pytest.raises(Refused, match=r"^TCB_INFO_SIGNATURE_INVALID$"):
        world.store_send("putTcbInfo", junk, raw.tcb_info_signature, signer)
    other = SCENARIO.with_tcb_info(fmspc=bytes.fromhex("00a065510000"), issue_date=AT).mint()
    foreign = RawCollateral.from_json(json.dumps(other.collateral))
    world.store_send("putTcbInfo", foreign.tcb_info, foreign.tcb_info_signature, signer)
    assert world.store_call("tcbInfo", 2, 0xA065510000) != world.store_call("tcbInfo", 2, 1)
    assert world.store_call("tcbInfo", 2, fmspc) == before
    assert world.store_call("tcbInfo", 1, fmspc) == world.store_call("tcbInfo", 1, 1)


def signer_of(world: World, raw: RawCollateral) -> bytes:
    """The id of the TCB info's signer."""
    leaf, _ = split_pem(raw.tcb_info_issuer_chain, "tcb_signer", 2)
    return world.store_call("addCertificate", leaf)


def test_99_the_newer_document_wins_in_either_order(town: Town) -> None:
    """An older document brought first, or last, changes nothing of what is in force at the end."""
    world, node = town.world, town.world.node
    fmspc = int.from_bytes(TcbInfo.parse(town.raw.tcb_info).fmspc)
    signer = signer_of(world, town.raw)
    documents = []
    for hours in (20, 10):
        scenario = SCENARIO.with_tcb_info(issue_date=AT - timedelta(hours=hours))
        raw = RawCollateral.from_json(json.dumps(scenario.mint().collateral))
        documents.append((raw.tcb_info, raw.tcb_info_signature, signer))
    older, newer = documents
    snapshot = node.ask("evm_snapshot")
    world.store_send("putTcbInfo", *older)
    world.store_send("putTcbInfo", *newer)
    in_order = world.store_call("tcbInfo", 2, fmspc)
    node.ask("evm_revert", snapshot)
    world.store_send("putTcbInfo", *newer)
    with pytest.raises(Refused, match=r"^COLLATERAL_ROLLBACK$"):
        world.store_send("putTcbInfo", *older)
    assert world.store_call("tcbInfo", 2, fmspc) == in_order


def test_100_both_ends_of_validity_are_inside_and_no_second_more(town: Town) -> None:
    """Clocks of sequencers differ; the edges are exact, and the same in every form."""
    world = town.world
    key = town.compact[1]
    answer = world.verifier_call("reevaluate", key, 2, bytes(16), bytes(16))
    start, end = int.from_bytes(answer[64:96]), int.from_bytes(answer[96:128])
    assert start < NOW < end
    world.node.ask("anvil_setBlockTimestampInterval", 0)
    for moment, inside in ((end, True), (end + 1, False)):
        world.node.at(moment)
        if inside:
            assert world.verifier_call("verifyCompact", *town.compact)
        else:
            assert refusal(world, "verifyCompact", *town.compact).endswith("_EXPIRED")
    with running_node(timestamp=start - 1000) as node:
        early = World.deploy(node, town.evidence.root_der)
        node.freeze(start - 1)
        with pytest.raises(Refused):
            early.push(town.raw, root_of(town))
        node.freeze(start)
        early.push(town.raw, root_of(town))
        assert early.verifier_call("verify(bytes)", town.evidence.quote)


def root_of(town: Town) -> TrustRoot:
    """The root that everything hangs from."""
    return TrustRoot.from_certificate(town.evidence.root_der)


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"-----BEGIN CERTIFICATE-----\n"])
def test_101_enormous_evidence_is_refused_within_a_transaction(town: Town, filler: bytes) -> None:
    """Its refusal fits into a transaction, whose gas every call here has, and names a reason."""
    quote = town.evidence.quote
    head = quote[: len(Quote.parse(quote).signed_bytes)]
    for size in (20_000, 60_000, 100_000):
        padding = (filler * size)[:size]
        for evidence in (padding, quote + padding, head + padding):
            answer = judged(town.world, evidence)
            if evidence == quote + bytes(size) and len(evidence) <= MAX_QUOTE_BYTES:
                assert isinstance(answer, bytes)  # as quoting services pad
            else:
                assert isinstance(answer, str)
                assert answer.isupper(), answer


def judged(world: World, evidence: bytes) -> bytes | str:
    """The journal, or the reason."""
    try:
        return world.verifier_call("verify(bytes)", evidence)
    except Refused as refused:
        return refused.reason
