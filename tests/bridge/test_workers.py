"""Clients of workers: honest answers get through, everything else has a name."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Request,
    SignedResult,
    Timestamp,
    Wei,
)
from quotary_bridge.workers import (
    Endpoint,
    FaultKind,
    RejectReason,
    ResultRejectedError,
    WorkerClient,
    WorkerFaultError,
    WorkerPool,
    check_result,
    result_digest,
    signer_of,
)
from quotary_bridge.workers.client import ANSWER_BYTES_LIMIT
from quotary_enclave.worker.statements import model_id_of

from tests.bridge.relayer_town import Worker, client_of
from tests.enclave.worker_parts import NOW, CountingModel, make_worker, request_id, terms_of
from tests.enclave.worker_parts import client_of as enclave_client

ORACLE = Address("0x0000000000000000000000000000000000000001")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ONE = Endpoint("http://one")
TWO = Endpoint("http://two:8080/base/")

TERMS = terms_of(b"a question")
REQUEST = Request(
    chain_id=ChainId(31337),
    oracle=ORACLE,
    request_id=Bytes32(request_id(TERMS, ORACLE)),
    app_id=Bytes32(b"\x66" * 32),
    model_id=Bytes32(bytes(model_id_of(CountingModel()))),
    requester=ORACLE,
    input=b"a question",
    deadline=Timestamp(NOW + 60),
    callback_gas=0,
    fee=Wei(0),
    terms=TERMS,
    block=BlockRef(BlockNumber(7), BlockHash(bytes(32))),
)


def honest() -> SignedResult:
    return client_of(one=Worker()).ask(ONE, REQUEST)


def answering(
    answer: Callable[[httpx.Request], httpx.Response], seconds: float = 300
) -> WorkerClient:
    return WorkerClient(httpx.MockTransport(answer), answer_seconds=seconds)


def fault_of(client: WorkerClient) -> WorkerFaultError:
    with pytest.raises(WorkerFaultError) as caught:
        client.ask(ONE, REQUEST)
    return caught.value


def reason_of(signed: SignedResult, worker: Address | None = None) -> str:
    with pytest.raises(ResultRejectedError) as caught:
        check_result(REQUEST, signed, Timestamp(NOW), worker)
    return caught.value.reason


def test_the_worker_of_the_enclave_is_understood_and_its_result_passes() -> None:
    """Both sides are real: the worker's program, and the bridge's client and checks."""
    worker = make_worker()
    inside = enclave_client(worker)

    def _forward(asked: httpx.Request) -> httpx.Response:
        said = inside.post(asked.url.path, content=asked.content)
        return httpx.Response(said.status_code, content=said.content)

    signed = answering(_forward).ask(Endpoint("http://tee"), REQUEST)
    address = Address(worker.keys.result.address)
    check_result(REQUEST, signed, Timestamp(NOW), address)
    assert signed.output == b"10 characters"
    assert signed.result.worker == address


def test_a_refusal_of_the_enclave_is_told_with_its_code() -> None:
    """The worker's own stable word reaches the log."""
    inside = enclave_client(make_worker())

    def _forward(asked: httpx.Request) -> httpx.Response:
        said = inside.post(asked.url.path, content=asked.content)
        return httpx.Response(said.status_code, content=said.content)

    other = replace(REQUEST, terms=terms_of(b"a question", model_id=b"\x01" * 32))
    with pytest.raises(WorkerFaultError) as caught:
        answering(_forward).ask(ONE, other)
    assert caught.value.kind is FaultKind.REFUSED
    assert "model_not_served" in caught.value.detail


