"""Commitments and reveals over HTTP, checked from outside as the contract checks them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak
from quotary_enclave.model import Answer, Message, Units
from quotary_enclave.worker.terms import Rule
from starlette.testclient import TestClient

from tests.enclave.test_worker_results import digest_of
from tests.enclave.worker_parts import (
    CHAIN,
    NOW,
    ORACLE,
    CountingModel,
    SettableClock,
    asked_twice_at_once,
    client_of,
    make_worker,
    request_id,
    terms_of,
)

QUESTION = b"Why?"
COMMITMENTS, REVEALS = "/v1/quotary/commitments", "/v1/quotary/reveals"
OTHERS = [bytes([1]) * 32, b"\xfe" * 32]


class Judging(CountingModel):
    """A counting model whose answers can be compared by class and by number."""

    def answer(self, messages: Sequence[Message]) -> Answer:
        """Count, and say whether that is a lot."""
        count = sum(len(message.content) for message in messages)
        return Answer(f"{count}", Units(count), Units(1), "many" if count > 9 else "few", -count)


def terms(
    rule: Rule = Rule.EXACT, content: bytes = QUESTION, deadline: int = NOW + 60, **quorum: int
) -> bytes:
    """`abi.encode` of a request that two of three workers must answer."""
    results, seats = quorum.get("results", 2), quorum.get("seats", 3)
    return terms_of(content, deadline, results=results, seats=seats, rule=int(rule))


def question(encoded: bytes, content: bytes = QUESTION) -> dict[str, Any]:
    return {
        "terms": "0x" + encoded.hex(),
        "input": "0x" + content.hex(),
        "oracle": ORACLE,
        "chainId": CHAIN,
    }


def commit(client: TestClient, encoded: bytes) -> bytes:
    response = client.post(COMMITMENTS, json=question(encoded))
    assert response.status_code == 200, response.text
    assert response.json()["requestId"] == "0x" + request_id(encoded).hex()
    return bytes.fromhex(response.json()["commitment"][2:])


def opening(encoded: bytes, commitments: Sequence[bytes]) -> dict[str, Any]:
    return {
        "requestId": "0x" + request_id(encoded).hex(),
        "round": ["0x" + commitment.hex() for commitment in commitments],
        "oracle": ORACLE,
        "chainId": CHAIN,
    }


def refusal(client: TestClient, path: str, document: object) -> tuple[int, str, str | None]:
    response = client.post(path, json=document)
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("rule", "decision"),
    [
        (Rule.EXACT, sha256(b"4").digest()),
        (Rule.CLASS, sha256(b"few").digest()),
        (Rule.TOLERANCE, (-4).to_bytes(32, signed=True)),
    ],
)
def test_what_is_revealed_is_what_was_committed_to(rule: Rule, decision: bytes) -> None:
    """The contract's commitment and digest, recomputed; the decision is what the rule compares."""
    client = client_of(make_worker(model=Judging()))
    encoded = terms(rule)
    own = commit(client, encoded)
    closed = sorted([own, *OTHERS])
    document = client.post(REVEALS, json=opening(encoded, closed)).json()
    said = document["result"]
    assert said["round"] == "0x" + keccak(b"".join(closed)).hex()
    assert bytes.fromhex(said["decision"][2:]) == decision
    assert bytes.fromhex(document["output"][2:]) == b"4"
    salted = (
        *(bytes.fromhex(said["requestId"][2:]), said["worker"]),
        *(bytes.fromhex(said[name][2:]) for name in ("outputHash", "decision")),
        int(said["nonce"]),
    )
    assert own == keccak(encode(["bytes32", "address", "bytes32", "bytes32", "uint256"], salted))
    signature = bytes.fromhex(document["signature"][2:])
    assert Account._recover_hash(digest_of(said), signature=signature) == said["worker"]


def test_an_answer_is_shown_to_one_round_only() -> None:
    """The same round gets the same answer, any other one nothing, before and after."""
    client = client_of(make_worker())
    encoded = terms()
    own = commit(client, encoded)
    assert commit(client, encoded) == own
    closed = opening(encoded, sorted([own, *OTHERS]))
    first, again = (client.post(REVEALS, json=closed) for _ in range(2))
    assert first.status_code == 200
    assert first.json() == again.json()
    other = opening(encoded, sorted([own, OTHERS[0]]))
    assert refusal(client, REVEALS, other) == (409, "already_revealed", "round")
    found = refusal(client, COMMITMENTS, question(encoded))
    assert found == (409, "already_revealed", "round")


def test_nothing_is_shown_to_an_open_round() -> None:
    """Too few, too many, out of order, one twice, or a round that this worker is not in."""
    client = client_of(make_worker())
    encoded = terms()
    own = commit(client, encoded)
    bad = [
        [own],
        sorted([own, *OTHERS, bytes(32)]),
        sorted([own, *OTHERS], reverse=True),
        [own, own],
        OTHERS,
        [],
    ]
    for commitments in bad:
        found = refusal(client, REVEALS, opening(encoded, commitments))
        assert found == (409, "round_not_closed", "round")
    unknown = opening(terms(deadline=NOW + 61), sorted([own, *OTHERS]))
    assert refusal(client, REVEALS, unknown) == (404, "not_committed", None)
    fields = opening(encoded, [own]) | {"round": ["0x00"] * 3}
    assert refusal(client, REVEALS, fields) == (400, "bad_field", "round")


def test_a_request_cannot_be_told_in_two_ways() -> None:
    """Whatever is told of a request is in its id, so no other telling is the same request."""
    client = client_of(make_worker())
    encoded = terms()
    commit(client, encoded)
    other = question(encoded, b"What?")
    assert refusal(client, COMMITMENTS, other) == (400, "bad_field", "input")
    elsewhere = (32 + len(encoded[32:])).to_bytes(32) + encoded[32:] + terms(deadline=NOW + 99)[32:]
    several = (encoded[:-32], b"", encoded.replace(b"\x02", b"\x00"), terms(results=1, seats=1))
    for bad in (*several, elsewhere):
        document = question(encoded) | {"terms": "0x" + bad.hex()}
        assert refusal(client, COMMITMENTS, document) == (400, "bad_field", "terms")


def test_a_model_without_classes_or_numbers_refuses_to_be_compared_by_them() -> None:
    """Only what the model itself tells is compared: nothing is read out of its prose."""
    client = client_of(make_worker())
    for rule in (Rule.CLASS, Rule.TOLERANCE):
        found = refusal(client, COMMITMENTS, question(terms(rule)))
        assert found == (422, "rule_not_served", "terms")


def test_the_deadline_ends_commitments_and_reveals() -> None:
    """After it the statement would be worth nothing."""
    clock = SettableClock()
    client = client_of(make_worker(clock=clock))
    encoded = terms()
    own = commit(client, encoded)
    clock.now = NOW + 61
    closed = opening(encoded, sorted([own, *OTHERS]))
    assert refusal(client, REVEALS, closed) == (410, "deadline_expired", "deadline")
    late = question(terms(deadline=NOW + 1))
    assert refusal(client, COMMITMENTS, late) == (410, "deadline_expired", "deadline")


def test_two_who_ask_at_once_get_the_same_commitment() -> None:
    """Of two answers to one request one counts: whoever signs both is an equivocator."""
    together = threading.Barrier(2)

    class Slow(CountingModel):
        def answer(self, messages: Sequence[Message]) -> Answer:
            together.wait(300)
            return super().answer(messages)

    worker = make_worker(model=Slow())
    found = asked_twice_at_once(lambda: worker.commitment(question(terms()))["commitment"])
    assert len(found) == 2
    assert len(set(found)) == 1
