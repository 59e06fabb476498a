"""
ACI receipts on the chain: genuine ones, and those of our own worker, read by the contract itself.

The genuine receipt's keyset was attested for somebody else's nonce, so it cannot be enrolled: here
the keys stand open, and forge's tests hold enrolment. The committee is real, and so is the reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import ReceiptAdapter
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.committee import attest_receipt
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, Bytes32

from tests.bridge.relayer_town import OPEN_GATE
from tests.enclave.worker_parts import client_of, make_worker

APP = Bytes32(b"\x0a" * 32)
KEYS = f"0x{'00' * 18}9a7e"
MEMBERS = 3


@dataclass
class Desk:
    """An adapter, and a committee of three of whom two must sign."""

    node: AnvilNode
    adapter: ReceiptAdapter

    def record(self, receipt: bytes, members: int = 2) -> None:
        """Have members vouch for the receipt, and bring it to the chain."""
        document_hash = sha256(receipt).digest()
        chain_id, address = self.node.chain_id, self.adapter.address
        signers = sorted(self.node.signers[:MEMBERS], key=lambda one: int(one.address, 16))
        signatures = [
            attest_receipt(APP, document_hash, chain_id, address, member)
            for member in signers[:members]
        ]
        sender = Sender(self.node.chain, self.node.signers[0], timeout_seconds=300)
        data = self.adapter.record_attested(APP, receipt, signatures)
        sender.send(sender.request(address, data))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with AnvilNode() as node:
        chain = node.chain
        keys = Address(chain.web3.to_checksum_address(KEYS))
        chain.rpc("anvil_setCode", [keys, OPEN_GATE])
        sender = Sender(chain, node.signers[0], timeout_seconds=300)
        members = sorted(
            (one.address for one in node.signers[:MEMBERS]), key=lambda one: int(one, 16)
        )
        created = []
        for contract, arguments in (
            ("CommitteeVerifier", lambda: [members, 2, 3600]),
            ("ReceiptAdapter", lambda: [keys, created[0]]),
        ):
            creation = interface(contract).encode_creation(arguments())
            created.append(sender.send(sender.request(None, creation)).contract_address)
        assert created[1] is not None
        yield Desk(node, ReceiptAdapter(chain, Address(created[1])))


@pytest.fixture(scope="module")
def genuine(shared: Path) -> dict[str, Any]:
    """The vectors of the format's own project."""
    document: dict[str, Any] = json.loads((shared / "vectors/aci/vectors.json").read_text())
    return document


def test_a_genuine_receipt_is_read_on_the_chain(desk: Desk, genuine: dict[str, Any]) -> None:
    """Its signature is checked by members, everything else by the contract."""
    receipt = genuine["receipt_signing_input"].encode()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(genuine["receipt_public_key"]))
    key.verify(bytes.fromhex(genuine["receipt_signature"]), receipt)
    with pytest.raises(ContractError, match="QuorumNotReached"):
        desk.record(receipt, members=1)
    desk.record(receipt)
    request, response = (
        Bytes32(sha256(genuine[name].encode()).digest())
        for name in ("request_body", "response_body")
    )
    kept = desk.adapter.receipt_of(APP, request, response)
    assert f"sha256:{kept.keyset_digest.hex()}" == genuine["workload_keyset_digest"]
    assert kept.document_hash.hex() == genuine["receipt_signing_input_sha256"]
    assert kept.served_at == json.loads(receipt)["served_at"]
    with pytest.raises(ContractError, match="ReceiptKnown"):
        desk.record(receipt)


def test_the_signature_is_no_part_of_what_is_signed(desk: Desk, genuine: dict[str, Any]) -> None:
    """The document as it is served is refused, and so is a piece of it."""
    with pytest.raises(ContractError, match="ReceiptIncomplete"):
        desk.record(genuine["receipt_document"].encode())
    for cut in (1, 40, 400):
        with pytest.raises(ContractError, match="DocumentMalformed"):
            desk.record(genuine["receipt_signing_input"].encode()[:-cut])


def test_our_own_workers_receipts_are_read_as_well(desk: Desk) -> None:
    """As they come over HTTP, streams included."""
    app = client_of(make_worker())
    for number, stream in enumerate((False, True)):
        messages = [{"role": "user", "content": f'a "question" \\ {number}'}]
        body = json.dumps({"model": "any", "messages": messages, "stream": stream}).encode()
        headers = {"content-type": "application/json"}
        models = app.get("/v1/models").json()["data"]
        body = body.replace(b'"any"', json.dumps(models[0]["id"]).encode())
        answered = app.post("/v1/chat/completions", content=body, headers=headers)
        assert answered.status_code == 200, answered.text
        receipt = app.get(f"/v1/aci/receipts/{answered.headers['x-receipt-id']}").json()
        del receipt["signature"]
        desk.record(rfc8785.dumps(receipt))
        request, response = (Bytes32(sha256(part).digest()) for part in (body, answered.content))
        kept = desk.adapter.receipt_of(APP, request, response)
        assert f"sha256:{kept.keyset_digest.hex()}" == receipt["workload_keyset_digest"]
