"""Rounds of several workers on a real chain: who agrees, who lies, who is missing, who is shown."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from quotary_bridge.chain.contracts import RequestStatus, ResultOracle
from quotary_bridge.chain.interface import interface
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Bytes32, JobKey, JobKind, Quorum, Rule, Timestamp
from quotary_bridge.relayer import Progress, ProgressKind, Relayer
from quotary_bridge.rounds import RoundState
from quotary_bridge.store import Location, Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    LIFETIME,
    Narrow,
    Town,
    drive,
    kinds,
    require_all_final,
    through,
)
from tests.bridge.round_town import (
    PATIENCE_SECONDS,
    ROUND_SECONDS,
    THREE_OF_FIVE,
    Member,
    ask_several,
    conductor,
    cycle_until,
    endpoints_of,
    members,
)
from tests.bridge.store_parts import OpenStore
from tests.bridge.test_relayer_plans import GROWING, OF_OPEN_ROWS, Onlooker

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]


def errands(store: Store, kind: JobKind) -> list[tuple[JobState, str | None]]:
    jobs = store.page(None, 500, errands=True)
    return [(job.state, job.reason) for job in jobs if job.kind is kind]


def states(store: Store, key: JobKey) -> list[RoundState]:
    return [held.state for held in store.rounds([key]).get(key, [])]


def events(town: Town, name: str) -> int:
    contract = "WorkerRegistry" if name == "WorkerEquivocated" else "ResultOracle"
    topic = interface(contract).event(name).topic
    chain = town.node.chain
    return len(chain.logs([town.oracle], 0, chain.head().number, [topic]))


def end(relayer: Relayer, workers: Sequence[Member]) -> None:
    for worker in workers:
        worker.over.set()
    relayer.close()


def test_a_quorum_answers_once(town: Town, store: Store) -> None:
    """Three are asked, two must agree: one transaction, one answer, everybody paid who agreed."""
    key = ask_several(town)
    workers = members("honest", "honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town)
    end(relayer, workers)
    require_all_final(town, store)
    assert states(store, key) == [RoundState.REPORTED]
    (held,) = store.rounds([key])[key]
    assert all(seat.signed is not None and seat.fault is None for seat in held.seats)
    assert events(town, "RoundPaid") == 1
    assert errands(store, JobKind.DISSENT) == []


def test_liars_stallers_and_the_dead_change_nothing(town: Town, store: Store) -> None:
    """Three of five agree; one lies, one never reveals: the liar is put on probation."""
    key = ask_several(town, THREE_OF_FIVE)
    workers = members("honest", "lies", "honest", "stalls", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    assert states(store, key) == [RoundState.REPORTED]
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]
    oracle = ResultOracle(town.chain, town.oracle)
    assert oracle.probation_of(workers[1].address) > town.chain.head().timestamp
    assert oracle.probation_of(workers[0].address) == 0


def test_who_fails_before_the_round_is_closed_is_replaced(town: Town, store: Store) -> None:
    """The dead give their seats to spare workers, and so do those that do not even commit."""
    key = ask_several(town, Quorum(3, 3))
    workers = members("dead", "mute", "honest", "honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    (held,) = store.rounds([key])[key]
    faults = {seat.worker: seat.fault for seat in held.seats if seat.fault}
    assert faults == {workers[0].address: "Unreachable", workers[1].address: "WorkerTimeout"}


def test_who_reveals_something_else_is_out(town: Town, store: Store) -> None:
    """A worker's reveal must be what it committed to: what it signed instead still convicts it."""
    key = ask_several(town)
    workers = members("honest", "swaps", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    (held,) = store.rounds([key])[key]
    seat = held.seat_of(workers[1].address)
    assert seat is not None
    assert seat.fault == "NotCommitted"
    assert seat.signed is not None
    assert workers[1].revealed == 2
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]
    assert errands(store, JobKind.EQUIVOCATION) == []


