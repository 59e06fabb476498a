"""Revocation lists too long for one transaction come in parts: all of the list, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from quotary import RawCollateral, TrustRoot
from quotary.x509 import RevocationList
from quotary_bridge.chain.contracts.long_list import LongList
from quotary_enclave.simulator import Simulator, sample_td

from tests.contracts.dcap.dcap_world import (
    SENDER,
    TRANSACTION_GAS,
    Refused,
    World,
    compact_parts,
    encode,
    running_node,
)
from tests.contracts.dcap.long_crl import minted, serials

AT = datetime(2026, 11, 1, tzinfo=UTC)
SIMULATOR = Simulator(AT, seed=b"long")
MACHINE = SIMULATOR.platform("0")
QUOTE = MACHINE.quote(sample_td(SIMULATOR))
COLLATERAL = RawCollateral.from_json(json.dumps(SIMULATOR.collateral(MACHINE, "tdx")))
ENTRIES = 5_000
STRANGER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
HALF = TRANSACTION_GAS // 2


@cache
def dated(numbers: tuple[int, ...], day: int = 1) -> bytes:
    """A list of the machine's CA that was issued `day` days before now."""
    return minted(MACHINE, numbers, AT - timedelta(days=day))


def many(*, revoked: bool = False, day: int = 1) -> bytes:
    """A list of 5,000 entries in no order."""
    numbers = serials(ENTRIES)
    return dated((*numbers, MACHINE.pck_serial) if revoked else numbers, day)


@pytest.fixture
def world() -> Iterator[World]:
    """A store with short lists, and a platform that was proven under them."""
    with running_node() as node:
        world = World.deploy(node, SIMULATOR.root_der)
        node.freeze(int(AT.timestamp()))
        world.push(COLLATERAL, TrustRoot.from_certificate(SIMULATOR.root_der))
        world.verifier_send("prove", QUOTE)
        yield world


def keep(world: World, parts: Sequence[bytes]) -> list[str]:
    """Keep the parts; returns where they are."""
    found = []
    for part in parts:
        found.append("0x" + world.store_call("keepSerials", part)[-20:].hex())
        receipt = world.store_send("keepSerials", part)
        assert int(receipt["gasUsed"], 16) < HALF
    return found


def finish(long: LongList, accounts: Sequence[str]) -> tuple[str, object]:
    """The call that puts a list together."""
    return "putLongRevocationList", (
        long.frame,
        long.cut,
        long.forms,
        long.order,
        list(accounts),
    )


def refusal(world: World, long: LongList, accounts: Sequence[str]) -> str:
    """Why the list is refused; nothing where it is not."""
    try:
        world.store_call(*finish(long, accounts))
    except Refused as refused:
        return refused.reason
    return ""


def in_force(world: World) -> bytes:
    """The id of the Platform CA's list."""
    return identity(world.store_call("revocationList", 1))


def identity(answer: bytes) -> bytes:
    """The id in a packed list, as a call returns it."""
    return answer[64 + 10 : 64 + 42]


def test_a_long_list_comes_in_parts_and_is_looked_up(world: World) -> None:
    """Before the last step nothing is in force; after it every platform in it is revoked."""
    der = many(revoked=True)
    parsed = RevocationList.parse(der, "pck_crl")
    long = LongList.of(der)
    before = in_force(world)
    accounts = keep(world, long.parts)
    assert in_force(world) == before
    receipt = world.store_send(*finish(long, accounts))
    assert int(receipt["gasUsed"], 16) < HALF
    assert in_force(world) == parsed.tbs_hash
    compact, endorsement, pem = compact_parts(QUOTE)
    _, _, certificate = world.leaf_of(pem)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        world.verifier_call("verifyEndorsed", compact, endorsement, certificate)
    again = world.store_send(*finish(long, accounts))  # the very list in force: nothing happens
    assert again["logs"] == []


def test_a_platform_that_is_not_listed_is_served(world: World) -> None:
    """The look-up costs what one more account does, whichever part it leads to."""
    compact, endorsement, pem = compact_parts(QUOTE)
    _, _, certificate = world.leaf_of(pem)
    verify = ("verifyEndorsed", compact, endorsement, certificate)
    short = int(world.verifier_send(*verify)["gasUsed"], 16)
    long = LongList.of(many())
    world.store_send(*finish(long, keep(world, long.parts)))
    world.assemble(2, COLLATERAL, 1)
    looked_up = int(world.verifier_send(*verify)["gasUsed"], 16)
    world.verifier_send("proveEndorsed", compact, endorsement, certificate)
    assert world.verifier_call(*verify)
    assert looked_up < short + 10_000


