"""The relayer where the node, the pool or the fees fail it: nothing lost, nothing doubled."""

from __future__ import annotations

import pytest
from quotary_bridge.chain.port import TransactionRequest
from quotary_bridge.errors import (
    FeeTooLow,
    Reason,
    RpcUnavailable,
    TransactionRefused,
)
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import (
    Address,
    ChainId,
    SlotState,
)
from quotary_bridge.relayer import ProgressKind, Relayer
from quotary_bridge.store import Store

from tests.bridge.relayer_town import (
    OPEN_GATE,
    RELAYER,
    OneByOne,
    Town,
    Worker,
    address,
    client_of,
    closed_gate,
    drive,
    kinds,
    relayer_of,
    require_all_final,
    slot_of,
    through,
    transactions,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


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


class StrictPool(OneByOne):
    """A node that first finds everything underpriced, as a pool does that knows an older twin."""

    refusals = 1

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        if self.refusals:
            self.refusals -= 1
            message = "replacement transaction underpriced"
            raise FeeTooLow(Reason.REPLACEMENT_UNDERPRICED, message)
        return super().send_raw(raw)


class Recorder(OneByOne):
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


class Unreliable(OneByOne):
    """A node that takes a transaction, and whose answer is lost on the way back."""

    losses = 1

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        answer = super().send_raw(raw)
        if self.losses:
            self.losses -= 1
            raise RpcUnavailable(Reason.RPC_TIMEOUT, "no answer in time")
        return answer


class Picky(OneByOne):
    """A node that takes transfers, and never a delivery."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast what is short."""
        if len(raw) > 300:
            raise TransactionRefused(Reason.TRANSACTION_REFUSED, "exceeds the configured cap")
        return super().send_raw(raw)


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


def test_deliveries_that_always_revert_are_made_no_more(town: Town, store: Store) -> None:
    """They must not spend the account's funds for ever; the job is open till its deadline."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker()), results_per_job=1) as relayer:
        reverted(town, relayer)
    job = store.job(town.key(1))
    assert job is not None
    assert (job.state, job.reason) == (JobState.SEEN, "Reverted")
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


def test_a_delivery_that_no_node_takes_frees_its_nonce_and_rests(town: Town, store: Store) -> None:
    """The nonce is used up by nothing, so that others can follow; the job says why it waits."""
    town.ask()
    through(town, Picky)
    with relayer_of(town, store, client_of(one=Worker()), results_per_job=1) as relayer:
        drive(relayer, town)
    job = store.job(town.key(1))
    assert job is not None
    assert (job.state, job.reason) == (JobState.SEEN, "TransactionRefused")
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


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
