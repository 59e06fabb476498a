"""What the worker hands out is what Quotary's own verifier accepts, from the root key down."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from quotary import Collateral, RawCollateral, TrustRoot, VerificationError, verify
from quotary.workloads import ChatReport, ChatSignature, Quoted, verify_chat
from quotary.workloads.aci import AciReceipt, AciReport, Serving, verify_receipt, verify_report
from quotary_enclave.worker import WorkerConfig, simulated_provenance, simulated_tdx
from starlette.testclient import TestClient

from tests.enclave.worker_parts import NOW, CountingModel, client_of, make_worker, simulator

AT = datetime.fromtimestamp(NOW, UTC)
NONCE = bytes(range(32))
SIMULATOR = simulator()
PLATFORM = SIMULATOR.platform()
ROOT = TrustRoot.from_certificate(SIMULATOR.root_der)
COLLATERAL = Collateral.verify(
    RawCollateral.from_json(json.dumps(SIMULATOR.collateral(PLATFORM, "tdx"))), ROOT, at=AT
)
BODY = json.dumps(
    {"model": CountingModel.name, "messages": [{"role": "user", "content": "Why?"}]}, indent=1
).encode()


def judged(quote: bytes) -> Quoted:
    return Quoted.verified(quote, verify(quote, COLLATERAL, at=AT, root=ROOT))


@pytest.fixture
def client() -> TestClient:
    model = CountingModel()
    config = WorkerConfig(provenance=simulated_provenance())
    return client_of(make_worker(config, model=model, quotes=simulated_tdx(PLATFORM, model)))


def chat(client: TestClient) -> Any:
    return client.post("/v1/chat/completions", content=BODY)


@pytest.mark.parametrize("algorithm", ["ecdsa", "ed25519"])
def test_a_first_generation_exchange(client: TestClient, algorithm: str) -> None:
    """Report and signature, with the workload behind them."""
    response = chat(client)
    query = f"signing_algo={algorithm}"
    report = client.get(f"/v1/attestation/report?{query}&nonce={NONCE.hex()}")
    signature = client.get(f"/v1/signature/{response.json()['id']}?{query}")
    proof = verify_chat(
        ChatReport.parse(report.content),
        ChatSignature.parse(signature.content),
        BODY,
        response.content,
        judged,
        nonce=NONCE,
    )
    assert proof.algorithm == algorithm
    assert proof.workload is not None
    assert proof.workload.compose is not None
    (image,) = proof.workload.compose.images
    assert image.digest == simulated_provenance().image_digest


@pytest.mark.parametrize("algorithm", ["ed25519", "secp256k1-eip191"])
def test_an_aci_exchange(client: TestClient, algorithm: str) -> None:
    """Identity once, then the receipt, under either key of the keyset."""
    document = client.get(f"/v1/aci/attestation?nonce={NONCE.hex()}").content
    identity = verify_report(AciReport.parse(document), judged, nonce=NONCE, at=AT)
    assert identity.serving is Serving.DIRECT
    response = chat(client)
    path = f"/v1/aci/receipts/{response.headers['X-Receipt-Id']}?algo={algorithm}"
    receipt = AciReceipt.parse(client.get(path).content)
    exchange = verify_receipt(receipt, identity, BODY, response.content)
    assert exchange.receipt.model == CountingModel.name
    with pytest.raises(VerificationError):
        verify_receipt(receipt, identity, BODY, response.content + b" ")


def test_a_registration(client: TestClient) -> None:
    """The verdict's report data is the one the binding asks for."""
    document = client.post(
        "/v1/quotary/register",
        json={
            "chainId": 1,
            "registry": "0x" + "22" * 20,
            "appId": "0x" + "33" * 32,
            "operator": "0x" + "44" * 20,
            "challengeBlock": 5,
            "challenge": "0x" + "55" * 32,
        },
    ).json()
    quote = bytes.fromhex(document["quote"][2:])
    verdict = verify(quote, COLLATERAL, at=AT, root=ROOT)
    assert "0x" + verdict.report_data.hex() == document["reportData"]
