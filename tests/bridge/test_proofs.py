"""Proofs made here: the committee's signatures and the stub prover's seals."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from eth_abi.abi import decode
from eth_account import Account
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.committee import assemble, attest, attestation, committee_proof
from quotary_bridge.model import Address
from quotary_bridge.zk import claim_digest, stub_seal

VERIFIER = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
DIGEST = sha256(b"a journal").digest()
SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def members(count: int) -> list[Signer]:
    return [Signer.from_key(key, 31337) for key in WELL_KNOWN_KEYS[:count]]


def test_claim_digests_equal_genuine_receipts(shared: Path) -> None:
    """Every genuine RISC Zero receipt has the claim digest that we compute for it."""
    checked = 0
    for path in sorted((shared / "vectors" / "zk").rglob("*-risc0-*.json")):
        receipt = json.loads(path.read_text())
        if not {"image_id", "journal_digest", "claim_digest"} <= receipt.keys():
            continue
        found = claim_digest(
            bytes.fromhex(receipt["image_id"]), bytes.fromhex(receipt["journal_digest"])
        )
        assert found.hex() == receipt["claim_digest"], path.name
        checked += 1
    assert checked >= 10


def test_the_halted_claim_of_a_known_guest() -> None:
    """One claim digest by heart, so that the rule is tested without the evidence as well."""
    image_id = bytes.fromhex("51350de41e575076bf180dbe2efb38edc25b32e47195a92b2c05850457e457a0")
    journal = sha256(b"just a simple receipt").digest()
    expected = "c0644cc41569dc06b6817aefa71ca19ca367cff83879ed434101bf4821fbbe5b"
    assert claim_digest(image_id, journal).hex() == expected
    assert stub_seal(image_id, journal).hex() == "ffffffff" + expected


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_digest_of_another_length_is_refused(size: int) -> None:
    """A truncated digest would sign something else."""
    with pytest.raises(ValueError, match="32 bytes"):
        claim_digest(bytes(32), bytes(size))
    with pytest.raises(ValueError, match="32 bytes"):
        attestation(bytes(size), 31337, VERIFIER)


def test_signatures_come_ascending_whatever_their_order() -> None:
    """The contract reads signers strictly ascending: order and doubles are our business."""
    signers = members(5)
    signatures = [attest(DIGEST, 31337, VERIFIER, member) for member in signers]
    proof = assemble(DIGEST, 31337, VERIFIER, [*reversed(signatures), signatures[0]])
    (inside,) = decode(["bytes[]"], proof)
    message = attestation(DIGEST, 31337, VERIFIER)
    found = [int(Account.recover_message(message, signature=item), 16) for item in inside]
    assert found == sorted({int(signer.address, 16) for signer in signers})
    assert proof == committee_proof(DIGEST, 31337, VERIFIER, signers)


def test_signatures_are_low_s_and_65_bytes() -> None:
    """One encoding of signatures: r ‖ s ‖ v, low s, v 27 or 28."""
    for member in members(10):
        signature = attest(DIGEST, 31337, VERIFIER, member)
        assert len(signature) == 65
        assert int.from_bytes(signature[32:64], "big") <= SECP256K1_HALF_ORDER
        assert signature[64] in (27, 28)


@pytest.mark.parametrize(
    ("digest", "chain_id", "verifier"),
    [
        (sha256(b"another").digest(), 31337, VERIFIER),
        (DIGEST, 1, VERIFIER),
        (DIGEST, 31337, Address("0x000000000000000000000000000000000000dEaD")),
    ],
)
def test_a_signature_counts_for_one_journal_chain_and_verifier(
    digest: bytes, chain_id: int, verifier: Address
) -> None:
    """Moved to another journal, chain or contract it is somebody else's."""
    (member,) = members(1)
    signature = attest(DIGEST, 31337, VERIFIER, member)
    moved = attestation(digest, chain_id, verifier)
    assert Account.recover_message(moved, signature=signature) != member.address


@pytest.mark.parametrize("junk", [b"", b"\0" * 64, b"\xff" * 65, b"\0" * 66])
def test_junk_among_signatures_is_named(junk: bytes) -> None:
    """A file that is no signature must not become part of a proof."""
    with pytest.raises(ValueError, match="not a signature"):
        assemble(DIGEST, 31337, VERIFIER, [junk])
