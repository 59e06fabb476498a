"""The relayer where the chain, the node or the machine fails it: nothing lost, nothing doubled."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from quotary_bridge.chain import Chain, Log
from quotary_bridge.chain.port import TransactionRequest
from quotary_bridge.errors import (
    FeeTooLow,
    FinalityViolation,
    Reason,
    RequestRefused,
    RpcUnavailable,
    TransactionRefused,
)
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import (
    Address,
    AttemptKind,
    BlockNumber,
    ChainId,
    Slot,
    SlotState,
    Timestamp,
)
from quotary_bridge.relayer import ProgressKind, Relayer
from quotary_bridge.relayer.holder import is_gone, own_holder
from quotary_bridge.store import LeaseHeldError, Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    OPEN_GATE,
    Town,
    Worker,
    client_of,
    closed_gate,
    drive,
    relayer_of,
    settings_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]

RELAYER = 2


def kinds(town: Town) -> list[ProgressKind]:
    return [event.kind for event in town.events]


def transactions(town: Town, kind: ProgressKind) -> list[object]:
    return [event.details["transaction"] for event in town.events if event.kind is kind]


def address(town: Town) -> Address:
    return town.node.signers[RELAYER].address


def slot_of(town: Town, store: Store, number: int = 1) -> Slot:
    job = store.job(town.key(number))
    assert job is not None
    assert job.slot is not None
    return store.slot(job.slot)


def require_all_final(town: Town, store: Store, requests: int = 1) -> None:
    """Every request answered once on the chain, every job final, every nonce accounted for."""
    expected = [town.request_id(number) for number in range(1, requests + 1)]
    assert sorted(town.deliveries()) == sorted(expected)
    for number in range(1, requests + 1):
        job = store.job(town.key(number))
        assert job is not None
        assert job.state is JobState.FINAL
    assert store.unresolved_slots(ChainId(town.chain.chain_id), address(town)) == ()


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
    """Ids are sequence numbers: the same id may ask something else after a reorg."""
    town.node.mine(3)
    worker = Worker()
    key = town.ask(b"the old question")
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer._dry_run = True
        relayer.tick()
        town.reorg(1)
        town.asked = 0
        assert town.ask(b"the new question") == key
        relayer._dry_run = False
        drive(relayer, town)
    assert worker.asked == 2
    job = store.job(key)
    assert job is not None
    assert job.request.input == b"the new question"
    require_all_final(town, store)


def test_an_answer_in_flight_for_a_replaced_request_is_not_delivered(
    town: Town, store: Store
) -> None:
    """Its nonce is used up by another transaction, and the new answer gets a later one."""
    town.node.mine(3)
    key = town.ask(b"the old question")
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        assert len(town.deliveries()) == 1
        town.reorg(2)
        town.asked = 0
        assert town.ask(b"the new question") == key
        drive(relayer, town, cycles=30)
    require_all_final(town, store)
    job = store.job(key)
    assert job is not None
    assert job.request.input == b"the new question"


def test_a_transaction_that_the_pool_dropped_is_sent_again(town: Town, store: Store) -> None:
    """A pool promises nothing."""
    town.ask()
    town.automine(on=False)
    with relayer_of(town, store, client_of(one=Worker()), replace_after=50) as relayer:
        relayer.tick()
        town.chain.rpc("anvil_dropAllTransactions")
        relayer.tick()
        sent = transactions(town, ProgressKind.TRANSACTION_SENT)
        assert len(sent) == 2
        assert len(set(sent)) == 1
        drive(relayer, town)
    require_all_final(town, store)


def stuck(town: Town, relayer: Relayer) -> None:
    """Let a delivery be pooled, and the base fee jump far above what it offers."""
    town.automine(on=False)
    relayer.tick()
    for _ in range(3):
        town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(90 * 10**9)])
        town.node.mine()


def test_a_stuck_transaction_is_replaced_with_both_fees_raised(town: Town, store: Store) -> None:
    """Same nonce, at least ten per cent on both, and stored before it was sent."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        stuck(town, relayer)
        relayer.tick()
        slot = slot_of(town, store)
        first, second = slot.attempts
        assert second.fees.max_fee * 10 >= first.fees.max_fee * 11
        assert second.fees.max_priority_fee * 10 >= first.fees.max_priority_fee * 11
        assert first.nonce == second.nonce
        assert ProgressKind.FEES_RAISED in kinds(town)
        drive(relayer, town)
    require_all_final(town, store)


