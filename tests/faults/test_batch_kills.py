"""Kill -9 of a relayer of batches between any two steps, among reorgs: nothing lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import ChainId, JobKind, Timestamp
from quotary_bridge.relayer import Relayer
from quotary_bridge.store import BatchState, Store

from tests.bridge.batch_street import FINALITY, RELAYER, Street
from tests.bridge.batch_town import batch_town, served, worker_client
from tests.faults.points import Doom, PointedStore, Points, pointed_chain

KILLS = 12
SEED = 20_263
REQUESTS = 6
CYCLES_PER_LIFE = 3
POINTS_PER_LIFE = 1_000
"""More than there are."""
GRAVE = ("batch", "commit", "eth_sendRawTransaction")
"""Batches, commits and broadcasts: where a wrong order would show."""


def test_kills_between_any_two_steps_commit_and_claim_once(tmp_path: Path) -> None:
    """The contract takes a root as often as it is brought: that it comes once is the relayer's."""
    chance, path, died_at = random.Random(SEED), tmp_path / "store.sqlite", Counter[str]()
    app = served()
    with batch_town() as town:
        street = Street(town)
        account = town.node.signers[RELAYER].address
        town.ask(1)
        opened = PointedStore.open(path, lambda: Timestamp(1_000))
        engine, names = opened._engine, _warmed_up(street, opened, tmp_path / "trace")
        while died_at.total() < KILLS:
            if len(town.made) < REQUESTS:
                town.ask(1)
                # Deeper than any reorg reaches: nobody here asks again.
                town.node.mine(FINALITY)
            grave = [name for name in names if any(what in name for what in GRAVE)]
            doom = Doom(POINTS_PER_LIFE, names=frozenset({chance.choice(sorted(grave))}))
            if chance.random() < 1 / 3:
                doom = Doom(chance.randint(1, 80))

            def _live(trace: int, doom: Doom = doom) -> None:
                # The connections of the process that this one was forked from are not this one's.
                engine.dispose(close=False)
                store = PointedStore(engine, lambda: Timestamp(1_000))
                _relay(street, store, Points(doom, trace, _calm), CYCLES_PER_LIFE)

            killed, passed = _forked(_live)
            names |= set(passed)
            died_at.update(passed[-1:] if killed else [])
            _weather(town.node.chain, chance)
            town.node.mine()
        with closing(Store.open(path, lambda: Timestamp(1_000))) as store:
            with street.relayer(store, worker_client(app)) as relayer:
                street.drive(relayer, 120)
            _require_nothing_lost_or_doubled(street, store)
            nonces = store.overview().signers[0].nonces
            assert nonces == {"final": town.node.chain.nonce(account)}
    assert len(died_at) >= KILLS / 2, "the kills fell on too few points"


def _weather(chain: Chain, chance: random.Random) -> None:
    """Take blocks or the pool away, or let fees jump, between a death and the next life."""
    what = chance.random()
    if what < 0.3:
        chain.rpc("anvil_reorg", [chance.randint(1, FINALITY - 1), []])
    elif what < 0.5:
        chain.rpc("anvil_dropAllTransactions")
    elif what < 0.6:
        chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(chance.choice([1, 20, 90]) * 10**9)])


def _calm() -> None:
    """Nothing happens to the world meanwhile."""


def _warmed_up(street: Street, store: PointedStore, trace: Path) -> set[str]:
    """
    Carry one batch to its end in this process; returns the names of the points there are.

    Those that are forked from it then know every statement already: compiling them takes long.
    """
    with trace.open("wb") as file:
        _relay(street, store, Points(None, file.fileno(), _calm), 10).close()
    for thread in threading.enumerate():
        if thread.name.startswith(("dispatch", "batch")):
            thread.join()
    store.close()
    return set(trace.read_text().splitlines())


def _relay(street: Street, store: PointedStore, points: Points, cycles: int) -> Relayer:
    """Live as a relayer, one block a cycle."""
    node = street.town.node
    # What the parent holds open is not this process's to use.
    beside = Chain.connect(node.url, node.chain_id)
    store.points = points
    relayer = street.relayer(store, chain=pointed_chain(node.url, node.chain_id, points))
    for _ in range(cycles):
        relayer.tick()
        beside.rpc("anvil_mine", ["0x1"])
    return relayer


def _forked(live: Callable[[int], None]) -> tuple[bool, list[str]]:
    """Carry out `live` in a process of its own; returns whether it was killed, and its points."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.close(reading)
            live(writing)
            code = 0
        except BaseException:  # noqa: BLE001 (told to the parent, who fails the test)
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as trace:
        passed = trace.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, "\n".join(passed[-40:])
    return killed, passed


def _require_nothing_lost_or_doubled(street: Street, store: Store) -> None:
    chain, account = street.town.node.chain, street.town.node.signers[RELAYER].address
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    batches = store.batch_page(None, 1_000)
    assert {each.state for each in batches} == {BatchState.ENDED}
    roots = [each.root for each in street.commitments()]
    assert sorted(roots) == sorted(each.root for each in batches)
    members = [each.job for held in batches for each in store.batch_members(held.key)]
    assert sorted(members) == sorted({job.key for job in store.page(None, 1_000)})
    jobs, errands = store.page(None, 1_000), store.page(None, 1_000, errands=True)
    assert all(job.terminal for job in (*jobs, *errands))
    assert {job.reason for job in jobs} == {"AlreadyFulfilled"}
    commits = [job for job in errands if job.kind is JobKind.COMMITMENT]
    assert {job.state for job in commits} == {JobState.FINAL}
    assert store.unresolved_slots(ChainId(chain.chain_id), account) == ()
