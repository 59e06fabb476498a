"""Sending beside storing: lots go out while the next are stored, and none before its commit."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest
from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.errors import (
    BridgeError,
    ContractError,
    Reason,
    RpcUnavailable,
    TransactionRefused,
)
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, ChainId
from quotary_bridge.relayer import ProgressKind, Relayer, dispatch, simulate
from quotary_bridge.relayer.daemon import memory_at_rest
from quotary_bridge.store import Lease, Store, StoreUnavailableError, Writer

from tests.bridge.relayer_town import (
    OneByOne,
    Town,
    Worker,
    address,
    client_of,
    drive,
    kinds,
    relayer_of,
    require_all_final,
    through,
    transactions,
)

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

REQUESTS = 5
LOT = 2
PATIENCE_SECONDS = 60.0
"""More than a slow machine needs for what does not fail."""


@pytest.fixture(autouse=True)
def small_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few requests make several lots."""
    monkeypatch.setattr(simulate, "LOT", LOT)


class Watched(OneByOne):
    """A node that notes of every lot in which thread it came, how long it is, and what is amiss."""

    store: Store
    sender: Address
    lots: list[tuple[str, int, set[bytes]]]

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """Before anything is taken, look for what the store does not hold."""
        slots = self.store.unresolved_slots(ChainId(self.chain_id), self.sender)
        held = {attempt.raw for slot in slots for attempt in slot.attempts}
        self.lots.append((threading.current_thread().name, len(raws), set(raws) - held))
        return super().send_many(raws)


class Signalling(OneByOne):
    """A node that lets somebody know of the first lot that it took."""

    took: threading.Event

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """Take a lot."""
        outcomes = super().send_many(raws)
        self.took.set()
        return outcomes


class Waiting(Worker):
    """A worker that gives its last answers only when the node has the first ones."""

    def __init__(self, took: threading.Event, at_once: int) -> None:
        """Give so many answers without waiting."""
        super().__init__()
        self._took = took
        self._left = at_once
        self.waited_in_vain = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer, sooner or later."""
        self._left -= 1
        if self._left < 0 and not self._took.wait(PATIENCE_SECONDS):
            self.waited_in_vain = True
        return super().answer(request)


class Failing(OneByOne):
    """A node that goes away before the second lot."""

    asked = 0

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """Take the first lot."""
        self.asked += 1
        if self.asked == 2:
            raise RpcUnavailable(Reason.RPC_UNREACHABLE, "nobody answers")
        return super().send_many(raws)


class Refusing(OneByOne):
    """A node that takes no transaction at all, and counts how often it is asked to."""

    asked = 0

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """Refuse every one for good."""
        self.asked += len(raws)
        return [TransactionRefused(Reason.TRANSACTION_REFUSED, "never") for _ in raws]


class Behind(OneByOne):
    """A node that, at first, has not heard of any request yet."""

    knows = False

    def calls(
        self, requests: Sequence[TransactionRequest], at: BlockTag
    ) -> list[bytes | ContractError]:
        """Refuse every delivery, as the oracle does."""
        views = all(request.sender == ZERO_ADDRESS for request in requests)
        if self.knows or views:
            return super().calls(requests, at)
        return [ContractError("UnknownRequest", {}, b"", "wait") for _ in requests]


def asked(town: Town, store: Store, **changes: float) -> Relayer:
    """A relayer whose first cycle is over, and who then finds several requests."""
    relayer = relayer_of(town, store, client_of(one=Worker()), **changes)
    relayer.tick()
    for number in range(REQUESTS):
        town.ask(b"question %d" % number)
    town.automine(on=False)
    return relayer


def pooled(town: Town) -> int:
    """How many transactions wait in the node's pool."""
    return int(town.chain.rpc("txpool_status")["pending"], 16)


def test_every_lot_is_in_the_store_before_it_goes_out(town: Town, store: Store) -> None:
    """By a thread that sends in the order of the nonces, and is gone when the cycle ends."""
    through(town, Watched)
    chain = town.chain
    assert isinstance(chain, Watched)
    chain.store, chain.sender, chain.lots = store, address(town), []
    with asked(town, store) as relayer:
        relayer.tick()
        assert chain.lots == [
            ("sending_0", LOT, set()),
            ("sending_0", LOT, set()),
            ("sending_0", 1, set()),
        ]
        assert "sending_0" not in {thread.name for thread in threading.enumerate()}
        assert pooled(town) == REQUESTS
        town.automine(on=True)
        drive(relayer, town)
    require_all_final(town, store, REQUESTS)


