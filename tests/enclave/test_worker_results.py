"""Registration and results for the chain, over HTTP, checked from outside."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak
from quotary_enclave.keys import Address
from quotary_enclave.worker import WorkerConfig, results
from quotary_enclave.worker.statements import model_id_of
from starlette.testclient import TestClient

from tests.enclave.test_worker_statements import typed_data
from tests.enclave.worker_parts import (
    CHAIN,
    NOW,
    ORACLE,
    CountingModel,
    SettableClock,
    client_of,
    make_worker,
    question_of,
    report_data_of,
    request_id,
    terms_of,
)

OPERATOR = "0x" + "aB" * 20
REGISTRATION = {
    "chainId": 31337,
    "registry": "0x" + "22" * 20,
    "appId": "0x" + "33" * 32,
    "operator": OPERATOR,
    "challengeBlock": 7,
    "challenge": "0x" + "44" * 32,
}
RESULTS = "/v1/quotary/results"
QUESTION = question_of(b"Why?")
QUESTION_SERVED = None
MOST = results.LIFETIME_LIMIT


def refusal(client: TestClient, path: str, document: object) -> tuple[int, str, str | None]:
    response = client.post(path, json=document)
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def result_of(client: TestClient, question: dict[str, Any] | None = None) -> dict[str, Any]:
    response = client.post(RESULTS, json=question or QUESTION)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def test_a_registration_binds_everything_asked_for() -> None:
    """The binding is encoded as Solidity would, and the quote carries its hash."""
    client = client_of(make_worker())
    document = client.post("/v1/quotary/register", json=REGISTRATION).json()
    identity = client.get("/v1/quotary/worker").json()
    binding = document["binding"]
    encoded = encode(
        ["(uint16,uint256,address,bytes32,address,bytes32,uint64,bytes32)"],
        [
            (
                *(1, 31337, REGISTRATION["registry"], bytes.fromhex("33" * 32)),
                *(OPERATOR.lower(), bytes.fromhex(identity["encryptionKey"][2:])),
                *(7, bytes.fromhex("44" * 32)),
            )
        ],
    )
    assert document["bindingEncoded"] == "0x" + encoded.hex()
    assert document["bindingHash"] == "0x" + keccak(encoded).hex()
    assert binding["encryptionKey"] == identity["encryptionKey"]
    assert binding["challengeBlock"] == 7
    assert document["worker"] == identity["worker"]
    expected = bytes.fromhex(document["worker"][2:]) + keccak(encoded) + bytes(12)
    assert report_data_of(bytes.fromhex(document["quote"][2:])) == expected
    assert document["reportData"] == "0x" + expected.hex()
    assert document["simulated"] is identity["simulated"] is True


def test_only_the_configured_operator_is_bound() -> None:
    """Whoever asks for a quote cannot name himself as the one to be paid."""
    operator = Address("0x" + "Cd" * 20)
    client = client_of(make_worker(WorkerConfig(operator=operator)))
    path = "/v1/quotary/register"
    assert refusal(client, path, REGISTRATION) == (403, "operator_mismatch", "operator")
    silent = {name: value for name, value in REGISTRATION.items() if name != "operator"}
    for document in (silent, REGISTRATION | {"operator": operator.lower()}):
        binding = client.post(path, json=document).json()["binding"]
        assert binding["operator"].lower() == operator.lower()


@pytest.mark.parametrize("name", REGISTRATION)
def test_a_registration_needs_every_field(name: str) -> None:
    """Missing or malformed, each field is named; nothing is defaulted."""
    client = client_of(make_worker())
    rest = {key: value for key, value in REGISTRATION.items() if key != name}
    for document in (rest, rest | {name: "0xzz"}, rest | {name: None}, rest | {name: [1]}):
        assert refusal(client, "/v1/quotary/register", document) == (400, "bad_field", name)


def test_a_result_is_signed_by_the_worker_over_all_it_says() -> None:
    """Digest recomputed by eth-account, signer recovered, hashes recomputed."""
    client = client_of(make_worker())
    document = result_of(client)
    result = document["result"]
    output = bytes.fromhex(document["output"][2:])
    assert output == b"4 characters"
    assert result["outputHash"] == "0x" + sha256(output).hexdigest()
    assert result["inputCommitment"] == "0x" + sha256(b"Why?").hexdigest()
    assert result["modelId"] == "0x" + model_id_of(CountingModel()).hex()
    assert result["weightsRoot"] == "0x" + CountingModel.weights_root.hex()
    assert result["requestId"] == "0x" + request_id(terms_of(b"Why?")).hex()
    assert (result["appId"], result["deadline"]) == ("0x" + "66" * 32, NOW + 60)
    assert (result["decision"], result["round"]) == (result["outputHash"], "0x" + "00" * 32)
    assert (result["keyEpoch"], result["policyVersion"], result["units"]) == (0, 0, 4)
    digest = digest_of(result)
    assert document["digest"] == "0x" + digest.hex()
    signature = bytes.fromhex(document["signature"][2:])
    assert (len(signature), signature[64] in (27, 28)) == (65, True)
    worker = client.get("/v1/quotary/worker").json()["worker"]
    assert Account._recover_hash(digest, signature=signature) == worker == result["worker"]


def digest_of(result: dict[str, Any]) -> bytes:
    """The EIP-712 digest of a result in JSON, by eth-account."""

    class Shown:
        """A result that is already in JSON."""

        nonce = int(result["nonce"])

        def as_json(self) -> dict[str, Any]:
            """The fields."""
            return result

    class Domain:
        """The domain of `QUESTION`."""

        chain_id = CHAIN
        oracle = ORACLE

    return typed_data(Shown(), Domain())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"Why?", 4),
        (json.dumps([{"role": "user", "content": "ab"}]).encode(), 2),
        (json.dumps({"messages": [{"role": "user", "content": "abc"}]}).encode(), 3),
        (b"[not json", 9),
        (b'{"a":1}', 7),
        (b"[]", 2),
        (b'{"messages":3}', 14),
        (b"[" * 5000, 5000),
    ],
)
def test_an_input_is_text_or_messages(content: bytes, length: int) -> None:
    """Well-formed messages are a conversation; anything else is the question itself."""
    document = result_of(client_of(make_worker()), question_of(content))
    assert bytes.fromhex(document["output"][2:]) == f"{length} characters".encode()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (question_of(b"Why?", model_id=b"\x01" * 32), (404, "model_not_served", "modelId")),
        (question_of(b"a" * 65_537), (413, "input_too_large", "input")),
        (question_of(b"\xff"), (400, "input_not_text", "input")),
        (question_of(b""), (400, "question_empty", None)),
        (question_of(b"Why?", NOW - 1), (410, "deadline_expired", "deadline")),
        (question_of(b"Why?", NOW + MOST), QUESTION_SERVED),
        (question_of(b"Why?", NOW + MOST + 1), (400, "deadline_out_of_range", "deadline")),
        (question_of(b"Why?", results=2, seats=3), (400, "bad_field", "terms")),
        (question_of(b"Why?", results=0, seats=1), (400, "bad_field", "terms")),
        (QUESTION | {"terms": "0x"}, (400, "bad_field", "terms")),
        (QUESTION | {"terms": None}, (400, "bad_field", "terms")),
        (QUESTION | {"input": "0x61"}, (400, "bad_field", "input")),
        (QUESTION | {"chainId": True}, (400, "bad_field", "chainId")),
        (QUESTION | {"chainId": -1}, (400, "bad_field", "chainId")),
        (QUESTION | {"chainId": 1}, (403, "chain_not_served", "chainId")),
        (QUESTION | {"oracle": "0x" + "12" * 20}, (403, "oracle_not_served", "oracle")),
    ],
)
def test_a_request_out_of_bounds_is_refused(
    question: dict[str, Any], expected: tuple[int, str, str | None] | None
) -> None:
    """Each refusal has its own code, before anything is signed."""
    config = WorkerConfig(chain_id=CHAIN, oracles=frozenset({Address(ORACLE)}))
    client = client_of(make_worker(config))
    if expected is QUESTION_SERVED:
        assert result_of(client, question)["result"]["deadline"] == NOW + MOST
    else:
        assert refusal(client, RESULTS, question) == expected


def test_a_deadline_that_passes_while_the_model_runs_is_missed() -> None:
    """Nothing is signed that is worth nothing already."""
    clock = SettableClock()

    class SlowModel(CountingModel):
        """Takes a minute and more by the clock."""

        def answer(self, messages: Any) -> Any:
            """Take long."""
            clock.now += 61
            return super().answer(messages)

    client = client_of(make_worker(model=SlowModel(), clock=clock))
    assert refusal(client, RESULTS, QUESTION) == (410, "deadline_expired", "deadline")
