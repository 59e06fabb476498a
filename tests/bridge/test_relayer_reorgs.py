"""The relayer where the chain changes its mind: state goes back, effects happen once."""

from __future__ import annotations

import pytest
from quotary_bridge.chain.port import TransactionRequest
from quotary_bridge.errors import (
    FinalityViolation,
    Reason,
)
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import (
    AttemptKind,
    BlockNumber,
    JobKey,
)
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.store import Store

from tests.bridge.relayer_town import (
    RELAYER,
    Narrow,
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


def test_a_reorg_that_drops_our_transaction_sends_the_same_bytes_again(
    town: Town, store: Store
) -> None:
    """The state goes back, the bytes do not change, the effect happens once."""
    town.ask()
    town.node.mine(2)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        relayer.tick()
        assert kinds(town)[-1] is ProgressKind.MINED
        town.reorg(1)
        assert town.deliveries() == []
        relayer.tick()
        assert ProgressKind.REORGED in kinds(town)
        drive(relayer, town)
    sent = transactions(town, ProgressKind.TRANSACTION_SENT)
    assert len(sent) == 2
    assert len(set(sent)) == 1
    require_all_final(town, store)


def test_a_reorg_that_drops_the_request_orphans_the_job_until_it_is_made_again(
    town: Town, store: Store
) -> None:
    """The same request in another block goes on where it was, with the answer it had."""
    town.node.mine(3)
    worker = Worker()
    key = town.ask()
    raw = town.requests[-1]
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer._dry_run = True
        relayer.tick()
        town.reorg(1)
        relayer.tick()
        job = store.job(key)
        assert job is not None
        assert job.state is JobState.ORPHANED
        town.chain.send_raw(raw)
        relayer._dry_run = False
        drive(relayer, town)
    assert worker.asked == 1
    require_all_final(town, store)


def test_a_request_that_a_reorg_replaced_by_another_is_not_given_the_old_answer(
    town: Town, store: Store
) -> None:
    """An id is the hash of what is asked: in another's place it is another job."""
    town.node.mine(3)
    worker = Worker()
    old = town.ask(b"the old question")
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer._dry_run = True
        relayer.tick()
        town.reorg(1)
        new = town.ask_instead(b"the new question")
        assert new != old
        relayer._dry_run = False
        drive(relayer, town)
    assert worker.asked == 2
    require_replaced(store, old, new)
    require_all_final(town, store)


def test_an_answer_in_flight_for_a_replaced_request_is_not_delivered(
    town: Town, store: Store
) -> None:
    """Its nonce is used up by another transaction, and the new answer gets a later one."""
    town.node.mine(3)
    old = town.ask(b"the old question")
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        assert len(town.deliveries()) == 1
        town.reorg(2)
        new = town.ask_instead(b"the new question")
        drive(relayer, town, cycles=30)
    require_all_final(town, store)
    require_replaced(store, old, new)


def require_replaced(store: Store, old: JobKey, new: JobKey) -> None:
    """The old request is gone, its answer with it, and the new one has its own."""
    gone, made = store.job(old), store.job(new)
    assert gone is not None
    assert made is not None
    assert gone.state is JobState.SUPERSEDED
    assert (gone.request.input, made.request.input) == (b"the old question", b"the new question")


def test_a_gap_below_our_nonces_is_closed(town: Town, store: Store) -> None:
    """A stranger's transaction of the same account vanished in a reorg; ours must not wait."""
    town.ask()
    town.node.mine(3)
    stranger = town.sender(RELAYER)
    stranger.send(TransactionRequest(address(town), address(town)))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        town.reorg(2)
        drive(relayer, town)
    cancels = [e for e in town.events if e.details.get("purpose") == AttemptKind.CANCEL.value]
    assert [event.details["nonce"] for event in cancels] == [town.nonce_before]
    require_all_final(town, store)


def test_a_reorg_below_finality_stops_the_relayer(town: Town, store: Store) -> None:
    """A chain that breaks its promise is not worked on."""
    town.node.mine(12)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        # The anchor moves when what was read up to it has been acted on.
        relayer.tick()
        town.reorg(8)
        with pytest.raises(FinalityViolation) as caught:
            relayer.tick()
    assert caught.value.reason is Reason.FINALITY_VIOLATION


def test_a_node_that_lags_is_not_taken_for_a_reorg(town: Town, store: Store) -> None:
    """After a switch of nodes the head may be lower for a while."""
    town.node.mine(5)
    key = town.ask()
    with relayer_of(town, store, client_of(one=Worker(status=503))) as relayer:
        relayer.tick()
        town.chain.head = lambda: town.chain.block(BlockNumber(3))  # type: ignore[method-assign]
        assert relayer.tick().skipped
    assert kinds(town)[-1] is ProgressKind.NODE_BEHIND
    job = store.job(key)
    assert job is not None
    assert job.state is JobState.DISPATCHED


def test_a_node_that_answers_short_ranges_only_is_read_in_pieces(town: Town, store: Store) -> None:
    """The range is halved until it is answered."""
    town.ask()
    town.node.mine(20)
    through(town, Narrow)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    require_all_final(town, store)
