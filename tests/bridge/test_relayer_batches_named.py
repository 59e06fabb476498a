"""Requests of batches that name their worker: asked of that one, and opened when it is late."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, JobKind
from quotary_bridge.relayer import ProgressKind, identities
from quotary_bridge.store import Store
from quotary_bridge.workers import WorkerClient

from tests.bridge.batch_street import Street
from tests.bridge.batch_town import FEE, served
from tests.bridge.round_town import PATIENCE_SECONDS
from tests.bridge.test_relayer_batches import errands_of, require_whole

pytest_plugins = ["tests.bridge.batch_fixtures", "tests.bridge.relayer_fixtures"]

RESERVED = 60
A_STRANGER = Address(f"0x{'11' * 20}")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, whoever is asked who it is has said so before others are asked."""
    monkeypatch.setattr(identities, "IDENTIFY_SECONDS", PATIENCE_SECONDS)


def the_worker() -> Address:
    """Who answers on the street."""
    said = served().get("/v1/quotary/worker").json()
    return Address(said["worker"])


def ask(street: Street, named: Address) -> None:
    """Make a request that reserves its answer to `named` for a minute."""
    town = street.town
    until = town.node.chain.head().timestamp + RESERVED
    params, terms = town.params(b"question %d" % len(town.made))
    more = {"workers": (named,), "reserved_until": until}
    town.send(town.oracle.request(replace(params, **more)), FEE)
    town.made.append(replace(terms, **more))


def missed(street: Street) -> list[object]:
    return [event.details["reason"] for event in street.told(ProgressKind.WORKERS_MISSING)]


def test_a_batch_for_a_named_worker_is_asked_of_it(street: Street, store: Store) -> None:
    """Wherever it is: whoever answers at a URL says who it is, and signs."""
    ask(street, the_worker())
    street.town.ask(1)
    with street.relayer(store) as relayer:
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    assert len(street.commitments()) == 2
    assert errands_of(store, JobKind.REASSIGN) == []
    require_whole(street, store)


def test_a_batch_for_a_stranger_waits_and_is_opened_when_that_one_is_late(
    street: Street, store: Store
) -> None:
    """Others are answered meanwhile; it says why it waits, and is answered once it is opened."""
    ask(street, A_STRANGER)
    street.town.ask(1)
    with street.relayer(store) as relayer:
        street.drive(relayer, 8)
        assert street.statuses() == [RequestStatus.PENDING, RequestStatus.FULFILLED]
        assert set(missed(street)) == {"NotAssigned"}
        assert errands_of(store, JobKind.REASSIGN) == []
        street.town.node.advance_to(street.town.node.chain.head().timestamp + 2 * RESERVED)
        street.drive(relayer, 40)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
    (opened,) = errands_of(store, JobKind.REASSIGN)
    assert opened.state is JobState.FINAL
    require_whole(street, store)


def test_a_batch_whose_worker_gives_nothing_is_opened_when_that_one_is_late(
    street: Street, store: Store
) -> None:
    """Its worker is known, and away: nobody may stand in for it before its time is over."""
    ask(street, the_worker())

    def _only_says_who_it_is(question: httpx.Request) -> httpx.Response:
        if question.url.path == "/v1/quotary/worker":
            return httpx.Response(200, json={"worker": the_worker()})
        return httpx.Response(503)

    with street.relayer(store, WorkerClient(httpx.MockTransport(_only_says_who_it_is))) as relayer:
        street.drive(relayer, 6)
        assert errands_of(store, JobKind.REASSIGN) == []
        street.town.node.advance_to(street.town.node.chain.head().timestamp + 2 * RESERVED)
        street.drive(relayer, 12)
    (opened,) = errands_of(store, JobKind.REASSIGN)
    assert opened.state is JobState.FINAL
    assert street.statuses() == [RequestStatus.PENDING]
