"""The relayer on a real chain: requests come in, results go out, each once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from quotary_bridge.chain import Block, TransactionRequest
from quotary_bridge.chain.interface import interface
from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Bytes32, ChainId, Result, Timestamp
from quotary_bridge.relayer import (
    ProgressKind,
    RelayerConfig,
    RelayerSettings,
    run,
    stop_on_signals,
)
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint, result_digest

from tests.bridge.relayer_town import (
    OPEN_GATE,
    REVOKED,
    Town,
    Worker,
    client_of,
    closed_gate,
    drive,
    relayer_of,
    settings_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]

OTHER = Bytes32(bytes([7]) * 32)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def kinds(town: Town) -> list[ProgressKind]:
    return [event.kind for event in town.events]


def reasons(town: Town, kind: ProgressKind) -> list[object]:
    return [event.details.get("reason") for event in town.events if event.kind is kind]


def state_of(store: Store, town: Town, number: int = 1) -> JobState:
    job = store.job(town.key(number))
    assert job is not None
    return job.state


def test_a_request_is_answered_once_and_ends_final(town: Town, store: Store) -> None:
    """From the event to finality, with one transaction, each step told once."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    assert state_of(store, town) is JobState.FINAL
    assert town.deliveries() == [town.request_id(1)]
    assert kinds(town) == [
        ProgressKind.REQUEST_SEEN,
        ProgressKind.WORKER_ASKED,
        ProgressKind.RESULT_STORED,
        ProgressKind.TRANSACTION_STORED,
        ProgressKind.TRANSACTION_SENT,
        ProgressKind.MINED,
        ProgressKind.FINAL,
    ]


def test_a_quiet_chain_that_is_final_at_once_needs_no_further_block(
    town: Town, store: Store
) -> None:
    """It mines only what is sent to it: neither finality nor a retry may wait for more."""
    worker = Worker(status=503)
    town.ask()
    with relayer_of(town, store, client_of(one=worker), finality_depth=0) as relayer:
        relayer.tick()
        worker.status = 200
        for _ in range(5):
            idle = relayer.tick().idle
            town.quiet()
        assert idle
    assert state_of(store, town) is JobState.FINAL
    assert len(town.deliveries()) == 1


def test_many_requests_are_each_answered_once(town: Town, store: Store) -> None:
    """More requests than nonces in flight."""
    for number in range(7):
        town.ask(f"question {number}".encode())
    with relayer_of(town, store, client_of(one=Worker()), in_flight=3) as relayer:
        drive(relayer, town, cycles=30)
    assert sorted(town.deliveries()) == sorted(town.request_id(n) for n in range(1, 8))
    assert {state_of(store, town, n) for n in range(1, 8)} == {JobState.FINAL}


def test_nobody_is_asked_before_the_request_has_its_confirmations(town: Town, store: Store) -> None:
    """A request that a reorg may still take costs no worker any time."""
    worker = Worker()
    town.ask()
    with relayer_of(town, store, client_of(one=worker), confirmations=3) as relayer:
        for _ in range(2):
            relayer.tick()
            town.node.mine()
            assert worker.asked == 0
        relayer.tick()
    assert worker.asked == 1


def test_the_next_worker_is_asked_where_one_fails(town: Town, store: Store) -> None:
    """A broken worker costs a request nothing but the time of the question."""
    broken, sound = Worker(status=503), Worker()
    town.ask()
    with relayer_of(town, store, client_of(one=broken, two=sound), "one", "two") as relayer:
        drive(relayer, town)
    assert (broken.asked, sound.asked) == (1, 1)
    assert reasons(town, ProgressKind.WORKER_FAILED) == ["WorkerUnavailable"]
    assert len(town.deliveries()) == 1


