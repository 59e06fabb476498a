"""A relayer that answers by the batch: gathered, signed, committed once, claimed where asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.http import OPENAPI, Metrics, View, create_app
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import Bytes32, ChainId, JobKind, Timestamp
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.relayer.batches import pending
from quotary_bridge.store import BatchRecord, BatchState, InputFolder, Store
from quotary_bridge.workers import PreparedBatch, WorkerClient, pieces
from starlette.testclient import TestClient

from tests.bridge.batch_street import RELAYER, DeathError, Street
from tests.bridge.batch_town import FEE, served, transport_of
from tests.bridge.relayer_town import APP, MODEL, OPEN_GATE, REVOKED, closed_gate

pytest_plugins = ["tests.bridge.batch_fixtures"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store.sqlite", lambda: Timestamp(1_000))
    yield opened
    opened.close()


def batches_of(store: Store) -> list[BatchRecord]:
    return store.batch_page(None, 100)


def errands_of(store: Store, kind: JobKind) -> list[Job]:
    return [job for job in store.page(None, 100, errands=True) if job.kind is kind]


def require_whole(street: Street, store: Store) -> None:
    """Every nonce is accounted for, and every job has ended for good."""
    chain = street.town.node.chain
    account = street.town.node.signers[RELAYER].address
    assert store.unresolved_slots(ChainId(chain.chain_id), account) == ()
    assert all(job.terminal for job in store.page(None, 100))


def test_requests_are_gathered_committed_once_and_all_claimed(street: Street, store: Store) -> None:
    """One signature, one commitment, one push; every request has its answer."""
    street.town.ask(5)
    with street.relayer(store) as relayer:
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    (told,) = street.commitments()
    assert told.count == 5
    shown = TestClient(create_app(View(store, Metrics([]), dict, lambda: True, store.open_counts)))
    (item,) = shown.get("/v1/batches").json()["items"]
    assert (item["state"], item["batchId"]) == ("ended", str(told.batch_id))
    (held,) = batches_of(store)
    (member, *_) = store.batch_members(held.key)
    served_to_all = shown.get(f"/v1/batches/0x{member.job.hex()}")
    assert PreparedBatch.from_json(served_to_all.text).signed.batch.root == told.root
    shape = OPENAPI["components"]["schemas"]["BatchDocument"]
    jsonschema_rs.validate(shape, served_to_all.json())
    assert shown.get(f"/v1/batches/0x{held.key.hex()}").status_code == 404
    assert (held.state, held.root) == (BatchState.ENDED, told.root)
    assert held.commitment is not None
    assert held.commitment.batch_id == told.batch_id
    assert [job.state for job in errands_of(store, JobKind.COMMITMENT)] == [JobState.FINAL]
    assert [job.state for job in errands_of(store, JobKind.CLAIMS)] == [JobState.FINAL]
    assert {job.reason for job in store.page(None, 100)} == {"AlreadyFulfilled"}
    require_whole(street, store)


def test_without_push_answers_wait_to_be_claimed_and_expire_with_their_requests(
    street: Street, store: Store
) -> None:
    """The relayer commits, and whoever has the document claims; what nobody claims just ends."""
    street.town.ask(3)
    with street.relayer(store, pushes=False) as relayer:
        street.drive(relayer, 6)
        (held,) = batches_of(store)
        assert held.state is BatchState.COMMITTED
        assert set(street.statuses()) == {RequestStatus.PENDING}
        assert errands_of(store, JobKind.CLAIMS) == []
        prepared = PreparedBatch.from_json(store.batch_document(held.key))
        (told,) = street.commitments()
        ((_, answer),) = next(pieces(prepared, told, [1]))
        street.town.send(street.town.oracle.claim(answer))
        street.town.node.advance_to(street.town.deadline + 1)
        street.drive(relayer)
    assert sorted(street.statuses()) == [1, 1, 2]
    reasons = [job.reason for job in store.page(None, 100)]
    assert sorted(map(str, reasons)) == ["AlreadyFulfilled", "RequestExpired", "RequestExpired"]
    assert [each.state for each in batches_of(store)] == [BatchState.ENDED]
    require_whole(street, store)


def test_a_batch_that_somebody_else_committed_is_not_committed_again(
    street: Street, store: Store
) -> None:
    """What the worker signed is taken by its content, whoever brought it; then it is claimed."""
    street.town.ask(2)
    street.dies_at = ProgressKind.BATCH_SIGNED
    with pytest.raises(DeathError), street.relayer(store) as relayer:
        relayer.tick()
    street.dies_at = None
    (held,) = batches_of(store)
    prepared = PreparedBatch.from_json(store.batch_document(held.key))
    street.town.send(prepared.commit(street.town.oracle))
    with street.relayer(store) as relayer:
        street.drive(relayer)
    (told,) = street.commitments()
    assert (told.batch_id, told.root) == (1, held.root)
    (commitment,) = errands_of(store, JobKind.COMMITMENT)
    assert (commitment.state, commitment.reason) == (JobState.SUPERSEDED, "AlreadyCommitted")
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    require_whole(street, store)


@pytest.mark.parametrize(
    "kind",
    [ProgressKind.BATCH_ASKED, ProgressKind.TRANSACTION_STORED, ProgressKind.BATCH_COMMITTED],
)
def test_a_relayer_that_dies_goes_on_from_its_record(
    street: Street, store: Store, kind: ProgressKind
) -> None:
    """The same batch, one commitment, one claim of each answer, and no nonce lost."""
    street.town.ask(2)
    street.dies_at = kind
    with pytest.raises(DeathError), street.relayer(store) as relayer:
        street.drive(relayer)
    street.dies_at = None
    with street.relayer(store) as relayer:
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    assert len(street.commitments()) == len(batches_of(store)) == 1
    require_whole(street, store)
    account = street.town.node.signers[RELAYER].address
    assert street.town.node.chain.nonce(account) - street.nonce_before == 2


def test_a_reorg_takes_the_commitment_and_it_is_brought_again(street: Street, store: Store) -> None:
    """No answer is claimed of a batch whose number may still change."""
    street.town.ask(2)
    chain = street.town.node.chain
    with street.relayer(store) as relayer:
        relayer.tick()
        street.town.quiet()
        relayer.tick()
        assert street.told(ProgressKind.MINED)
        chain.rpc("anvil_reorg", [1, []])
        relayer.tick()
        assert street.told(ProgressKind.REORGED)
        assert errands_of(store, JobKind.CLAIMS) == []
        street.drive(relayer)
    assert len(street.commitments()) == 1
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    require_whole(street, store)


def test_a_voided_batch_frees_its_requests_for_another(street: Street, store: Store) -> None:
    """Whoever is asked next answers them anew."""
    street.town.ask(2)
    chain = street.town.node.chain
    with street.relayer(store, pushes=False) as relayer:
        street.drive(relayer, 6)
        (held,) = batches_of(store)
        assert held.state is BatchState.COMMITTED
        (told,) = street.commitments()
        gate = street.town.oracle.read("WORKERS")
        chain.rpc("anvil_setCode", [gate, closed_gate(*REVOKED)])
        street.town.send(street.town.oracle.void(told))
        chain.rpc("anvil_setCode", [gate, OPEN_GATE])
        street.drive(relayer, 10)
    first, second = sorted(batches_of(store), key=lambda each: each.state is BatchState.COMMITTED)
    assert (first.key, first.state, first.reason) == (held.key, BatchState.ENDED, "BatchVoided")
    assert second.state is BatchState.COMMITTED
    assert second.commitment is not None
    assert second.commitment.batch_id == 2


def test_a_batch_that_is_voided_before_it_is_final_is_over(street: Street, store: Store) -> None:
    """Its root was committed, and can never be claimed from: the requests are asked for anew."""
    street.town.ask(1)
    chain, gate = street.town.node.chain, street.town.oracle.read("WORKERS")
    with street.relayer(store, pushes=False) as relayer:
        relayer.tick()
        street.town.quiet()
        (told,) = street.commitments()
        chain.rpc("anvil_setCode", [gate, closed_gate(*REVOKED)])
        street.town.send(street.town.oracle.void(told))
        chain.rpc("anvil_setCode", [gate, OPEN_GATE])
        street.drive(relayer, 12)
    batches = {each.state: each for each in batches_of(store)}
    assert batches[BatchState.ENDED].reason == "BatchVoided"
    again = batches[BatchState.COMMITTED].commitment
    assert again is not None
    assert again.batch_id == 2


def test_what_a_worker_refuses_holds_up_nobody_else(street: Street, store: Store) -> None:
    """Halves are asked for, until the one that cannot be answered is alone."""
    street.town.ask(2)
    params, terms = street.town.params(b"\xff\xfe is no text")
    street.town.send(street.town.oracle.request(params), FEE)
    street.town.made.append(terms)
    street.town.ask(2)
    with street.relayer(store) as relayer:
        street.drive(relayer, 12)
    states = street.statuses()
    assert states.count(RequestStatus.FULFILLED) == 4
    assert states[2] is RequestStatus.PENDING
    failed = street.told(ProgressKind.WORKER_FAILED)
    assert {event.details["reason"] for event in failed} == {"WorkerRefused"}


class Late(httpx.BaseTransport):
    """What a worker says takes its time."""

    def __init__(self) -> None:
        """Hold everything back until `go`."""
        self.go = threading.Event()
        self._worker = transport_of(served())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer once it may."""
        self.go.wait()
        return self._worker.handle_request(request)


