"""Answers by the batch: asked of a real worker, committed and claimed on a real chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.errors import ConfigurationError, ContractError
from quotary_bridge.model import Address, Bytes32, Timestamp
from quotary_bridge.relayer.batches import (
    claims,
    committed,
    pending,
    prepare,
)
from quotary_bridge.workers import (
    PUSH_GAS,
    Answered,
    BatchQuestion,
    Endpoint,
    PreparedBatch,
    RejectReason,
    ResultRejectedError,
    SignedBatch,
    Tree,
    check_batch,
)
from quotary_enclave.worker.batches import root_of
from starlette.testclient import TestClient

from tests.bridge.batch_town import FEE, BatchTown, batch_town, served, worker_client
from tests.bridge.relayer_town import APP, MODEL

ENDPOINT = Endpoint("http://worker")
OTHER = Bytes32(b"\x07" * 32)


@pytest.fixture(scope="module")
def running() -> Iterator[BatchTown]:
    with batch_town() as town:
        yield town


@pytest.fixture
def town(running: BatchTown) -> Iterator[BatchTown]:
    """The town on its first day."""
    state = running.node.chain.rpc("evm_snapshot")
    yield replace(running, made=[])
    running.node.chain.rpc("evm_revert", [state])


def statuses(town: BatchTown) -> set[RequestStatus]:
    ids = [made.request_id(town.node.chain_id, town.oracle.address) for made in town.made]
    return {state.status for state in town.oracle.states_of(ids, "latest")}


def prepared_for(town: BatchTown, most: int = 100) -> PreparedBatch:
    asked = pending(town.oracle, town.deployed_at, APP, MODEL, most)
    return prepare(worker_client(), ENDPOINT, town.oracle, asked)


def test_many_answers_come_under_one_signature_and_end_every_request(town: BatchTown) -> None:
    """From the requests on the chain to their ends, by a document that survives between steps."""
    town.ask(7)
    prepared = prepared_for(town)
    assert prepared.signed.batch.count == 7
    again = PreparedBatch.from_json(prepared.as_json())
    assert again == prepared
    assert committed(town.oracle, again, town.deployed_at) is None
    town.send(again.commit(town.oracle))
    told = committed(town.oracle, again, town.deployed_at)
    assert told is not None
    (piece,) = claims(town.oracle, again, told)
    # One is claimed by itself, the others are pushed; what is done is not done again.
    town.send(town.oracle.claim(piece[3]))
    (rest,) = claims(town.oracle, again, told)
    assert len(rest) == 6
    town.send(town.oracle.push(rest))
    assert statuses(town) == {RequestStatus.FULFILLED}
    assert not list(claims(town.oracle, again, told))
    assert pending(town.oracle, town.deployed_at, APP, MODEL, 100) == []
    credit = town.oracle.read("creditOf", ZERO_ADDRESS, told.operator)
    assert credit == 7 * FEE


def test_only_what_any_worker_may_answer_is_pending(town: BatchTown) -> None:
    """In the order in which it was asked, and no more than wanted."""
    town.ask(4)
    found = pending(town.oracle, town.deployed_at, APP, MODEL, 3)
    assert [each.made for each in found] == town.made[:3]
    assert pending(town.oracle, town.deployed_at, OTHER, MODEL, 3) == []
    assert pending(town.oracle, town.deployed_at, APP, OTHER, 3) == []
    params, _ = town.params(b"later")
    named = town.node.signers[3].address
    params = replace(params, workers=(named,), reserved_until=town.deadline - 1)
    town.send(town.oracle.request(params), FEE)
    assert len(pending(town.oracle, town.deployed_at, APP, MODEL, 9)) == 4


def test_a_request_that_ended_meanwhile_stops_no_other(town: BatchTown) -> None:
    """A push is asked for with what is still pending."""
    town.ask(3)
    prepared = prepared_for(town)
    town.send(prepared.commit(town.oracle))
    told = committed(town.oracle, prepared, town.deployed_at)
    assert told is not None
    (stale,) = claims(town.oracle, prepared, told)
    town.send(town.oracle.claim(stale[0]))
    with pytest.raises(ContractError, match="AlreadyFulfilled"):
        town.send(town.oracle.push(stale))
    (fresh,) = claims(town.oracle, prepared, told)
    town.send(town.oracle.push(fresh))
    assert statuses(town) == {RequestStatus.FULFILLED}


def test_pieces_fit_a_transaction_each(town: BatchTown) -> None:
    """Callbacks are counted with their limits."""
    town.ask(2)
    prepared = prepared_for(town)
    town.send(prepared.commit(town.oracle))
    told = committed(town.oracle, prepared, town.deployed_at)
    assert told is not None
    greedy = tuple(replace(made, callback_gas_limit=PUSH_GAS // 2) for made in prepared.made)
    pieces = list(claims(town.oracle, replace(prepared, made=greedy), told))
    assert [len(piece) for piece in pieces] == [1, 1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("signature",), "0x00"),
        (("oracle",), f"0x{'22' * 20}"),
        (("chain_id",), 1),
        (("batch", "nonce"), "1"),
        (("batch", "root"), f"0x{'00' * 32}"),
        (("answers", 0, "output"), "0x00"),
        (("answers", 0, "units"), 99),
        (("answers", 0, "made"), "0x00"),
        (("answers",), []),
        (("batch",), None),
    ],
)
def test_a_damaged_document_is_none(
    town: BatchTown, place: tuple[str | int, ...], value: object
) -> None:
    """Whatever is changed, it cannot be committed or claimed from."""
    town.ask(2)
    document = json.loads(prepared_for(town).as_json())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(ConfigurationError, match="no batch"):
        PreparedBatch.from_json(json.dumps(document))


def asked_of(town: BatchTown, app: TestClient) -> tuple[BatchQuestion, SignedBatch]:
    question = BatchQuestion(
        *(APP, MODEL, Timestamp(town.deadline), town.node.chain_id, town.oracle.address),
        asked=((OTHER, b"one"), (Bytes32(b"\x08" * 32), b"another")),
    )
    return question, worker_client(app).answer_many(ENDPOINT, question)


def test_what_a_worker_gets_wrong_is_refused_before_it_costs_anything(town: BatchTown) -> None:
    """Every change of the question or of the answers has a reason of its own."""
    question, signed = asked_of(town, served())
    now = Timestamp(town.deadline - 1)
    tree = check_batch(question, signed, now, signed.batch.worker)
    assert tree.root == signed.batch.root
    twisted = replace(signed.answers[0], output=b"something else")
    wrong: list[tuple[BatchQuestion, SignedBatch, int, RejectReason]] = [
        (question, replace(signed, signature=b""), now, RejectReason.INVALID_SIGNATURE),
        (replace(question, chain_id=1), signed, now, RejectReason.WRONG_SIGNER),
        (replace(question, app_id=OTHER), signed, now, RejectReason.WRONG_APP),
        (replace(question, model_id=OTHER), signed, now, RejectReason.WRONG_MODEL),
        (question, signed, town.deadline + 1, RejectReason.RESULT_EXPIRED),
        (replace(question, asked=question.asked[:1]), signed, now, RejectReason.WRONG_REQUEST),
        (
            question,
            replace(signed, answers=(twisted, signed.answers[1])),
            now,
            RejectReason.OUTPUT_MISMATCH,
        ),
    ]
    for asked, said, at, reason in wrong:
        with pytest.raises(ResultRejectedError) as caught:
            check_batch(asked, said, Timestamp(at))
        assert caught.value.reason == reason
    with pytest.raises(ResultRejectedError) as caught:
        check_batch(question, signed, now, Address(f"0x{'33' * 20}"))
    assert caught.value.reason == RejectReason.WRONG_WORKER


def test_the_worker_refuses_a_batch_as_it_refuses_a_request() -> None:
    """No requests, too many, another model, an input that is none: nothing is signed."""
    app = served()
    whole = {
        "requests": [{"requestId": f"0x{'05' * 32}", "input": "0x31"}],
        "appId": f"0x{APP.hex()}",
        "modelId": f"0x{MODEL.hex()}",
        "deadline": 2**40,
        "oracle": f"0x{'11' * 20}",
        "chainId": 31337,
    }
    assert app.post("/v1/quotary/batches", json=whole).status_code == 200
    for change, code in (
        ({"requests": []}, "bad_field"),
        ({"requests": whole["requests"] * 1025}, "bad_field"),
        ({"requests": [7]}, "bad_field"),
        ({"requests": [{"requestId": "0x05", "input": "0x31"}]}, "bad_field"),
        ({"modelId": f"0x{'06' * 32}"}, "model_not_served"),
        ({"deadline": 1}, "deadline_expired"),
        ({"requests": [{"requestId": f"0x{'05' * 32}", "input": "0xff"}]}, "input_not_text"),
    ):
        refused = app.post("/v1/quotary/batches", json=whole | change)
        assert refused.json()["error"]["code"] == code, refused.text


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_every_leaf_leads_to_the_root_that_the_worker_signs(leaves: list[bytes]) -> None:
    """Worker and bridge build one tree, each by itself, and every path leads to its root."""
    from eth_utils.crypto import keccak  # noqa: PLC0415 (the third opinion)

    tree = Tree(leaves)
    assert tree.root == root_of(leaves)
    for index, leaf in enumerate(leaves):
        node = leaf
        for sibling in tree.path(index):
            node = keccak(min(node, sibling) + max(node, sibling))
        assert node == tree.root
    with pytest.raises(IndexError):
        tree.path(len(leaves))


def test_the_answer_is_the_output_that_was_hashed(town: BatchTown) -> None:
    """What a claim delivers is what the worker said, byte for byte."""
    town.ask(1)
    prepared = prepared_for(town)
    (said,) = prepared.signed.answers
    assert said == Answered(said.request_id, b"10 characters", said.units)
    assert prepared.made[0].input_commitment == sha256(b"question 0").digest()