def changed(**fields: object) -> Callable[[Result], Result]:
    return lambda result: replace(result, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "distort"),
    [
        ("WrongRequest", changed(request_id=OTHER)),
        ("WrongApp", changed(app_id=OTHER)),
        ("WrongModel", changed(model_id=OTHER)),
        ("WrongWeights", changed(weights_root=OTHER)),
        ("WrongInput", changed(input_commitment=OTHER)),
        ("OutputMismatch", changed(output_hash=OTHER)),
        ("WrongKeyEpoch", changed(key_epoch=1)),
        ("WrongPolicyVersion", changed(policy_version=1)),
        ("ResultExpired", changed(deadline=1)),
        ("WrongSigner", changed(worker=f"0x{'11' * 20}")),
    ],
)
def test_a_distorted_result_is_never_relayed(
    town: Town, store: Store, reason: str, distort: Callable[[Result], Result]
) -> None:
    """Each bound field has its own reason, and costs no transaction."""
    town.ask()
    with relayer_of(town, store, client_of(one=Worker(distort=distort))) as relayer:
        relayer.tick()
    assert reasons(town, ProgressKind.RESULT_REJECTED) == [reason]
    assert ProgressKind.TRANSACTION_STORED not in kinds(town)


def test_a_worker_whom_the_registry_does_not_admit_is_not_relayed(town: Town, store: Store) -> None:
    """The registry is asked before a fee is paid, and its own reason is told."""
    town.ask()
    town.set_gate(closed_gate("OperatorMissing"))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        assert reasons(town, ProgressKind.RESULT_REJECTED) == ["OperatorMissing"]
        town.set_gate(OPEN_GATE)
        town.node.mine()
        drive(relayer, town)
    assert len(town.deliveries()) == 1


def prepared(town: Town, store: Store, worker: Worker) -> None:
    """Bring the first request as far as a stored result, without signing anything."""
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer._dry_run = True
        relayer.tick()
    assert kinds(town)[-1] is ProgressKind.WOULD_DELIVER


def test_a_worker_revoked_after_it_signed_is_stopped_by_the_simulation(
    town: Town, store: Store
) -> None:
    """The contract's own reason, before anything is paid; then another answer is fetched."""
    town.ask()
    worker = Worker()
    prepared(town, store, worker)
    town.set_gate(closed_gate(*REVOKED))
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer.tick()
        assert reasons(town, ProgressKind.DELIVERY_REFUSED) == ["WorkerIsRevoked"]
        assert state_of(store, town) is JobState.SEEN
        town.set_gate(OPEN_GATE)
        town.node.mine()
        drive(relayer, town)
    assert len(town.deliveries()) == 1
    assert worker.asked >= 2


def test_a_job_whose_results_are_refused_too_often_rests_with_the_contracts_reason(
    town: Town, store: Store
) -> None:
    """The statement ended before it was brought: that is the answer's fault, and is counted."""
    town.ask()
    soon = Timestamp(town.chain.head().timestamp + 60)
    worker = Worker(distort=changed(deadline=soon))
    prepared(town, store, worker)
    town.node.advance_to(soon + 1)
    with relayer_of(town, store, client_of(one=worker), results_per_job=1) as relayer:
        drive(relayer, town, cycles=10)
    job = store.job(town.key(1))
    assert job is not None
    assert (job.state, job.retries, job.reason) == (JobState.SEEN, 1, "ResultExpired")
    assert worker.asked == 1


def test_a_request_that_somebody_else_answered_is_superseded(town: Town, store: Store) -> None:
    """Found by reading, so that no transaction is spent; sealed once that is final."""
    key = town.ask()
    prepared(town, store, Worker())
    signed = store.result(key, 1)
    asked = store.job(key)
    assert asked is not None
    rival = town.sender(3)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        call = relayer._ports.oracle.delivery(asked.request, signed, rival.address)
        rival.send(call)
        relayer.tick()
        job = store.job(key)
        assert job is not None
        assert (job.state, job.reason) == (JobState.SUPERSEDED, "AlreadyFulfilled")
        assert not job.terminal
        drive(relayer, town)
    job = store.job(key)
    assert job is not None
    assert job.sealed
    assert ProgressKind.TRANSACTION_STORED not in kinds(town)