def test_a_relayer_that_is_to_finish_brings_what_it_began_and_begins_nothing(
    street: Street, store: Store
) -> None:
    """The batch that was signed is committed and claimed; what is asked meanwhile is left."""
    street.town.ask(2)
    with street.relayer(store) as relayer:
        relayer.tick()
        assert store.drain()
        street.town.ask(1)
        for _ in range(20):
            street.town.node.mine()
            if relayer.tick().drained:
                break
        else:
            pytest.fail("it never finished")
    assert street.statuses() == [2, 2, 1]
    assert len(batches_of(store)) == 1


def test_what_nobody_answered_is_refunded_at_its_own_oracle(street: Street, store: Store) -> None:
    """Where that is the relayer's task; a worker that is away costs nothing but time."""
    street.town.ask(2)
    away = WorkerClient(httpx.MockTransport(lambda _: httpx.Response(503)))
    with street.relayer(store, away, refunds=True) as relayer:
        street.drive(relayer, 3)
        street.town.node.advance_to(street.town.deadline + 1)
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.REFUNDED}
    assert batches_of(store) == []
    assert {job.state for job in errands_of(store, JobKind.REFUND)} == {JobState.FINAL}
    require_whole(street, store)


def test_an_answer_that_comes_after_another_relayer_took_over_is_left(
    street: Street, tmp_path: Path
) -> None:
    """Two batches of the same requests would be two commitments, and the contract takes both."""
    street.town.ask(2)
    now, worker = [1_000], Late()
    with (
        closing(Store.open(tmp_path / "store.sqlite", lambda: Timestamp(now[0]))) as store,
        street.relayer(store, WorkerClient(worker), patience_seconds=0.0) as frozen,
        street.relayer(store, account=4) as other,
    ):
        frozen.tick()
        now[0] += 3600
        other.tick()
        assert len(batches_of(store)) == 1
        worker.go.set()
        assert frozen._batches is not None
        while frozen._batches.asking:
            frozen.tick()
        assert len(batches_of(store)) == 1
        street.drive(other)
    assert len(street.commitments()) == 1


