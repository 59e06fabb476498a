"""
P-256 on chain, by the precompile and in Solidity, on Wycheproof's vectors.

Osaka has the precompile of EIP-7951 at 0x100 and Prague has not: there every call of it "succeeds"
with nothing, which must never count as a signature.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode
from quotary import INTEL_ROOT

from tests.contracts.dcap.dcap_world import Node, Refused, World, encode, running_node

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
BATCH = 32
ADDRESS = "0x0000000000000000000000000000000000000100"

Signed = tuple[bytes, int, int, int, int]


@dataclass(frozen=True)
class Vector:
    """One of Wycheproof's cases; `signature` is r ‖ s or DER, as its file says."""

    name: str
    digest: bytes
    signature: bytes
    x: int
    y: int
    valid: bool


def vectors(shared: Path, name: str) -> list[Vector]:
    """The cases of one file."""
    path = shared / "vectors" / "wycheproof" / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [
        Vector(
            f"{test['tcId']} {test['comment']}",
            sha256(bytes.fromhex(test["msg"])).digest(),
            bytes.fromhex(test["sig"]),
            int(group["publicKey"]["wx"], 16),
            int(group["publicKey"]["wy"], 16),
            test["result"] == "valid",
        )
        for group in document["testGroups"]
        for test in group["tests"]
    ]


def halves(signature: bytes) -> tuple[int, int]:
    """R and s of a raw signature."""
    return int.from_bytes(signature[:32]), int.from_bytes(signature[32:])


@dataclass
class Harness:
    """The deployed harness."""

    node: Node
    address: str
    native: bool

    def verify(self, cases: list[Signed]) -> tuple[list[bool], list[bool]]:
        """For each case: by the precompile, by Solidity."""
        native: list[bool] = []
        plain: list[bool] = []
        for start in range(0, len(cases), BATCH):
            data = encode("P256Harness", "verify", cases[start : start + BATCH])
            first, second = decode(["bool[]", "bool[]"], self.node.call(self.address, data))
            native += first
            plain += second
        return native, plain

    def parse(self, der: bytes) -> tuple[int, int] | None:
        """R and s out of DER, as certificates carry it; None where it is none."""
        bits = b"\0" + der
        length = bytes((len(bits),)) if len(bits) < 128 else b"\x82" + len(bits).to_bytes(2)
        try:
            data = encode("P256Harness", "parse", b"\x03" + length + bits)
            return decode(["uint256", "uint256"], self.node.call(self.address, data))
        except Refused as refused:
            if refused.reason not in ("DER_NONCANONICAL", "SIGNATURE_INVALID"):
                raise
            return None


@pytest.fixture(scope="module", params=["osaka", "prague"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """With the precompile, and without."""
    with running_node(request.param) as node:
        address = node.deploy("P256Harness")
        answer = node.call(address, encode("P256Harness", "selfTest"))
        yield Harness(node, address, bool(int.from_bytes(answer)))


def judged(harness: Harness, cases: dict[str, tuple[Signed, bool]]) -> list[str]:
    """The names of the cases that either way judges wrongly."""
    native, plain = harness.verify([signed for signed, _ in cases.values()])
    wrong = []
    for (name, (_, valid)), first, second in zip(cases.items(), native, plain, strict=True):
        # Without the precompile nothing is valid natively, and the self-test never chooses it.
        if second != valid or first != (valid and harness.native):
            wrong.append(name)
    return wrong


def test_the_self_test_tells_the_chains_apart(harness: Harness) -> None:
    """The precompile is chosen where it is, and only there."""
    version = harness.node.ask("anvil_nodeInfo")["hardFork"].lower()
    assert harness.native is (version == "osaka")


def test_raw_signatures(harness: Harness, shared: Path) -> None:
    """R ‖ s, as quotes and documents carry them; those of another length never get so far."""
    cases = {}
    for vector in vectors(shared, "ecdsa_secp256r1_sha256_p1363_test"):
        if len(vector.signature) != 64:
            assert not vector.valid, vector
            continue
        r, s = halves(vector.signature)
        cases[vector.name] = ((vector.digest, r, s, vector.x, vector.y), vector.valid)
    assert len(cases) > 230
    assert sum(valid for _, valid in cases.values()) > 150
    assert judged(harness, cases) == []


def test_der_signatures(harness: Harness, shared: Path) -> None:
    """DER, as certificates and revocation lists carry it: what is no DER is no signature."""
    cases = {}
    unreadable = 0
    for vector in vectors(shared, "ecdsa_secp256r1_sha256_test"):
        parsed = harness.parse(vector.signature)
        if parsed is None:
            assert not vector.valid, vector
            unreadable += 1
            continue
        cases[vector.name] = ((vector.digest, *parsed, vector.x, vector.y), vector.valid)
    assert unreadable > 100
    assert judged(harness, cases) == []


def test_no_point_of_the_curve_is_no_key(harness: Harness, shared: Path) -> None:
    """Off the curve, at infinity, beyond the field: refused, not answered at random."""
    good = next(
        vector
        for vector in vectors(shared, "ecdsa_secp256r1_sha256_p1363_test")
        if vector.valid and len(vector.signature) == 64
    )
    r, s = halves(good.signature)
    x, y = good.x, good.y
    keys = [(0, 0), (x, y ^ 1), (x ^ 1, y), (x, 0), (0, y), (P, y), (x, P), (x, y + P), (P, P)]
    keys = [(a, b) for a, b in keys if max(a, b) < 2**256]
    cases = {str(key): ((good.digest, r, s, *key), False) for key in keys}
    edges = [(0, s), (r, 0), (0, 0), (N, s), (r, N), (N, N), (r, s + N), (2**256 - 1, s)]
    edges = [(a, b) for a, b in edges if max(a, b) < 2**256]
    cases |= {f"signature {edge}": ((good.digest, *edge, x, y), False) for edge in edges}
    cases |= {
        "good": ((good.digest, r, s, x, y), True),
        "its twin": ((good.digest, r, N - s, x, y), True),
    }
    assert judged(harness, cases) == []


# Runtime code that answers every call with a word of 1, with 31 bytes of it, with 33, and with 2.
STRANGERS = {
    "one word, 1, whatever is asked": "60015f5260205ff3",
    "31 bytes": "60015f52601f5ff3",
    "33 bytes": "60015f5260215ff3",
    "one word, 2": "60025f5260205ff3",
}


@pytest.mark.parametrize("answer", STRANGERS)
def test_a_stranger_at_the_precompiles_address_is_no_verifier(answer: str) -> None:
    """The self-test has a negative vector, and takes no other answer than one word, 1."""
    with running_node("prague") as node:
        node.ask("anvil_setCode", ADDRESS, f"0x{STRANGERS[answer]}")
        address = node.deploy("P256Harness")
        assert not int.from_bytes(node.call(address, encode("P256Harness", "selfTest")))


def test_the_store_says_by_which_way_it_verifies(harness: Harness) -> None:
    """Fixed at deployment, for ever: the constructor has proven its own root certificate by it."""
    world = World.deploy(harness.node, INTEL_ROOT.certificate.der)
    answer = world.store_call("NATIVE_P256")
    assert bool(int.from_bytes(answer)) is harness.native
