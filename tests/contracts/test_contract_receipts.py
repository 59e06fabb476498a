"""The claim digests of the contracts are RISC Zero's own: genuine receipts say so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.errors import BridgeError, ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "bridge" / "quotary_bridge" / "chain" / "abi" / "RiscZeroStubVerifier.json"
ADDRESS = "0x00000000000000000000000000000000000057ab"
MOCK_SELECTOR = b"\xff\xff\xff\xff"


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilNode]:
    """A chain that has the mock receipt verifier."""
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    code = json.loads(STUB.read_text())["deployedBytecode"]
    with AnvilNode() as started:
        started.chain.rpc("anvil_setCode", [ADDRESS, code])
        yield started


@pytest.fixture(scope="module")
def receipts(shared: Path) -> list[dict[str, Any]]:
    """Every genuine RISC Zero receipt that comes with its claim digest."""
    documents = [
        json.loads(path.read_text())
        for path in sorted((shared / "vectors/zk").rglob("*risc0*"))
        if path.is_file()
    ]
    return [document for document in documents if "claim_digest" in document]


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _verify(node: AnvilNode, seal: bytes, image: bytes, journal_digest: bytes) -> None:
    """Ask the mock verifier; raises where it reverts."""
    selector = keccak(b"verify(bytes,bytes32,bytes32)")[:4]
    data = selector + encode(["bytes", "bytes32", "bytes32"], [seal, image, journal_digest])
    node.chain.rpc("eth_call", [{"to": ADDRESS, "data": "0x" + data.hex()}, "latest"])


def test_genuine_claims_have_the_digest_that_the_contract_finds(
    node: AnvilNode, receipts: list[dict[str, Any]]
) -> None:
    """A mock seal over the genuine claim digest passes exactly where both digests agree."""
    assert len(receipts) > 5
    for receipt in receipts:
        claim = _raw(receipt["claim_digest"])
        image, digest = _raw(receipt["image_id"]), _raw(receipt["journal_digest"])
        _verify(node, MOCK_SELECTOR + claim, image, digest)
        with pytest.raises(BridgeError):
            _verify(node, MOCK_SELECTOR + claim, digest, image)
