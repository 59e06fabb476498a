"""The state machine of a job: what can happen, and what never can."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary_bridge.lifecycle import (
    Dispatched,
    Enqueued,
    Event,
    Failed,
    Finalised,
    IllegalTransitionError,
    Included,
    Job,
    JobState,
    Mislaid,
    Orphaned,
    Released,
    Reopened,
    Reorged,
    ResultStored,
    Retried,
    Sealed,
    Seen,
    Sent,
    Superseded,
    Supplied,
    advance,
    begin,
)
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Request,
    Timestamp,
    Wei,
    job_key,
)

BLOCK = BlockRef(BlockNumber(7), BlockHash(bytes([7]) * 32))
LATER = BlockRef(BlockNumber(9), BlockHash(bytes([9]) * 32))
ORACLE = Address(f"0x{'00' * 19}01")

REQUEST = Request(
    chain_id=ChainId(31337),
    oracle=ORACLE,
    request_id=Bytes32(bytes(32)),
    app_id=Bytes32(bytes([1]) * 32),
    model_id=Bytes32(bytes([2]) * 32),
    requester=ORACLE,
    input=b"a question",
    deadline=Timestamp(1_000),
    callback_gas=0,
    fee=Wei(5),
    terms=b"",
    block=BLOCK,
)
MOVED = replace(REQUEST, block=LATER)
CHANGED = replace(REQUEST, input=b"another question", block=LATER)
HIDDEN = replace(REQUEST, input=b"", terms=bytes([7]) * 128, block=LATER)
STRANGER = replace(REQUEST, request_id=Bytes32(bytes([9]) * 32))

EVENTS: tuple[Event, ...] = (
    Seen(REQUEST),
    Seen(MOVED),
    Seen(CHANGED),
    Seen(HIDDEN),
    Supplied(),
    Mislaid(),
    Orphaned(),
    Dispatched(),
    ResultStored(1),
    ResultStored(2),
    Retried("why"),
    Retried("who", counts=False),
    Enqueued(1),
    Enqueued(2),
    Sent(),
    Included(succeeded=True),
    Included(succeeded=False),
    Reorged(),
    Finalised(),
    Released(),
    Failed("why", BLOCK),
    Superseded("why", BLOCK),
    Reopened(),
    Sealed(),
)
HISTORIES = st.lists(st.sampled_from(EVENTS), max_size=40)


def after(*events: Event) -> Job:
    job = begin(REQUEST)
    for event in events:
        job = advance(job, event)
    return job


def walk(events: list[Event]) -> list[tuple[Job, Event, Job]]:
    """Every step of `events` that can happen, with the job before and after it."""
    job, steps = begin(REQUEST), []
    for event in events:
        try:
            moved = advance(job, event)
        except IllegalTransitionError:
            continue
        steps.append((job, event, moved))
        job = moved
    return steps


TO_SIGNED = (Dispatched(), ResultStored(1))
TO_BROADCAST = (*TO_SIGNED, Enqueued(1), Sent())
TO_MINED = (*TO_BROADCAST, Included(succeeded=True))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), JobState.SEEN),
        ((Seen(HIDDEN),), JobState.AWAITING),
        ((Seen(HIDDEN), Supplied()), JobState.SEEN),
        ((Seen(HIDDEN), Supplied(), Dispatched(), Mislaid()), JobState.AWAITING),
        ((Seen(HIDDEN), Supplied(), *TO_SIGNED, Retried("why")), JobState.SEEN),
        ((Seen(HIDDEN), Superseded("why", BLOCK)), JobState.SUPERSEDED),
        ((Seen(HIDDEN), Superseded("why", BLOCK), Reopened()), JobState.AWAITING),
        ((Seen(HIDDEN), Orphaned(), Seen(HIDDEN)), JobState.AWAITING),
        ((Dispatched(),), JobState.DISPATCHED),
        (TO_SIGNED, JobState.SIGNED),
        ((*TO_SIGNED, Enqueued(1)), JobState.QUEUED),
        (TO_BROADCAST, JobState.BROADCAST),
        (TO_MINED, JobState.MINED),
        ((*TO_MINED, Finalised()), JobState.FINAL),
        ((*TO_MINED, Reorged()), JobState.BROADCAST),
        ((*TO_BROADCAST, Included(succeeded=False)), JobState.MINED),
        ((*TO_BROADCAST, Included(succeeded=False), Released()), JobState.SIGNED),
        ((*TO_BROADCAST, Released()), JobState.SIGNED),
        ((*TO_SIGNED, Retried("why")), JobState.SEEN),
        ((*TO_BROADCAST, Superseded("why", BLOCK)), JobState.SUPERSEDED),
        ((*TO_BROADCAST, Superseded("why", BLOCK), Reopened()), JobState.BROADCAST),
        ((*TO_BROADCAST, Superseded("why", BLOCK), Released(), Reopened()), JobState.SIGNED),
        ((*TO_SIGNED, Orphaned()), JobState.ORPHANED),
        ((*TO_SIGNED, Orphaned(), Seen(MOVED)), JobState.SIGNED),
        ((*TO_BROADCAST, Orphaned(), Seen(MOVED)), JobState.BROADCAST),
        ((*TO_BROADCAST, Orphaned(), Seen(CHANGED)), JobState.SEEN),
        # The chain is right: what it delivered is delivered, whatever we had concluded.
        (
            (*TO_BROADCAST, Superseded("why", BLOCK), Included(succeeded=True)),
            JobState.MINED,
        ),
        (
            (*TO_BROADCAST, Superseded("why", BLOCK), Included(succeeded=False)),
            JobState.SUPERSEDED,
        ),
    ],
)
def test_each_event_leads_where_the_module_says(events: tuple[Event, ...], state: JobState) -> None:
    """The drawing at the top of the module, as a table."""
    assert after(*events).state is state


@pytest.mark.parametrize(
    ("events", "event"),
    [
        ((), Sent()),
        ((), Enqueued(1)),
        ((), Sealed()),
        ((), Reopened()),
        ((), Seen(STRANGER)),
        ((), Supplied()),
        ((Seen(HIDDEN),), Dispatched()),
        ((Seen(HIDDEN),), Mislaid()),
        (TO_SIGNED, Mislaid()),
        (TO_SIGNED, Dispatched()),
        (TO_BROADCAST, Enqueued(2)),
        (TO_BROADCAST, Retried("why")),
        (TO_BROADCAST, Finalised()),
        (TO_MINED, Superseded("why", BLOCK)),
        ((*TO_BROADCAST, Superseded("why", BLOCK)), Sealed()),
        ((*TO_BROADCAST, Orphaned(), Seen(CHANGED), *TO_SIGNED), Enqueued(2)),
    ],
)
def test_what_cannot_happen_raises_and_names_both_sides(
    events: tuple[Event, ...], event: Event
) -> None:
    """A defect of the relayer is never written down as a fact."""
    job = after(*events)
    with pytest.raises(IllegalTransitionError) as caught:
        advance(job, event)
    assert (caught.value.job, caught.value.event) == (job, event)


@given(HISTORIES)
@settings(max_examples=500)
def test_nothing_leaves_a_terminal_state(events: list[Event]) -> None:
    """Final and sealed are for ever, whatever happens."""
    for before, _, _ in walk(events):
        assert not before.terminal


@given(HISTORIES)
@settings(max_examples=500)
def test_only_a_reorg_or_a_delivery_on_the_chain_reopens_a_settled_job(
    events: list[Event],
) -> None:
    """Failed and superseded jobs move by the chain's doing, never by ours."""
    reopening = (Reopened, Seen, Orphaned, Included, Sealed)
    for before, event, moved in walk(events):
        if before.state in (JobState.FAILED, JobState.SUPERSEDED) and moved.state != before.state:
            assert isinstance(event, reopening)


