"""Whom a request for one worker is asked of, and what becomes of one that nobody may answer."""

from __future__ import annotations

import pytest
from quotary_bridge.chain.contracts import ONE_WORKER, RequestStatus, ResultOracle
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import Address, JobKey, JobKind
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, identities
from quotary_bridge.store import Store

from tests.bridge.relayer_town import (
    LIFETIME,
    OPEN_GATE,
    Town,
    Worker,
    client_of,
    closed_gate,
    drive,
    kinds,
    relayer_of,
    require_all_final,
)
from tests.bridge.round_town import (
    PATIENCE_SECONDS,
    ask_several,
    conductor,
    cycle_until,
    members,
)
from tests.bridge.test_relayer_faults import reverted
from tests.bridge.test_relayer_rounds import end, errands, events

pytest_plugins = ["tests.bridge.relayer_fixtures"]

RESERVED = 60
A_DAY = 86_400


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, whoever is asked who it is has said so before others are asked."""
    monkeypatch.setattr(identities, "IDENTIFY_SECONDS", PATIENCE_SECONDS)


def other() -> Worker:
    """A worker with another key than the first one's."""
    return Worker(key=f"0x{'43' * 32}")


def ask_one(town: Town, named: Address, lifetime: int = LIFETIME) -> JobKey:
    """Make a request that reserves its answer to the worker `named` for a minute."""
    reserved = town.chain.head().timestamp + RESERVED
    return ask_several(town, ONE_WORKER, lifetime, workers=(named,), reserved_until=reserved)


def job_of(store: Store, key: JobKey) -> Job:
    job = store.job(key)
    assert job is not None
    return job


def missing(town: Town) -> list[object]:
    """Why nobody could be asked, each time that was told."""
    told = [event for event in town.events if event.kind is ProgressKind.WORKERS_MISSING]
    return [event.details["reason"] for event in told]


def cycles(relayer: Relayer, town: Town, number: int) -> None:
    for _ in range(number):
        relayer.tick()
        town.node.mine()


def test_only_the_named_worker_is_asked(town: Town, store: Store) -> None:
    """Though another one is as healthy, and first in turn."""
    one, two = Worker(), other()
    for _ in range(3):
        ask_one(town, two.address)
    with relayer_of(town, store, client_of(one=one, two=two), "one", "two") as relayer:
        drive(relayer, town)
    require_all_final(town, store, requests=3)
    assert (one.asked, two.asked) == (0, 3)
    assert ProgressKind.DELIVERY_REFUSED not in kinds(town)


def test_a_request_that_names_a_stranger_waits_and_says_why(town: Town, store: Store) -> None:
    """Nobody's time is spent on an answer that the chain would refuse, and the job stays open."""
    one = Worker()
    key = ask_one(town, other().address)
    with relayer_of(town, store, client_of(one=one)) as relayer:
        cycles(relayer, town, 30)
    assert one.asked == 0
    assert job_of(store, key).state is JobState.SEEN
    assert set(missing(town)) == {"NotAssigned"}
    # After rests that grow: at cycles 1, 2, 4, 8, 16.
    assert len(missing(town)) == 5
    assert errands(store, JobKind.REASSIGN) == []


@pytest.mark.parametrize("is_known", [False, True])
def test_a_request_whose_worker_is_late_is_opened_to_others(
    town: Town, store: Store, *, is_known: bool
) -> None:
    """Once its time is over: whether the worker is no one of ours, or one that gives no answer."""
    one, late = Worker(), other()
    late.status = 503
    key = ask_one(town, late.address)
    hosts = {"late": late, "one": one} if is_known else {"one": one}
    with relayer_of(town, store, client_of(**hosts), *hosts) as relayer:
        cycles(relayer, town, 3)
        assert (one.asked, errands(store, JobKind.REASSIGN)) == (0, [])
        town.node.advance_to(town.chain.head().timestamp + 2 * RESERVED)
        drive(relayer, town, 40)
    require_all_final(town, store)
    assert errands(store, JobKind.REASSIGN) == [(JobState.FINAL, None)]
    assert events(town, "RequestReassigned") == 1
    assert job_of(store, key).retries == 0
    assert (late.asked > 0) is is_known


def test_a_worker_that_is_there_in_the_end_is_asked_before_others(town: Town, store: Store) -> None:
    """A relayer that comes late pays nobody's reward where the named worker still answers."""
    one, named = Worker(), other()
    ask_one(town, named.address)
    town.node.advance_to(town.chain.head().timestamp + 2 * RESERVED)
    with relayer_of(town, store, client_of(one=one, named=named), "one", "named") as relayer:
        drive(relayer, town)
    require_all_final(town, store)
    assert (one.asked, named.asked) == (0, 1)
    assert errands(store, JobKind.REASSIGN) == []