def test_at_the_fee_cap_the_same_bytes_stay_in_the_pool(town: Town, store: Store) -> None:
    """No replacement is made that no pool would take."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker()), max_fee=3 * 10**9) as relayer:
        stuck(town, relayer)
        relayer.tick()
        assert len(slot_of(town, store).attempts) == 1
        assert ProgressKind.FEE_CAP_REACHED in kinds(town)
        town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
        town.node.mine()
        drive(relayer, town)
    require_all_final(town, store)


class StrictPool(Chain):
    """A node that first finds everything underpriced, as a pool does that knows an older twin."""

    refusals = 1

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        if self.refusals:
            self.refusals -= 1
            message = "replacement transaction underpriced"
            raise FeeTooLow(Reason.REPLACEMENT_UNDERPRICED, message)
        return super().send_raw(raw)


class Recorder(Chain):
    """A node that looks into the store whenever something is sent to it."""

    store: Store
    sender: Address
    unstored: list[bytes]

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        slots = self.store.unresolved_slots(ChainId(self.chain_id), self.sender)
        if raw not in [attempt.raw for slot in slots for attempt in slot.attempts]:
            self.unstored.append(raw)
        return super().send_raw(raw)


class Unreliable(Chain):
    """A node that takes a transaction, and whose answer is lost on the way back."""

    losses = 1

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        answer = super().send_raw(raw)
        if self.losses:
            self.losses -= 1
            raise RpcUnavailable(Reason.RPC_TIMEOUT, "no answer in time")
        return answer


class Picky(Chain):
    """A node that takes transfers, and never a delivery."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast what is short."""
        if len(raw) > 300:
            raise TransactionRefused(Reason.TRANSACTION_REFUSED, "exceeds the configured cap")
        return super().send_raw(raw)


def through(town: Town, kind: type[Chain]) -> Town:
    town.chain = kind(town.chain.web3, town.chain.chain_id)
    return town


def test_an_underpriced_replacement_is_raised_at_once(town: Town, store: Store) -> None:
    """Raised from the fees that are stored, in the next cycle, without waiting to be stuck."""
    town.ask()
    through(town, StrictPool)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        assert ProgressKind.TRANSACTION_HELD in kinds(town)
        relayer.tick()
        assert len(slot_of(town, store).attempts) == 2
        drive(relayer, town)
    require_all_final(town, store)


def test_a_lost_answer_to_a_broadcast_doubles_nothing(town: Town, store: Store) -> None:
    """The node has it, we do not know: the receipt tells."""
    town.ask()
    through(town, Unreliable)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    require_all_final(town, store)
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


def test_nothing_is_sent_that_the_store_does_not_hold(town: Town, store: Store) -> None:
    """Seen from the node: at the moment of sending, the very bytes are already committed."""
    for _ in range(3):
        town.ask()
    through(town, Recorder)
    chain = town.chain
    assert isinstance(chain, Recorder)
    chain.store, chain.sender, chain.unstored = store, address(town), []
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    assert chain.unstored == []
    require_all_final(town, store, requests=3)


class DiesBeforeSending(Chain):
    """The machine loses power after the commit and before the broadcast."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        os.kill(os.getpid(), signal.SIGKILL)
        return raw


class DiesAfterSending(Chain):
    """The machine loses power after the broadcast and before anything is noted."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        super().send_raw(raw)
        os.kill(os.getpid(), signal.SIGKILL)
        return raw


