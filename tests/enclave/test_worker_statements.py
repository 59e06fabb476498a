"""What contracts check is encoded as independent code encodes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from quotary_enclave.keys import Address
from quotary_enclave.worker.fields import Bytes32
from quotary_enclave.worker.statements import Result, ResultDomain, WorkerBinding

DOMAIN = ResultDomain(31337, Address("0x" + "11" * 20))
RESULT = Result(
    request_id=Bytes32(b"\x01" * 32),
    app_id=Bytes32(b"\x02" * 32),
    model_id=Bytes32(b"\x03" * 32),
    weights_root=Bytes32(b"\x04" * 32),
    input_commitment=Bytes32(b"\x05" * 32),
    output_hash=Bytes32(b"\x06" * 32),
    decision=Bytes32(b"\x0a" * 32),
    round=Bytes32(b"\x0b" * 32),
    key_epoch=7,
    policy_version=8,
    worker=Address("0x" + "22" * 20),
    units=9,
    nonce=2**256 - 10,
    deadline=11,
)
BINDING = WorkerBinding(
    chain_id=31337,
    registry=Address("0x" + "33" * 20),
    app_id=Bytes32(b"\x44" * 32),
    operator=Address("0x" + "55" * 20),
    encryption_key=Bytes32(b"\x66" * 32),
    challenge_block=77,
    challenge=Bytes32(b"\x88" * 32),
)


def typed_data(result: Result, domain: ResultDomain) -> bytes:
    """The digest as eth-account computes it from the type that docs/formats.md gives."""
    fields = (
        "bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,"
        "bytes32 inputCommitment,bytes32 outputHash,bytes32 decision,bytes32 round,"
        "uint64 keyEpoch,uint64 policyVersion,"
        "address worker,uint64 units,uint256 nonce,uint64 deadline"
    )
    entries = [field.split(" ") for field in fields.split(",")]
    message = encode_typed_data(
        domain_data={
            "name": "Quotary Result",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.oracle,
        },
        message_types={"Result": [{"name": name, "type": kind} for kind, name in entries]},
        message_data=result.as_json() | {"nonce": result.nonce},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


def test_a_result_has_the_digest_of_its_typed_data() -> None:
    """EIP-712, computed twice."""
    assert RESULT.digest(DOMAIN) == typed_data(RESULT, DOMAIN)


@pytest.mark.parametrize("name", Result.__slots__)
def test_every_field_is_under_the_signature(name: str) -> None:
    """No field can be changed after signing."""
    value = getattr(RESULT, name)
    other = (
        value + (-1 if name == "nonce" else 1)
        if isinstance(value, int)
        else "0x" + "99" * 20
        if isinstance(value, str)
        else b"\x99" * 32
    )
    assert replace(RESULT, **{name: other}).digest(DOMAIN) != RESULT.digest(DOMAIN)


def test_a_result_is_worth_nothing_elsewhere() -> None:
    """Another chain or another oracle gives another digest."""
    digests = {
        RESULT.digest(DOMAIN),
        RESULT.digest(ResultDomain(31338, DOMAIN.oracle)),
        RESULT.digest(ResultDomain(31337, RESULT.worker)),
    }
    assert len(digests) == 3


def test_a_binding_is_encoded_as_solidity_encodes_the_struct() -> None:
    """A static struct is its fields, word by word, and report data places its hash."""
    struct = "(uint16,uint256,address,bytes32,address,bytes32,uint64,bytes32)"
    values = (
        *(1, 31337, BINDING.registry, BINDING.app_id),
        *(BINDING.operator, BINDING.encryption_key, 77, BINDING.challenge),
    )
    assert BINDING.encode() == encode([struct], [values])
    data = BINDING.report_data(RESULT.worker)
    assert data == b"\x22" * 20 + keccak(BINDING.encode()) + bytes(12)
    assert len(data) == 64