def test_two_signatures_are_brought_to_the_registry(town: Town, store: Store) -> None:
    """The gate here takes any call: that the errand is sent once and ends is what is tested."""
    ask_several(town)
    workers = members("honest", "equivocates", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    assert errands(store, JobKind.EQUIVOCATION) == [(JobState.FINAL, None)]


def test_a_copied_commitment_serves_its_owner_only(town: Town, store: Store) -> None:
    """Whoever commits to another's hash has nothing to reveal for it."""
    key = ask_several(town, THREE_OF_FIVE)
    workers = members("honest", "honest", "copies", "honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    (held,) = store.rounds([key])[key]
    copier = held.seat_of(workers[2].address)
    assert copier is not None
    assert copier.fault == "NotCommitted" or copier.commitment not in [
        seat.commitment for seat in held.seats if seat is not copier
    ]


def test_disagreement_goes_to_others_who_decide(town: Town, store: Store) -> None:
    """A full round without a quorum is shown to the chain; its workers are out; three others."""
    # However few blocks the node answers about at once, it is found out who took part.
    through(town, Narrow)
    key = ask_several(town)
    workers = members("lies", "lies", "lies", "honest", "honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 60)
    end(relayer, workers)
    require_all_final(town, store)
    assert states(store, key) == [RoundState.DISPUTED, RoundState.REPORTED]
    assert errands(store, JobKind.DISPUTE) == [(JobState.FINAL, None)]
    assert Counter(errands(store, JobKind.DISSENT)) == {(JobState.FINAL, None): 3}
    assert events(town, "RoundDisputed") == 1


def test_two_rounds_that_disagree_end_the_request(town: Town, store: Store) -> None:
    """Failed, and what was put up goes back: the contract's word, and the job's end."""
    key = ask_several(town)
    workers = members(*["lies"] * 6)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 60)
    end(relayer, workers)
    state = ResultOracle(town.chain, town.oracle).state_of(town.request_id(1))
    assert state.status is RequestStatus.FAILED
    job = store.job(key)
    assert job is not None
    assert (job.state, job.reason, job.terminal) == (JobState.SUPERSEDED, "AlreadyFailed", True)
    assert states(store, key) == [RoundState.DISPUTED] * 2


def test_late_workers_lose_their_request_to_others(town: Town, store: Store) -> None:
    """Named workers that are dead: after their time anybody may answer, for a small reward."""
    workers = members("dead", "dead", "dead", "honest", "honest", "honest")
    named = tuple(sorted((w.address for w in workers[:3]), key=lambda each: int(each, 16)))
    reserved = town.chain.head().timestamp + 60
    key = ask_several(town, workers=named, reserved_until=reserved)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 3)
    assert store.rounds([key])[key][-1].seats[0].worker in named
    town.chain.rpc("evm_increaseTime", [120])
    drive(relayer, town, 80)
    end(relayer, workers)
    require_all_final(town, store)
    assert errands(store, JobKind.REASSIGN) == [(JobState.FINAL, None)]
    assert events(town, "RequestReassigned") == 1


def test_an_errand_that_a_reorg_made_early_waits_for_its_time(town: Town, store: Store) -> None:
    """The blocks in which the named workers were late are gone: their request still is opened."""
    workers = members("dead", "dead", "dead", "honest", "honest", "honest")
    named = tuple(sorted((w.address for w in workers[:3]), key=lambda each: int(each, 16)))
    reserved = town.chain.head().timestamp + LIFETIME // 4
    ask_several(town, workers=named, reserved_until=reserved)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 3)
    before = town.chain.rpc("evm_snapshot")
    town.chain.rpc("evm_increaseTime", [LIFETIME // 2])
    town.node.mine()
    relayer.tick()
    assert len(errands(store, JobKind.REASSIGN)) == 1
    assert town.chain.rpc("evm_revert", [before])
    drive(relayer, town, 12)
    assert town.chain.head().timestamp <= reserved
    town.chain.rpc("evm_increaseTime", [LIFETIME // 2])
    drive(relayer, town, 80)
    end(relayer, workers)
    require_all_final(town, store)


def test_what_nobody_answers_is_refunded_where_that_is_wanted(town: Town, store: Store) -> None:
    """After the deadline, and once: the errand is final, the request has ended on the chain."""
    ask_several(town, lifetime=100)
    workers = members("dead", "dead", "dead")
    relayer = conductor(town, store, workers, refunds=True)
    drive(relayer, town, 2)
    town.chain.rpc("evm_increaseTime", [LIFETIME])
    drive(relayer, town, 30)
    end(relayer, workers)
    assert errands(store, JobKind.REFUND) == [(JobState.FINAL, None)]
    state = ResultOracle(town.chain, town.oracle).state_of(town.request_id(1))
    assert state.status is RequestStatus.REFUNDED


@pytest.mark.parametrize("rule", [Rule.CLASS, Rule.TOLERANCE])
def test_answers_are_compared_by_the_request_s_rule(town: Town, store: Store, rule: Rule) -> None:
    """Different words of one class, and numbers near their median."""
    key = ask_several(town, Quorum(3, 3, rule=rule, tolerance=2 if rule is Rule.TOLERANCE else 0))
    workers = members("honest", "honest", "honest")
    for number, worker in enumerate(workers):
        worker.output = b"in my own words, %d" % number
        word = number - 1 if rule is Rule.TOLERANCE else 7
        worker.decision = word.to_bytes(32, signed=True)
    relayer = conductor(town, store, workers)
    drive(relayer, town)
    end(relayer, workers)
    require_all_final(town, store)
    found = ResultOracle(town.chain, town.oracle).result_of(town.request_id(1))
    middle = 0 if rule is Rule.TOLERANCE else 7
    assert found.decision == Bytes32(middle.to_bytes(32))
    assert states(store, key) == [RoundState.REPORTED]


def test_a_relayer_that_starts_anew_goes_on_with_the_same_round(town: Town, store: Store) -> None:
    """Killed after the round was closed: the same list, and nobody is asked to commit again."""
    key = ask_several(town)
    workers = members("honest", "stalls", "stalls")
    first = conductor(town, store, workers, patience_seconds=0.3, round_seconds=ROUND_SECONDS)
    cycle_until(first, town, lambda: any(held.answers for held in store.rounds([key]).get(key, [])))
    (before,) = store.rounds([key])[key]
    assert before.state is RoundState.REVEALING
    for worker in workers:
        worker.manner = "honest"
        worker.over.set()
    asked = [worker.asked for worker in workers]
    second = conductor(town, store, workers)
    drive(second, town)
    end(second, workers)
    require_all_final(town, store)
    (after,) = store.rounds([key])[key]
    assert after.commitments == before.commitments
    # One reveal of each that had not revealed, and nothing of the one that had.
    assert [w.asked - a for w, a in zip(workers, asked, strict=True)] == [0, 1, 1]


def test_nobody_is_asked_without_enough_workers(town: Town, store: Store) -> None:
    """A commitment of too few would be worth nothing: the job waits, and says why."""
    key = ask_several(town, THREE_OF_FIVE)
    workers = members("honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 3)
    end(relayer, workers)
    assert ProgressKind.WORKERS_MISSING in kinds(town)
    assert states(store, key) == []
    assert all(worker.asked == 0 for worker in workers)
    assert town.deliveries() == []


def test_nobody_is_asked_where_the_seats_could_not_agree(town: Town, store: Store) -> None:
    """All workers are one operator's here: answers would be used up, and never be a quorum."""
    key = ask_several(town, Quorum(2, 3, operators=2))
    workers = members("honest", "honest", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town, 3)
    end(relayer, workers)
    assert ProgressKind.WORKERS_MISSING in kinds(town)
    assert states(store, key) == []
    assert all(worker.asked == 0 for worker in workers)


def test_an_endpoint_cannot_stand_in_for_a_worker_that_was_named(town: Town, store: Store) -> None:
    """It says it is somebody we know the address of: that one's seat stays its own."""
    ask_several(town)
    workers = members("honest", "honest", "honest")
    thief = Member("thief", "stalls", claims=workers[0].address)
    endpoints = [Endpoint("http://thief"), *endpoints_of(workers)]
    relayer = conductor(town, store, [*workers, thief], endpoints=endpoints)
    drive(relayer, town)
    end(relayer, [*workers, thief])
    require_all_final(town, store)
    assert thief.revealed == 0
    assert ProgressKind.ROUND_ABANDONED not in kinds(town)


def test_workers_whose_address_is_not_given_are_asked_for_it(town: Town, store: Store) -> None:
    """What they say has to hold when they reveal: the signature is theirs or they are out."""
    ask_several(town)
    workers = members("honest", "honest", "honest", "dead")
    endpoints = [Endpoint(f"http://{worker.name}") for worker in workers]
    relayer = conductor(town, store, workers, endpoints=endpoints)
    drive(relayer, town)
    end(relayer, workers)
    require_all_final(town, store)


def test_relayers_on_one_store_conduct_each_round_once(
    town: Town, database: Location, open_store: OpenStore
) -> None:
    """Two relayers with an account each: no worker is asked to show its answer to two rounds."""
    requests = 6
    for _ in range(requests):
        ask_several(town, THREE_OF_FIVE)
    workers = members("honest", "lies", "honest", "honest", "honest", "honest")
    stores = [open_store(database, lambda: Timestamp(1_000)) for _ in (2, 3)]
    relayers = [
        conductor(town, store, workers, account, patience_seconds=0.2)
        for store, account in zip(stores, (2, 3), strict=True)
    ]
    failures: list[BaseException] = []

    def _relay(relayer: Relayer) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        try:
            while not relayer.tick().idle and time.monotonic() < end:
                continue
        except BaseException as error:  # noqa: BLE001 (shown by the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=_relay, args=(relayer,)) for relayer in relayers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        town.node.mine()
        time.sleep(0.1)
    assert failures == []
    for relayer in relayers:
        end(relayer, workers)
    require_all_final(town, stores[0], requests)
    assert sum(worker.refused for worker in workers) == 0
    assert set(errands(stores[0], JobKind.DISSENT)) <= {(JobState.FINAL, None)}


class DiedError(Exception):
    """A relayer that is no more, from one commit to the next."""


def test_no_errand_is_judged_by_a_block_from_before_its_cause(town: Town, store: Store) -> None:
    """
    A slow cycle meets an errand about what its own pinned block does not know yet.

    The first relayer pins a block; before it goes on, the second answers the request to finality,
    stores the report against the liar, and dies. At the first one's block nobody dissents.
    """
    ask_several(town)
    workers = members("honest", "lies", "honest")

    def _dies(progress: Progress) -> None:
        if progress.kind is ProgressKind.ERRAND_STORED:
            raise DiedError

    def _is_overtaken(progress: Progress) -> None:
        town.events.append(progress)
        if progress.kind is ProgressKind.REQUEST_SEEN:
            with pytest.raises(DiedError):
                drive(second, town, 30)

    first = conductor(town, store, workers, listener=_is_overtaken)
    second = conductor(town, store, workers, account=3, listener=_dies)
    first.tick()
    assert ProgressKind.DELIVERY_REFUSED in kinds(town), "the first did not look at the errand"
    drive(first, town, 30)
    end(first, workers)
    second.close()
    require_all_final(town, store)
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]
    oracle = ResultOracle(town.chain, town.oracle)
    assert oracle.probation_of(workers[1].address) > town.chain.head().timestamp


def test_no_statement_of_a_round_reads_a_table_whole(
    town: Town, database: Location, open_store: OpenStore
) -> None:
    """Seats, commitments, reveals, a dispute, reports: all by key or among what is open."""
    store = open_store(database, lambda: Timestamp(1_000))
    ask_several(town)
    workers = members("lies", "lies", "lies", "honest", "honest", "honest")
    onlooker = Onlooker(store)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 60)
    end(relayer, workers)
    require_all_final(town, store)
    plans = onlooker.plans()
    assert any(" seat" in statement for statement in plans)
    for statement, plan in plans.items():
        for line in plan.splitlines():
            whole = re.search(rf"SCAN {GROWING}\b|Seq Scan on {GROWING}\b", line)
            assert whole is None or OF_OPEN_ROWS.search(line), (statement, plan)