def test_nothing_but_the_whole_list_is_taken(world: World) -> None:
    """Missing, foreign, repeated or exchanged parts, and any other byte, put together nothing."""
    before = in_force(world)
    long = LongList.of(many())
    accounts = keep(world, long.parts)
    extra = keep(world, [(1).to_bytes(20)])[0]
    turned = bytearray(long.order)
    turned[0:4], turned[4:8] = turned[4:8], turned[0:4]
    attempts = {
        "a missing part": (long, accounts[:-1]),
        "no part": (long, []),
        "two parts exchanged": (long, [accounts[1], accounts[0], *accounts[2:]]),
        "a part twice": (long, [accounts[0], *accounts]),
        "a number nobody signed": (long, [extra, *accounts]),
        "an account with no code": (long, [STRANGER, *accounts[1:]]),
        "a contract": (long, [world.store, *accounts[1:]]),
        "entries in another order": (replace(long, order=bytes(turned)), accounts),
        "an entry less": (replace(long, order=long.order[:-4]), accounts),
        "half an entry": (replace(long, order=long.order[:-2]), accounts),
        "a form that is none": (replace(long, forms=b"\x02\x17\x00" + long.forms), accounts),
        "a form cut short": (replace(long, forms=long.forms[:-1]), accounts),
        "entries elsewhere": (replace(long, cut=long.cut - 1), accounts),
        "entries behind the end": (replace(long, cut=len(long.frame) + 1), accounts),
        "another frame": (replace(long, frame=long.frame[:-1] + b"\0"), accounts),
    }
    for what, (list_, where) in attempts.items():
        assert refusal(world, list_, where).startswith(("CRL_", "DER_", "CERT_", "SIG")), what
    assert in_force(world) == before
    assert world.store_call(*finish(long, accounts)) == b""


def test_uploads_of_several_people_help_each_other(world: World) -> None:
    """Parts are nobody's: who finds them kept spares them, and nobody can spoil them."""
    node = world.node
    long = LongList.of(many())
    node.ask("anvil_impersonateAccount", STRANGER)
    node.ask("anvil_setBalance", STRANGER, hex(10**20))
    for part in reversed(long.parts[:3]):
        call = {"from": STRANGER, "to": world.store, "gas": hex(TRANSACTION_GAS)}
        call["data"] = encode("CollateralStore", "keepSerials", part)
        assert node.receipt(node.ask("eth_sendTransaction", call))["status"] == "0x1"
    told = [len(world.store_send("keepSerials", part)["logs"]) for part in long.parts]
    assert told == [0, 0, 0, *(1 for _ in long.parts[3:])]
    accounts = keep(world, long.parts)
    call = {"from": STRANGER, "to": world.store, "gas": hex(TRANSACTION_GAS)}
    call["data"] = encode("CollateralStore", *finish(long, accounts))
    assert node.receipt(node.ask("eth_sendTransaction", call))["status"] == "0x1"
    world.store_send(*finish(long, accounts))  # overtaken: it is in force already
    assert in_force(world) == RevocationList.parse(many(), "pck_crl").tbs_hash


def test_a_reverted_step_leaves_nothing(world: World) -> None:
    """A finish that runs out of gas changes nothing; with enough of it, it goes through."""
    node = world.node
    before = in_force(world)
    long = LongList.of(many())
    accounts = keep(world, long.parts)
    data = encode("CollateralStore", *finish(long, accounts))
    call = {"from": SENDER, "to": world.store, "gas": hex(1_000_000), "data": data}
    receipt = node.receipt(node.ask("eth_sendTransaction", call))
    assert (receipt["status"], in_force(world)) == ("0x0", before)
    world.store_send(*finish(long, accounts))
    assert in_force(world) != before


def test_long_lists_never_go_back(world: World) -> None:
    """A newer one replaces it, sharing the parts that did not change; the older one is refused."""
    older, newer = LongList.of(many()), LongList.of(many(revoked=True, day=0))
    first = keep(world, older.parts)
    world.store_send(*finish(older, first))
    second = keep(world, newer.parts)
    assert len(set(first) & set(second)) >= len(first) - 2
    world.store_send(*finish(newer, second))
    with pytest.raises(Refused, match=r"^COLLATERAL_ROLLBACK$"):
        world.store_call(*finish(older, first))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1_300])
def test_any_number_of_entries_can_come_in_parts(world: World, count: int) -> None:
    """Short lists too, and numbers of every length."""
    short = tuple(range(1, count // 2 + 1))
    numbers = (*serials(count - len(short)), *short)
    der = dated(numbers)
    long = LongList.of(der)
    world.store_send(*finish(long, keep(world, long.parts)))
    assert in_force(world) == RevocationList.parse(der, "pck_crl").tbs_hash