def _doomed(kind: type[Chain], town: Town, path: Path) -> None:
    chain = kind(Chain.at(town.node.url).web3, town.node.chain_id)
    store = Store.open(path, lambda: Timestamp(1_000))
    Relayer(
        chain,
        town.oracle,
        store,
        town.node.signers[RELAYER],
        [Endpoint("http://one")],
        settings=settings_of(town),
        client=client_of(one=Worker()),
        holder="a test",
    ).tick()


@pytest.mark.parametrize("kind", [DiesBeforeSending, DiesAfterSending])
@pytest.mark.parametrize("mined", [True, False])
def test_a_kill_around_the_broadcast_loses_and_doubles_nothing(
    town: Town, tmp_path: Path, kind: type[Chain], *, mined: bool
) -> None:
    """Kill -9 between commit and send, or between send and record: the same bytes go out again."""
    town.ask()
    town.automine(on=mined)
    path = tmp_path / "store.sqlite"
    child = multiprocessing.get_context("fork").Process(target=_doomed, args=(kind, town, path))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    store = Store.open(path, lambda: Timestamp(1_000))
    stored = slot_of(town, store).latest.hash
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer.tick()
        slot = slot_of(town, store)
        assert [attempt.hash for attempt in slot.attempts] == [stored]
        assert town.chain.knows(stored)
        drive(relayer, town)
    assert worker.asked == 0
    require_all_final(town, store)
    assert town.chain.nonce(address(town)) == town.nonce_before + 1
    store.close()


def test_a_nonce_that_somebody_else_used_is_given_up_at_finality_only(
    town: Town, store: Store
) -> None:
    """Then, and not before, the job gets another nonce: a lagging node must not cause a double."""
    town.ask()
    town.automine(on=False)
    with relayer_of(town, store, client_of(one=Worker()), replace_after=50) as relayer:
        relayer.tick()
        town.chain.rpc("anvil_dropAllTransactions")
        stranger = town.sender(RELAYER)
        request = TransactionRequest(address(town), address(town))
        town.chain.send_raw(stranger.sign(request, town.nonce_before).raw)
        town.node.mine()
        for _ in range(3):
            relayer.tick()
            assert slot_of(town, store).state is SlotState.OPEN
            town.node.mine()
        drive(relayer, town, cycles=20)
    assert ProgressKind.NONCE_LOST in kinds(town)
    require_all_final(town, store)


def reverted(town: Town, relayer: Relayer) -> None:
    """Let a delivery pass its simulation, and the gate close before it is mined."""
    town.automine(on=False)
    relayer.tick()
    town.set_gate(closed_gate("OperatorMissing"))
    for _ in range(6):
        town.node.mine()
        relayer.tick()
    assert ProgressKind.REVERTED in kinds(town)


def test_a_delivery_that_reverts_when_mined_is_made_anew_after_finality(
    town: Town, store: Store
) -> None:
    """The nonce is spent; the job gets another one, and another answer, when that is final."""
    town.ask()
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        reverted(town, relayer)
        town.set_gate(OPEN_GATE)
        drive(relayer, town, cycles=30)
    assert town.chain.nonce(address(town)) == town.nonce_before + 2
    require_all_final(town, store)


def test_deliveries_that_always_revert_end_in_failure(town: Town, store: Store) -> None:
    """They must not spend the account's funds for ever."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker()), results_per_job=1) as relayer:
        reverted(town, relayer)
    job = store.job(town.key(1))
    assert job is not None
    assert (job.state, job.reason) == (JobState.FAILED, "Reverted")
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


def test_a_delivery_that_no_node_takes_frees_its_nonce_and_ends(town: Town, store: Store) -> None:
    """The nonce is used up by nothing, so that others can follow; the job fails by name."""
    town.ask()
    through(town, Picky)
    with relayer_of(town, store, client_of(one=Worker()), results_per_job=1) as relayer:
        drive(relayer, town)
    job = store.job(town.key(1))
    assert job is not None
    assert (job.state, job.reason) == (JobState.FAILED, "TransactionRefused")
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


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


def test_an_empty_account_holds_its_transactions_until_it_is_topped_up(
    town: Town, store: Store
) -> None:
    """Nothing fails for want of money; it waits, and says so."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer._dry_run = True
        relayer.tick()
        relayer._dry_run = False
        balance = town.chain.balance(address(town))
        town.chain.rpc("anvil_setBalance", [address(town), hex(1)])
        relayer.tick()
        held = [e for e in town.events if e.kind is ProgressKind.TRANSACTION_HELD]
        assert [event.details["reason"] for event in held] == ["INSUFFICIENT_FUNDS"]
        town.chain.rpc("anvil_setBalance", [address(town), hex(balance)])
        drive(relayer, town)
    require_all_final(town, store)