def test_an_input_that_is_kept_off_the_chain_is_answered_with_the_others(
    street: Street, store: Store, tmp_path: Path
) -> None:
    """Once somebody hands it in; until then it holds up nobody, and no document shows it."""
    secret, inputs = b"a canary 5e1f", InputFolder(tmp_path / "inputs")
    commitment = Bytes32(sha256(secret).digest())
    params, terms = street.town.params(secret)
    hidden = replace(params, input=b"", input_commitment=commitment)
    street.town.send(street.town.oracle.request(hidden), FEE)
    street.town.made.append(terms)
    street.town.ask(1)
    assert len(pending(street.town.oracle, street.town.deployed_at, APP, MODEL, 9)) == 1
    with street.relayer(store, inputs=inputs) as relayer:
        street.drive(relayer, 10)
        assert street.statuses() == [RequestStatus.PENDING, RequestStatus.FULFILLED]
        assert inputs.put(commitment, secret)
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    assert len(street.commitments()) == 2
    documents = [store.batch_document(each.key) for each in batches_of(store)]
    assert not any(secret.hex() in document for document in documents)


def test_a_worker_that_may_not_answer_is_asked_for_the_whole_batch_again(
    street: Street, store: Store
) -> None:
    """Halves would serve nobody: whose fault it is says what to ask for next."""
    street.town.ask(2)
    chain, gate = street.town.node.chain, street.town.oracle.read("WORKERS")
    chain.rpc("anvil_setCode", [gate, closed_gate(*REVOKED)])
    with street.relayer(store) as relayer:
        street.drive(relayer, 5)
        assert batches_of(store) == []
        chain.rpc("anvil_setCode", [gate, OPEN_GATE])
        street.drive(relayer)
    told = street.told(ProgressKind.RESULT_REJECTED)
    assert {event.details["reason"] for event in told} == {"WorkerIsRevoked"}
    assert {event.details["requests"] for event in street.told(ProgressKind.BATCH_ASKED)} == {2}
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    assert len(street.commitments()) == 1