def test_a_worker_on_probation_is_not_asked_until_that_is_over(
    town: Town, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lied in a round: for seven days its answers count for nothing, also where one is asked."""
    monkeypatch.setattr(identities, "IDENTIFY_AGAIN_SECONDS", 0.0)
    ask_several(town)
    several = members("honest", "lies", "honest")
    rounds = conductor(town, store, several)
    drive(rounds, town, 30)
    end(rounds, several)
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]

    liar, one = Worker(key=several[1].key), Worker()
    town.ask(lifetime=20 * A_DAY)
    town.events.clear()
    with relayer_of(town, store, client_of(liar=liar), "liar") as relayer:
        # Who it is it says with its first answer, which is not brought to the chain.
        cycles(relayer, town, 6)
        told = [e for e in town.events if e.kind is ProgressKind.RESULT_REJECTED]
        assert [event.details["reason"] for event in told] == ["WorkerOnProbation"]
        assert set(missing(town)) == {"WorkerOnProbation"}
        assert liar.asked == 1
        # Another worker has come to the same place.
        liar.key = other().key
        cycle_until(relayer, town, lambda: len(town.deliveries()) == 2)
        drive(relayer, town)
    require_all_final(town, store, requests=2)
    liar = Worker(key=several[1].key)
    with relayer_of(town, store, client_of(liar=liar, one=one), "liar", "one") as relayer:
        for _ in range(2):
            town.ask(lifetime=20 * A_DAY)
            drive(relayer, town)
        assert (liar.asked, one.asked) == (1, 2)
    town.ask(lifetime=20 * A_DAY)
    town.node.advance_to(town.chain.head().timestamp + 8 * A_DAY)
    with relayer_of(town, store, client_of(liar=liar), "liar") as relayer:
        drive(relayer, town)
    require_all_final(town, store, requests=5)
    assert ProgressKind.DELIVERY_REFUSED not in kinds(town)


def test_an_answer_refused_for_its_worker_costs_the_job_nothing(town: Town, store: Store) -> None:
    """However often: the job stays open, and the worker is left alone till the chain takes it."""
    key = town.ask()
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker), results_per_job=1) as relayer:
        relayer._dry_run = True
        relayer.tick()
    town.set_gate(closed_gate("OperatorMissing"))
    with relayer_of(town, store, client_of(one=worker), results_per_job=1) as relayer:
        cycles(relayer, town, 20)
        refused = [e for e in town.events if e.kind is ProgressKind.DELIVERY_REFUSED]
        assert [event.details["reason"] for event in refused] == ["OperatorMissing"]
        job = job_of(store, key)
        assert (job.state, job.retries) == (JobState.DISPATCHED, 0)
        # Once for the answer that was refused, once to learn who is at this place.
        assert worker.asked == 2
        assert set(missing(town)) == {"OperatorMissing"}
        town.set_gate(OPEN_GATE)
        drive(relayer, town, 40)
    require_all_final(town, store)


def test_what_was_tried_too_often_rests_until_it_expires(town: Town, store: Store) -> None:
    """One delivery was paid for in vain: none more is, and the request ends refunded."""
    town.ask(lifetime=LIFETIME)
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker), results_per_job=1, refunds=True) as relayer:
        reverted(town, relayer)
        town.set_gate(OPEN_GATE)
        town.automine(on=True)
        cycles(relayer, town, 10)
        job = job_of(store, town.key(1))
        assert (job.state, job.reason, job.retries) == (JobState.SEEN, "Reverted", 1)
        assert (worker.asked, set(missing(town))) == (1, {"Reverted"})
        town.node.advance_to(town.chain.head().timestamp + LIFETIME + 1)
        drive(relayer, town, 30)
    job = job_of(store, town.key(1))
    assert (job.state, job.reason, job.sealed) == (JobState.SUPERSEDED, "RequestExpired", True)
    assert errands(store, JobKind.REFUND) == [(JobState.FINAL, None)]
    state = ResultOracle(town.chain, town.oracle).state_of(town.request_id(1))
    assert state.status is RequestStatus.REFUNDED
    relayer_account = town.node.signers[2].address
    assert town.chain.nonce(relayer_account) == town.nonce_before + 2


def test_what_was_tried_too_often_is_asked_of_a_worker_that_was_not(
    town: Town, store: Store
) -> None:
    """Something has changed: the pool has somebody whose answer nobody has seen."""
    town.ask()
    one, two = Worker(), other()
    with relayer_of(town, store, client_of(one=one), results_per_job=1) as relayer:
        reverted(town, relayer)
    town.set_gate(OPEN_GATE)
    town.automine(on=True)
    hosts = {"one": one, "two": two}
    with relayer_of(town, store, client_of(**hosts), *hosts, results_per_job=1) as relayer:
        drive(relayer, town, 30)
    require_all_final(town, store)
    assert two.asked == 1


def test_an_errand_that_reverts_too_often_is_brought_no_more(town: Town, store: Store) -> None:
    """Nobody's funds are spent for ever on what passes its simulation and fails when mined."""
    ask_several(town)
    workers = members("honest", "equivocates", "honest")

    def _stop_mining(told: Progress) -> None:
        if told.details.get("errand") == JobKind.EQUIVOCATION:
            town.automine(on=False)

    relayer = conductor(town, store, workers, results_per_job=1, listener=_stop_mining)
    for _ in range(20):
        relayer.tick()
        found = [j for j in store.page(None, 9, errands=True) if j.kind is JobKind.EQUIVOCATION]
        if found:
            is_sent = found[0].state is JobState.BROADCAST
            town.set_gate(closed_gate("OperatorMissing") if is_sent else OPEN_GATE)
        town.node.mine()
    end(relayer, workers)
    assert errands(store, JobKind.EQUIVOCATION) == [(JobState.FAILED, "Reverted")]