def test_the_question_names_everything_the_result_is_bound_to() -> None:
    """Under the names of the worker's interface, at its path below the endpoint's."""
    asked: list[httpx.Request] = []

    def _note(question: httpx.Request) -> httpx.Response:
        asked.append(question)
        return httpx.Response(503)

    with pytest.raises(WorkerFaultError):
        answering(_note).ask(TWO, REQUEST)
    assert str(asked[0].url) == "http://two:8080/base/v1/quotary/results"
    assert json.loads(asked[0].content) == {
        "terms": f"0x{REQUEST.terms.hex()}",
        "requestId": f"0x{REQUEST.request_id.hex()}",
        "appId": f"0x{REQUEST.app_id.hex()}",
        "modelId": f"0x{REQUEST.model_id.hex()}",
        "input": f"0x{REQUEST.input.hex()}",
        "deadline": NOW + 60,
        "oracle": ORACLE,
        "chainId": 31337,
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, FaultKind.UNAVAILABLE),
        (503, FaultKind.UNAVAILABLE),
        (429, FaultKind.UNAVAILABLE),
        (400, FaultKind.REFUSED),
        (404, FaultKind.REFUSED),
        (302, FaultKind.REFUSED),
    ],
)
def test_a_status_says_whose_fault_it_is(status: int, kind: FaultKind) -> None:
    """A redirect is a refusal: nobody but the configured address is asked."""
    asked: list[str] = []

    def _answer(question: httpx.Request) -> httpx.Response:
        asked.append(question.url.host)
        return httpx.Response(status, headers={"location": "http://169.254.169.254/"})

    assert fault_of(answering(_answer)).kind is kind
    assert asked == ["one"]


def _drip() -> Iterator[bytes]:
    while True:
        time.sleep(0.02)
        yield b" "


def _flood() -> Iterator[bytes]:
    for _ in range(ANSWER_BYTES_LIMIT // 65_536 + 2):
        yield b" " * 65_536


def _timeout(question: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=question)


def _refuse(question: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("", request=question)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_timeout, FaultKind.TIMEOUT),
        (_refuse, FaultKind.UNREACHABLE),
        (lambda _: httpx.Response(200, content=_drip()), FaultKind.TIMEOUT),
        (lambda _: httpx.Response(200, content=_flood()), FaultKind.BROKEN_ANSWER),
        (lambda _: httpx.Response(200, content=b"{" * 200_000), FaultKind.BROKEN_ANSWER),
        (lambda _: httpx.Response(200, content=b"[" * 200_000), FaultKind.BROKEN_ANSWER),
        (lambda _: httpx.Response(200, content=b"9" * 9_000), FaultKind.BROKEN_ANSWER),
        (lambda _: httpx.Response(200, content=b""), FaultKind.BROKEN_ANSWER),
        (
            lambda _: httpx.Response(
                200,
                headers={"content-encoding": "gzip"},
                content=iter([gzip.compress(b" " * 2**24)]),
            ),
            FaultKind.BROKEN_ANSWER,
        ),
    ],
)
def test_a_hostile_worker_costs_bounded_time_and_memory(
    answer: Callable[[httpx.Request], httpx.Response], kind: FaultKind
) -> None:
    """Dripping, flooding, nesting, compressing: all end soon, and by name."""
    seconds = 0.5 if kind is FaultKind.TIMEOUT else 300
    start = time.monotonic()
    assert fault_of(answering(answer, seconds=seconds)).kind is kind
    assert time.monotonic() - start < 60


def document() -> dict[str, Any]:
    bodies: list[bytes] = []

    def _keep(question: httpx.Request) -> httpx.Response:
        said = Worker().answer(question)
        bodies.append(said.content)
        return said

    answering(_keep).ask(ONE, REQUEST)
    parsed: dict[str, Any] = json.loads(bodies[0])
    return parsed


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(min_value=2**256),
    st.integers(max_value=-1),
    # A decimal string is a number too, and so no junk.
    st.text(max_size=70).filter(lambda text: not text.isdigit()),
    st.sampled_from(["0x", "0x0", "0xzz", "0x" + "00" * 31, "0x" + "00" * 33, "00" * 32]),
    st.lists(st.none(), max_size=1),
)


@given(st.sampled_from(sorted(document()["result"])), JUNK)
@settings(max_examples=300, deadline=None)
def test_a_malformed_field_is_a_broken_answer(name: str, junk: object) -> None:
    """Nothing but our own error leaves the parser, whatever a field holds."""
    said = document()
    said["result"][name] = junk
    client = answering(lambda _: httpx.Response(200, text=json.dumps(said)))
    assert fault_of(client).kind is FaultKind.BROKEN_ANSWER


