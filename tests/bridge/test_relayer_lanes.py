"""Several accounts of one relayer: each has its own nonces, and none waits for another."""

from __future__ import annotations

from collections import Counter

import pytest
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, ChainId, Timestamp
from quotary_bridge.relayer import ProgressKind, Relayer
from quotary_bridge.store import LeaseHeldError, Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    RELAYER,
    Town,
    Worker,
    client_of,
    drive,
    require_all_final,
    settings_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

ACCOUNTS = (RELAYER, 3, 4)


def signers(town: Town) -> list[Signer]:
    """The accounts that deliver."""
    return [town.node.signers[account] for account in ACCOUNTS]


def relayer_with_lanes(town: Town, store: Store, **changes: float) -> Relayer:
    """A relayer that delivers with three accounts."""
    first, *others = signers(town)
    return Relayer(
        town.chain,
        town.oracle,
        store,
        first,
        [Endpoint("http://one")],
        settings=settings_of(town, **changes),
        listener=town.events.append,
        client=client_of(one=Worker()),
        holder="a test",
        lanes=others,
    )


def require_the_books_right(relayer: Relayer, store: Store, chain_id: ChainId) -> None:
    """What every lane remembers of its nonces is what the store holds."""
    lanes = relayer._lanes
    assert lanes is not None
    for lane in lanes._lanes:
        stored = store.unresolved_slots(chain_id, lane.signer.address)
        assert lane.book.slots(lambda: ()) == stored


def test_deliveries_are_spread_and_each_account_has_its_own_nonces(
    town: Town, store: Store
) -> None:
    """Nine answers by three accounts: three each, without a gap, and all of them final."""
    before = [town.chain.nonce(signer.address) for signer in signers(town)]
    for number in range(9):
        town.ask(b"question %d" % number)
    with relayer_with_lanes(town, store) as relayer:
        for _ in range(14):
            report = relayer.tick()
            require_the_books_right(relayer, store, ChainId(town.chain.chain_id))
            if report.idle:
                break
            town.node.mine()
    after = [town.chain.nonce(signer.address) for signer in signers(town)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 3, 3]
    require_all_final(town, store, requests=9)
    for signer in signers(town):
        assert store.unresolved_slots(ChainId(town.chain.chain_id), signer.address) == ()


def test_an_account_without_money_holds_up_its_own_deliveries_only(
    town: Town, store: Store
) -> None:
    """The others go on, it is given nothing new, and what it holds goes out when it has money."""
    poor = signers(town)[1].address
    balance = town.chain.balance(poor)
    town.chain.rpc("anvil_setBalance", [poor, "0x1"])
    for number in range(3):
        town.ask(b"question %d" % number)
    with relayer_with_lanes(town, store) as relayer:
        relayer.tick()
        held = [event for event in town.events if event.kind is ProgressKind.TRANSACTION_HELD]
        assert [event.details["reason"] for event in held] == ["INSUFFICIENT_FUNDS"]
        for number in range(3, 9):
            town.ask(b"question %d" % number)
        drive(relayer, town)
        assert Counter(states(town, store, 9)) == {JobState.FINAL: 8, JobState.QUEUED: 1}
        town.chain.rpc("anvil_setBalance", [poor, hex(balance)])
        drive(relayer, town)
    require_all_final(town, store, requests=9)


def test_a_reorg_takes_every_account_back(town: Town, store: Store) -> None:
    """Each lane sends its own again; nothing is doubled."""
    for number in range(6):
        town.ask(b"question %d" % number)
    with relayer_with_lanes(town, store) as relayer:
        relayer.tick()
        town.quiet()
        relayer.tick()
        town.reorg(2)
        for raw in town.requests:
            town.chain.send_many([raw])
        relayer.tick()
        require_the_books_right(relayer, store, ChainId(town.chain.chain_id))
        drive(relayer, town, cycles=24)
    require_all_final(town, store, requests=6)


def test_where_one_account_is_taken_none_is_kept(town: Town, store: Store) -> None:
    """A relayer that cannot have all of its accounts leaves them to others."""
    chain_id = ChainId(town.chain.chain_id)
    taken = signers(town)[2].address
    other = store.acquire(chain_id, taken, "another machine")
    with pytest.raises(LeaseHeldError), relayer_with_lanes(town, store) as relayer:
        relayer.tick()
    for signer in signers(town)[:2]:
        assert store.acquire(chain_id, Address(signer.address), "a third one").token
    with store.write(other):
        pass


def test_an_account_with_nothing_to_do_stays_ours(town: Town, store: Store) -> None:
    """Its lease is prolonged all the same: nobody takes it for abandoned."""
    chain_id = ChainId(town.chain.chain_id)
    now = [1_000]
    store._now = lambda: Timestamp(now[0])
    with relayer_with_lanes(town, store) as relayer:
        for _ in range(4):
            relayer.tick()
            now[0] += 40
        for signer in signers(town):
            with pytest.raises(LeaseHeldError):
                store.acquire(chain_id, signer.address, "another machine")


def states(town: Town, store: Store, requests: int) -> list[JobState]:
    """How far every request is."""
    jobs = [store.job(town.key(number)) for number in range(1, requests + 1)]
    return [job.state for job in jobs if job is not None]