def test_a_request_whose_deadline_passed_is_superseded(town: Town, store: Store) -> None:
    """By the chain's clock, not by ours."""
    town.ask(lifetime=60)
    with relayer_of(town, store, client_of(one=Worker(status=503))) as relayer:
        relayer.tick()
        town.node.advance_to(town.chain.head().timestamp + 61)
        relayer.tick()
    assert reasons(town, ProgressKind.SUPERSEDED) == ["RequestExpired"]


def test_a_restart_goes_on_from_the_store(town: Town, store: Store) -> None:
    """A second relayer ends what the first began, without asking again."""
    worker = Worker()
    town.ask()
    with relayer_of(town, store, client_of(one=worker)) as first:
        first.tick()
    with relayer_of(town, store, client_of(one=worker)) as second:
        drive(second, town)
    assert state_of(store, town) is JobState.FINAL
    assert worker.asked == 1
    assert len(town.deliveries()) == 1


def config_of(town: Town, folder: Path, **changes: float) -> RelayerConfig:
    return RelayerConfig(
        chain=town.chain,
        oracle=town.oracle,
        signer=town.node.signers[2],
        workers=[Endpoint("http://127.0.0.1:9")],
        database=folder / "daemon.sqlite",
        now=lambda: Timestamp(0),
        settings=settings_of(town, **changes),
    )


def test_run_finishes_its_cycle_and_gives_the_lease_back_when_told_to_stop(
    town: Town, tmp_path: Path
) -> None:
    """A second daemon starts at once where the first one was stopped cleanly."""
    town.ask()
    stop = threading.Event()
    config = config_of(town, tmp_path, poll_seconds=0.01)
    report = run(config, stop, listener=lambda _: stop.set())
    assert report.jobs[JobState.DISPATCHED] == 1
    other = replace(config, holder="another machine")
    assert run(other, threading.Event(), once=True).last is not None


def test_dry_run_leaves_neither_a_store_nor_a_transaction(town: Town, tmp_path: Path) -> None:
    """Looking costs nothing."""
    town.ask()
    before = town.chain.head()
    run(config_of(town, tmp_path), threading.Event(), once=True, dry_run=True)
    assert town.chain.head() == before
    assert not (tmp_path / "daemon.sqlite").exists()


def test_settings_that_make_no_sense_are_refused() -> None:
    """Before anything is done."""
    with pytest.raises(ConfigurationError):
        RelayerSettings(confirmations=0)


def test_the_oracle_computes_the_digest_that_the_bridge_checks(town: Town, store: Store) -> None:
    """Python and Solidity hash a result to the same EIP-712 digest."""
    key = town.ask()
    prepared(town, store, Worker())
    said = store.result(key, 1).result
    abi = interface("ResultOracle")
    call = abi.encode_call("resultDigest", [astuple(said)])
    answer = town.chain.call(TransactionRequest(said.worker, town.oracle, call))
    (on_chain,) = abi.decode_result("resultDigest", answer)
    assert on_chain == result_digest(said, ChainId(town.chain.chain_id), town.oracle)


def test_a_signal_lets_the_cycle_end_and_the_second_one_is_the_systems_again() -> None:
    """SIGTERM drains; whoever sends it twice means it."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(300)
        assert signal.getsignal(signal.SIGTERM) == before[0]
    # Ignored, where whoever started the tests did so in the background.
    assert signal.getsignal(signal.SIGINT) == before[1]


def test_a_cycle_that_fails_is_repeated(town: Town, tmp_path: Path) -> None:
    """A node that is away for a moment stops nothing."""
    town.ask()
    stop = threading.Event()
    config = config_of(town, tmp_path, poll_seconds=0.01)
    heads = iter([RpcUnavailable(Reason.RPC_TIMEOUT, "no answer")] * 2)
    honest = town.chain.head

    def _head() -> Block:
        failure = next(heads, None)
        if failure is not None:
            raise failure
        return honest()

    config.chain.head = _head  # type: ignore[method-assign]
    report = run(config, stop, listener=lambda _: stop.set())
    assert report.last is not None
    assert next(heads, None) is None