def test_a_reorg_below_finality_stops_the_relayer(town: Town, store: Store) -> None:
    """A chain that breaks its promise is not worked on."""
    town.node.mine(12)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
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
    job = store.job(key)
    assert job is not None
    assert job.state is JobState.DISPATCHED


def test_two_relayers_cannot_share_an_account(town: Town, store: Store) -> None:
    """The second is refused; after a take-over the first writes nothing any more."""
    town.ask()
    now = [1_000]
    store._now = lambda: Timestamp(now[0])
    second: Callable[[], Relayer] = lambda: relayer_of(  # noqa: E731 (made twice)
        town, store, client_of(one=Worker())
    )
    first, other = second(), second()
    other._holder = "another machine"
    first.tick()
    with pytest.raises(LeaseHeldError):
        other.tick()
    now[0] += 61
    other.tick()
    town.node.mine()
    with pytest.raises(LeaseHeldError):
        first.tick()
    drive(other, town)
    require_all_final(town, store)


def test_no_key_ever_enters_the_database(town: Town, tmp_path: Path) -> None:
    """The store may be copied, backed up and looked into."""
    path = tmp_path / "store.sqlite"
    store = Store.open(path, lambda: Timestamp(1_000))
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    store.close()
    key = bytes(town.node.signers[RELAYER]._account.key)
    written = b"".join(file.read_bytes() for file in tmp_path.glob("store.sqlite*"))
    assert len(written) > 0
    assert key not in written
    assert key.hex().encode() not in written


def _holds_and_dies(path: Path) -> None:
    store = Store.open(path, lambda: Timestamp(1_000))
    store.acquire(ChainId(31337), Address(f"0x{'22' * 20}"), own_holder())
    os.kill(os.getpid(), signal.SIGKILL)


def test_nobody_waits_for_the_lease_of_a_process_that_is_gone(tmp_path: Path) -> None:
    """A restart after kill -9 goes on at once; a living process keeps its lease."""
    path = tmp_path / "store.sqlite"
    child = multiprocessing.get_context("fork").Process(target=_holds_and_dies, args=(path,))
    child.start()
    child.join(30)
    store = Store.open(path, lambda: Timestamp(1_000))
    signer = Address(f"0x{'22' * 20}")
    with pytest.raises(LeaseHeldError):
        store.acquire(ChainId(31337), signer, own_holder())
    assert store.acquire(ChainId(31337), signer, own_holder(), is_gone).token == 2
    with pytest.raises(LeaseHeldError):
        store.acquire(ChainId(31337), signer, "elsewhere:1", is_gone)
    store.close()


def test_a_node_that_answers_short_ranges_only_is_read_in_pieces(town: Town, store: Store) -> None:
    """The range is halved until it is answered."""

    class Narrow(Chain):
        """A node that answers for three blocks at a time."""

        def logs(
            self,
            addresses: Sequence[Address],
            from_block: int,
            to_block: int,
            topics: Sequence[bytes | Sequence[bytes] | None] = (),
        ) -> tuple[Log, ...]:
            """Answer, or refuse."""
            if to_block - from_block >= 3:
                raise RequestRefused(Reason.REQUEST_REFUSED, "block range too wide")
            return super().logs(addresses, from_block, to_block, topics)

    town.ask()
    town.node.mine(20)
    through(town, Narrow)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    require_all_final(town, store)