@given(HISTORIES)
@settings(max_examples=500)
def test_a_job_never_holds_two_nonces(events: list[Event]) -> None:
    """A second nonce is given out only after the first was resolved."""
    for before, event, moved in walk(events):
        if before.slot is not None and moved.slot != before.slot:
            assert isinstance(event, Finalised | Released)
            assert moved.slot is None


@given(HISTORIES)
@settings(max_examples=500)
def test_a_job_is_final_only_after_a_delivery_was_mined(events: list[Event]) -> None:
    """No path around the chain."""
    for before, event, moved in walk(events):
        if moved.state is JobState.FINAL:
            assert before.state is JobState.MINED
            assert isinstance(event, Finalised)


@given(HISTORIES)
@settings(max_examples=500)
def test_what_a_job_holds_fits_its_state(events: list[Event]) -> None:
    """In flight means a nonce; settled means a reason and a block; broadcast means this result."""
    for _, _, job in walk(events):
        in_flight = job.state in (JobState.QUEUED, JobState.BROADCAST, JobState.MINED)
        settled = job.state in (JobState.FAILED, JobState.SUPERSEDED)
        assert job.slot is not None if in_flight else True
        assert (job.settled is not None) == settled
        assert (job.slot is None) == (job.carried is None)
        if job.state in (JobState.QUEUED, JobState.BROADCAST):
            assert job.carried == job.result
        if job.state is JobState.SIGNED:
            assert job.result is not None