def test_a_claim_that_somebody_else_made_stops_no_other(street: Street, store: Store) -> None:
    """A push is all or nothing: what is left of it goes out again, without that one."""
    street.town.ask(3)
    with street.relayer(store) as relayer:
        street.dies_at = ProgressKind.BATCH_COMMITTED
        with pytest.raises(DeathError):
            street.drive(relayer)
    (held,) = batches_of(store)
    prepared = PreparedBatch.from_json(store.batch_document(held.key))
    (told,) = street.commitments()
    ((_, answer),) = next(pieces(prepared, told, [0]))
    street.dies_at = ProgressKind.ERRAND_STORED
    with pytest.raises(DeathError), street.relayer(store) as relayer:
        street.drive(relayer)
    street.dies_at = None
    street.town.send(street.town.oracle.claim(answer))
    with street.relayer(store) as relayer:
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    first, second = sorted(errands_of(store, JobKind.CLAIMS), key=lambda job: job.state)
    assert (first.state, second.state) == (JobState.FINAL, JobState.SUPERSEDED)
    assert second.reason == "AlreadyFulfilled"
    require_whole(street, store)


def test_two_relayers_on_one_record_commit_and_claim_once(street: Street, store: Store) -> None:
    """Whoever comes first gathers; what is stored either carries on, and nobody does it twice."""
    with street.relayer(store) as one, street.relayer(store, account=4) as other:
        for cycle in range(16):
            if cycle in {0, 2}:
                street.town.ask(2)
            idle = [relayer.tick().idle for relayer in (other, one)]
            if all(idle):
                break
            street.town.node.mine()
        assert all(idle)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    roots = [told.root for told in street.commitments()]
    assert sorted(roots) == sorted(each.root for each in batches_of(store))
    assert {job.state for job in errands_of(store, JobKind.CLAIMS)} == {JobState.FINAL}
    assert street.told(ProgressKind.REVERTED) == []
    assert street.told(ProgressKind.DELIVERY_REFUSED) == []
    require_whole(street, store)