def test_an_honest_result_passes() -> None:
    """With and without knowing whose it should be."""
    check_result(REQUEST, honest(), Timestamp(NOW))
    check_result(REQUEST, honest(), Timestamp(NOW + 60), Worker().address)


def resigned(signed: SignedResult, signature: bytes) -> SignedResult:
    return replace(signed, signature=signature)


def test_a_signature_has_one_encoding() -> None:
    """Compact, high s, v of 0 or 1, and trailing bytes are all refused, as on chain."""
    signed = honest()
    r, s, v = signed.signature[:32], int.from_bytes(signed.signature[32:64]), signed.signature[64]
    high = r + (ORDER - s).to_bytes(32) + bytes([55 - v])
    for signature in (
        signed.signature[:64],
        signed.signature + b"\0",
        signed.signature[:64] + bytes([v - 27]),
        high,
        bytes(65),
        bytes(64) + b"\x1b",
        b"\xff" * 64 + b"\x1b",
        b"",
    ):
        assert reason_of(resigned(signed, signature)) in (
            RejectReason.INVALID_SIGNATURE,
            RejectReason.WRONG_SIGNER,
        )
        digest = result_digest(signed.result, REQUEST.chain_id, ORACLE)
        assert signer_of(digest, signature) != signed.result.worker


@given(st.binary(max_size=70))
def test_arbitrary_bytes_are_no_signature_of_the_worker(signature: bytes) -> None:
    """And raise nothing either."""
    assert signer_of(bytes(32), signature) != Worker().address


def test_a_result_for_another_chain_or_oracle_has_another_signer() -> None:
    """The domain is part of what is signed."""
    signed = honest()
    for other in (
        replace(REQUEST, chain_id=ChainId(1)),
        replace(REQUEST, oracle=Address("0x0000000000000000000000000000000000000002")),
    ):
        with pytest.raises(ResultRejectedError) as caught:
            check_result(other, signed, Timestamp(NOW))
        assert caught.value.reason == RejectReason.WRONG_SIGNER


def test_an_output_that_was_changed_on_the_way_is_refused() -> None:
    """The signature covers its hash."""
    assert reason_of(replace(honest(), output=b"a lie")) == RejectReason.OUTPUT_MISMATCH


def test_an_answer_of_another_worker_than_the_one_asked_is_refused() -> None:
    """Where an endpoint's worker is known."""
    assert reason_of(honest(), ORACLE) == RejectReason.WRONG_WORKER


def test_the_input_commitment_is_computed_here_and_not_believed() -> None:
    """A worker that answers another question says so in its commitment."""
    worker = Worker(
        distort=lambda result: replace(
            result, input_commitment=Bytes32(sha256(b"another").digest())
        )
    )
    assert reason_of(client_of(one=worker).ask(ONE, REQUEST)) == RejectReason.WRONG_INPUT


@pytest.mark.parametrize(
    "url",
    [
        "",
        "one",
        "ftp://one",
        "http://",
        "http://user:pass@one",
        "http://one/?key=1",
        "http://one#x",
    ],
)
def test_a_url_that_is_none_or_hides_something_is_refused(url: str) -> None:
    """Credentials in a URL end in logs."""
    with pytest.raises(ConfigurationError) as caught:
        Endpoint(url)
    assert "pass" not in str(caught.value).replace("password", "")


def test_workers_take_turns_and_failing_ones_come_last() -> None:
    """Rests grow with failures and end with a success."""
    pool = WorkerPool([ONE, TWO])
    assert pool.candidates(BlockNumber(1)) == (ONE, TWO)
    assert pool.candidates(BlockNumber(1)) == (TWO, ONE)
    pool.failed(ONE, "Unreachable", BlockNumber(1))
    assert pool.candidates(BlockNumber(1)) == (TWO, ONE)
    assert pool.candidates(BlockNumber(1))[0] == TWO
    pool.failed(ONE, "Unreachable", BlockNumber(1))
    assert pool.health()[ONE].rests_until == 3
    pool.succeeded(ONE)
    assert pool.health()[ONE].failures == 0
    with pytest.raises(ConfigurationError):
        WorkerPool([ONE, ONE])