@given(HISTORIES)
@settings(max_examples=500)
def test_an_answer_never_outlives_its_question(events: list[Event]) -> None:
    """Where another request took the id, no result of the old one stays in use."""
    for before, _, moved in walk(events):
        if not moved.request.asks_the_same_as(before.request):
            assert moved.result is None
            hidden = moved.request.input_is_elsewhere
            assert moved.state is (JobState.AWAITING if hidden else JobState.SEEN)


@given(HISTORIES)
@settings(max_examples=500)
def test_nobody_is_asked_without_an_input(events: list[Event]) -> None:
    """From every way back to the start: a worker is asked once the input was said to be there."""
    at_hand = True
    for before, event, moved in walk([Seen(HIDDEN), *events]):
        if isinstance(event, Supplied):
            at_hand = True
        elif moved.state is JobState.AWAITING:
            at_hand = False
            assert moved.request == HIDDEN
            assert moved.reason == "InputMissing"
        elif before.request != moved.request:
            at_hand = not moved.request.input_is_elsewhere
        if moved.state is JobState.DISPATCHED:
            assert at_hand


@given(HISTORIES)
@settings(max_examples=500)
def test_what_a_node_may_say_next_is_never_against_the_rules(events: list[Event]) -> None:
    """Whatever a job went through: requests come and go, and deliveries, and what is final is."""
    for _, _, job in walk(events):
        if job.terminal:
            continue
        for said in (Seen(MOVED), Orphaned()):
            advance(job, said)
        if job.slot is None:
            continue
        assert advance(advance(job, Included(succeeded=True)), Finalised()).terminal
        for succeeded in (True, False):
            included = advance(job, Included(succeeded))
            assert advance(included, Reorged()).slot == job.slot
            assert advance(included, Released()).slot is None


def test_a_jobs_key_depends_on_chain_oracle_and_request() -> None:
    """The same request id on another chain or oracle is another job."""
    one = job_key(ChainId(1), ORACLE, REQUEST.request_id)
    other_chain = job_key(ChainId(2), ORACLE, REQUEST.request_id)
    other_oracle = job_key(ChainId(1), Address(f"0x{'00' * 19}02"), REQUEST.request_id)
    assert len({one, other_chain, other_oracle, REQUEST.key}) == 4


def test_what_is_the_workers_fault_uses_no_attempt_of_the_job_up() -> None:
    """Each result that is dropped counts, but where its worker alone was to blame."""
    dropped = (*TO_SIGNED, Retried("what"), *TO_SIGNED, Retried("who", counts=False))
    job = after(*dropped)
    assert (job.state, job.result, job.retries, job.reason) == (JobState.SEEN, None, 1, "who")
