"""
Committee proofs: m of n off-chain verifiers sign a journal's digest (docs/formats.md, "Committee").

A member signs what it verified itself. Nothing here verifies evidence: `attest` takes a digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from quotary_bridge.chain.accounts import Signer
from quotary_bridge.model import Address

__all__ = [
    "assemble",
    "attest",
    "attest_receipt",
    "attestation",
    "committee_proof",
    "in_order",
    "receipt_attestation",
]

_TYPES = {"VerdictAttestation": [{"name": "journalDigest", "type": "bytes32"}]}
_DIGEST_BYTES = 32


def attestation(journal_digest: bytes, chain_id: int, verifier: Address) -> SignableMessage:
    """
    Return the EIP-712 message a member signs for the CommitteeVerifier at `verifier`.

    Raises `ValueError` unless the digest is 32 bytes.
    """
    if len(journal_digest) != _DIGEST_BYTES:
        raise ValueError("a journal digest is 32 bytes")
    domain = {
        "name": "Quotary Committee",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": verifier,
    }
    return encode_typed_data(domain, _TYPES, {"journalDigest": journal_digest})


def attest(journal_digest: bytes, chain_id: int, verifier: Address, member: Signer) -> bytes:
    """Return one member's 65-byte signature; the member vouches for the journal by it."""
    return member.sign_message(attestation(journal_digest, chain_id, verifier))


def receipt_attestation(
    app_id: bytes, document_hash: bytes, chain_id: int, adapter: Address
) -> SignableMessage:
    """Return the EIP-712 message by which a member vouches for an ACI receipt's signature."""
    types = {
        "ReceiptAttestation": [
            {"name": "appId", "type": "bytes32"},
            {"name": "documentHash", "type": "bytes32"},
        ]
    }
    domain = {
        "name": "Quotary Receipt",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": adapter,
    }
    return encode_typed_data(domain, types, {"appId": app_id, "documentHash": document_hash})


def attest_receipt(
    app_id: bytes, document_hash: bytes, chain_id: int, adapter: Address, member: Signer
) -> bytes:
    """
    Return one member's signature on an ACI receipt, for the ReceiptAdapter at `adapter`.

    The member vouches that an Ed25519 key, listed under the receipt's `key_id` by the keyset that
    the receipt names, signed it. `quotary.workloads.aci` verifies that; nothing here does.
    """
    return member.sign_message(receipt_attestation(app_id, document_hash, chain_id, adapter))


def assemble(
    journal_digest: bytes, chain_id: int, verifier: Address, signatures: Iterable[bytes]
) -> bytes:
    """
    Return the proof out of members' signatures, in whatever order they came.

    The contract wants signers strictly ascending, so a member who signed twice counts once.
    Raises `ValueError` for bytes that are no signature.
    """
    return encode(
        ["bytes[]"], [in_order(attestation(journal_digest, chain_id, verifier), signatures)]
    )


def in_order(message: SignableMessage, signatures: Iterable[bytes]) -> list[bytes]:
    """Return signatures on `message` ascending by signer; raises `ValueError` as `assemble`."""
    by_signer: dict[int, bytes] = {}
    for signature in signatures:
        try:
            signer = Account.recover_message(message, signature=signature)
        except Exception as error:
            raise ValueError("not a signature") from error
        by_signer.setdefault(int(signer, 16), signature)
    return [by_signer[signer] for signer in sorted(by_signer)]


def committee_proof(
    journal_digest: bytes, chain_id: int, verifier: Address, members: Sequence[Signer]
) -> bytes:
    """Return the proof of members whose keys are all at hand, as on a development chain."""
    signatures = [attest(journal_digest, chain_id, verifier, member) for member in members]
    return assemble(journal_digest, chain_id, verifier, signatures)