def test_the_last_answers_go_on_in_smaller_lots(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node tries the first ones out while the others are kept; what was sent is noted once."""
    monkeypatch.setattr(simulate, "LOT", REQUESTS)
    monkeypatch.setattr(dispatch, "LAST_LOT", 2)
    through(town, Watched)
    chain = town.chain
    assert isinstance(chain, Watched)
    chain.store, chain.sender, chain.lots = store, address(town), []
    with asked(town, store) as relayer:
        relayer.tick()
        assert [(size, unknown) for _, size, unknown in chain.lots] == [
            (2, set()),
            (2, set()),
            (1, set()),
        ]
        assert kinds(town).count(ProgressKind.TRANSACTION_SENT) == REQUESTS
        slots = store.unresolved_slots(ChainId(chain.chain_id), chain.sender)
        assert [slot.broadcasts for slot in slots] == [1] * REQUESTS
        town.automine(on=True)
        drive(relayer, town)
    require_all_final(town, store, REQUESTS)


def test_a_lot_goes_out_while_workers_are_still_asked(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's result waits for the answers to all the others."""
    monkeypatch.setattr(dispatch, "LOT", LOT)
    through(town, Signalling)
    chain = town.chain
    assert isinstance(chain, Signalling)
    chain.took = threading.Event()
    # One answer makes the first lot known to be good, the next one has it stored and sent.
    worker = Waiting(chain.took, at_once=REQUESTS - 1)
    relayer = relayer_of(
        town, store, client_of(one=worker), concurrent_workers=1, patience_seconds=PATIENCE_SECONDS
    )
    for number in range(REQUESTS):
        town.ask(b"question %d" % number)
    with relayer:
        drive(relayer, town)
    assert chain.took.is_set()
    assert not worker.waited_in_vain
    require_all_final(town, store, REQUESTS)


def test_answers_are_kept_where_the_node_goes_away_meanwhile(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came and was not committed yet is not asked for again."""
    finish, failed = simulate.Trials.finish, list[bool]()

    def _finish(self: simulate.Trials, *, wait: bool = True) -> None:
        if not wait and not failed:
            failed.append(True)
            raise RpcUnavailable(Reason.RPC_UNREACHABLE, "nobody answers")
        finish(self, wait=wait)

    with asked(town, store) as relayer:
        monkeypatch.setattr(simulate.Trials, "finish", _finish)
        with pytest.raises(RpcUnavailable):
            relayer.tick()
        town.automine(on=True)
        drive(relayer, town)
    assert kinds(town).count(ProgressKind.WORKER_ASKED) == REQUESTS
    require_all_final(town, store, REQUESTS)


def test_what_a_lot_came_to_is_kept_where_the_next_one_fails(town: Town, store: Store) -> None:
    """The rows of what did not go out stay as they were, and the next cycle sends them."""
    through(town, Failing)
    with asked(town, store) as relayer:
        with pytest.raises(RpcUnavailable):
            relayer.tick()
        slots = store.unresolved_slots(ChainId(town.chain.chain_id), address(town))
        assert [slot.broadcasts for slot in slots] == [1, 1, 0, 0, 0]
        assert pooled(town) == LOT
        assert relayer.counts()[JobState.QUEUED] == REQUESTS - LOT
        relayer.tick()
        assert pooled(town) == REQUESTS
        assert len(transactions(town, ProgressKind.TRANSACTION_SENT)) == REQUESTS
        town.automine(on=True)
        drive(relayer, town)
    require_all_final(town, store, REQUESTS)


def test_a_commit_that_fails_keeps_its_lot_at_home(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lots before it were sent and are followed; its own nonces are given out anew."""
    with asked(town, store) as relayer:
        commit_fails_at(monkeypatch, nonces=2 * LOT)
        with pytest.raises(StoreUnavailableError):
            relayer.tick()
        monkeypatch.undo()
        slots = store.unresolved_slots(ChainId(town.chain.chain_id), address(town))
        assert len(slots) == 2 * LOT
        relayer.tick()
        assert pooled(town) == REQUESTS
        town.automine(on=True)
        drive(relayer, town)
    require_all_final(town, store, REQUESTS)


def test_what_was_refused_and_cannot_be_replaced_is_not_sent_again(
    town: Town, store: Store
) -> None:
    """At the fee cap a refused delivery waits, and takes nobody's time in every cycle."""
    through(town, Refusing)
    chain = town.chain
    assert isinstance(chain, Refusing)
    suggested = chain.fees().max_fee
    with asked(town, store, max_fee=suggested) as relayer:
        for _ in range(3):
            relayer.tick()
        assert chain.asked == REQUESTS
        assert ProgressKind.FEE_CAP_REACHED in kinds(town)


def commit_fails_at(monkeypatch: pytest.MonkeyPatch, *, nonces: int) -> None:
    """Let the store be full when a transaction gives more than so many nonces out."""
    write = Store.write
    given_out: list[int] = []

    @contextmanager
    def _write(self: Store, held: Lease) -> Iterator[Writer]:
        with write(self, held) as writer:
            yield writer
            opened = [slot_id for slot_id, _ in writer.slot_changes if slot_id not in given_out]
            if len(given_out) + len(set(opened)) > nonces:
                raise StoreUnavailableError(Reason.FILE_UNREADABLE, "the disk is full")
            given_out.extend(set(opened))

    monkeypatch.setattr(Store, "write", _write)


def test_what_waits_for_the_node_waits_in_every_lot(town: Town, store: Store) -> None:
    """All of it is known to wait, and none has lost its answer when the node has caught up."""
    through(town, Behind)
    chain = town.chain
    assert isinstance(chain, Behind)
    with asked(town, store) as relayer:
        relayer.tick()
        assert len(relayer._held()._waiting) == REQUESTS
        chain.knows = True
        relayer.tick()
        assert pooled(town) == REQUESTS
        town.automine(on=True)
        drive(relayer, town)
    assert kinds(town).count(ProgressKind.WORKER_ASKED) == REQUESTS
    require_all_final(town, store, REQUESTS)


def test_memory_rests_only_while_a_relayer_runs() -> None:
    """What was put aside is looked at again afterwards: other programs share the process."""
    before = gc.get_freeze_count()
    with memory_at_rest():
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0
