"""
Write `tests/vectors/eip712.json`: what workers and committee members sign, and the signatures.

Run it from the root: `python -m tests.contracts.build_vectors`. Digests and signatures are made by
`eth_account`, neither by the contracts nor by the packages, so the vectors judge both.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

__all__ = ["VECTORS", "build"]

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "eip712.json"

# Keys of these vectors alone; they open nothing.
WORKER_KEY = sha256(b"a worker of the EIP-712 vectors").digest()
MEMBER_KEY = sha256(b"a committee member of the EIP-712 vectors").digest()

RESULT_FIELDS = [
    ("requestId", "bytes32"),
    ("appId", "bytes32"),
    ("modelId", "bytes32"),
    ("weightsRoot", "bytes32"),
    ("inputCommitment", "bytes32"),
    ("outputHash", "bytes32"),
    ("decision", "bytes32"),
    ("round", "bytes32"),
    ("keyEpoch", "uint64"),
    ("policyVersion", "uint64"),
    ("worker", "address"),
    ("units", "uint64"),
    ("nonce", "uint256"),
    ("deadline", "uint64"),
]
MODEL_FIELDS = [("weightsRoot", "bytes32"), ("tokenizerHash", "bytes32"), ("configHash", "bytes32")]
PROFILE_FIELDS = [
    ("teeType", "uint8"),
    ("minSvn", "uint16"),
    ("mask", "bytes"),
    ("value", "bytes"),
]
MEASUREMENT_LENGTHS = {1: 304, 2: 448}
# Name, TEE type, least SVN, wildcards by offset and length, and the byte to spoil.
PROFILES = [
    ("an enclave's signer from SVN 3 on", 1, 3, [(32, 1), (48, 32), (242, 2)], 112),
    ("one enclave, in any family", 1, 0, [(288, 16)], 48),
    ("a TD on machines of any size", 2, 0, [(208, 48), (352, 48)], 256),
]
ATTESTATION_FIELDS = [("journalDigest", "bytes32")]


def _word(seed: str) -> str:
    return "0x" + sha256(seed.encode()).hexdigest()


def _address(seed: str) -> str:
    return str(Account.from_key(sha256(seed.encode()).digest()).address)


def _result(seed: str, numbers: dict[str, int]) -> dict[str, Any]:
    words = {name: _word(f"{seed}/{name}") for name, kind in RESULT_FIELDS if kind == "bytes32"}
    worker = Account.from_key(WORKER_KEY).address
    given = {**words, **numbers, "worker": worker}
    return {name: given[name] for name, _ in RESULT_FIELDS}


def _case(
    name: str, domain: dict[str, Any], kind: str, message: dict[str, Any], key: bytes
) -> dict[str, Any]:
    fields = RESULT_FIELDS if kind == "Result" else ATTESTATION_FIELDS
    types = {kind: [{"name": field, "type": type_} for field, type_ in fields]}
    signable = encode_typed_data(domain, types, message)
    signed = Account.sign_message(signable, key)
    return {
        "name": name,
        "domain": domain,
        "primaryType": kind,
        # Numbers as text: some do not fit what JSON readers agree on.
        "message": {
            field: str(value) if isinstance(value, int) else value
            for field, value in message.items()
        },
        "structHash": "0x" + signable.body.hex(),
        "digest": "0x" + keccak(b"\x19\x01" + signable.header + signable.body).hex(),
        "signer": Account.from_key(key).address,
        "signature": "0x" + bytes(signed.signature).hex(),
    }


def build() -> dict[str, Any]:
    """Return the vectors: types, then results, attestations of verdicts, and ids of models."""
    ordinary = {
        "keyEpoch": 0,
        "policyVersion": 0,
        "units": 137,
        "nonce": 1,
        "deadline": 1_750_003_600,
    }
    greatest = {
        "keyEpoch": 2**64 - 1,
        "policyVersion": 2**64 - 1,
        "units": 2**64 - 1,
        "nonce": 2**256 - 1,
        "deadline": 2**64 - 1,
    }
    least = dict.fromkeys(ordinary, 0)
    results = [
        ("an ordinary result", 31337, ordinary),
        ("the same on another chain", 1, ordinary),
        ("the greatest numbers", 31337, greatest),
        ("the least numbers", 2**40, least),
    ]
    oracle, committee = _address("oracle"), _address("committee verifier")
    cases = [
        _case(name, _domain("Quotary Result", chain, oracle), "Result", message, WORKER_KEY)
        for name, chain, numbers in results
        for message in [_result("an ordinary result" if numbers is ordinary else name, numbers)]
    ]
    for chain in (31337, 1):
        domain = _domain("Quotary Committee", chain, committee)
        message = {"journalDigest": _word("journal")}
        name = f"a verdict attested on chain {chain}"
        cases.append(_case(name, domain, "VerdictAttestation", message, MEMBER_KEY))
    return {
        "types": {
            "Model": _type("Model", MODEL_FIELDS),
            "Profile": _type("Profile", PROFILE_FIELDS),
            "Result": _type("Result", RESULT_FIELDS),
            "VerdictAttestation": _type("VerdictAttestation", ATTESTATION_FIELDS),
        },
        "cases": cases,
        "profiles": [_profile(*terms) for terms in PROFILES],
        "models": [_model(seed) for seed in ("a model", "the same of other weights")],
    }


def _profile(
    name: str, tee: int, least: int, wildcards: list[tuple[int, int]], spoilt: int
) -> dict[str, Any]:
    """A profile, a measurement that it matches, and one that it does not."""
    length = MEASUREMENT_LENGTHS[tee]
    mask = bytearray(b"\xff" * length)
    for offset, size in wildcards:
        mask[offset : offset + size] = bytes(size)
    blocks = [sha256(f"{name}/{number}".encode()).digest() for number in range(length // 32 + 1)]
    measurement = bytearray(b"".join(blocks)[:length])
    value = bytes(found & bit for found, bit in zip(measurement, mask, strict=True))
    other = bytearray(measurement)
    other[spoilt] ^= 1
    message = {"teeType": tee, "minSvn": least, "mask": bytes(mask), "value": value}
    types = {"Profile": [{"name": field, "type": type_} for field, type_ in PROFILE_FIELDS]}
    signable = encode_typed_data(_domain("", 1, _address("nobody")), types, message)
    return {
        "name": name,
        "teeType": tee,
        "minSvn": least,
        "mask": f"0x{mask.hex()}",
        "value": f"0x{value.hex()}",
        "profileId": f"0x{signable.body.hex()}",
        "matches": f"0x{measurement.hex()}",
        "measurementId": "0x" + keccak(bytes([tee]) + measurement).hex(),
        "differs": f"0x{other.hex()}",
        "differsAt": spoilt // 32 * 32,
    }


def _model(seed: str) -> dict[str, Any]:
    content = {
        "weightsRoot": _word(f"{seed}/weightsRoot"),
        "tokenizerHash": _word("a model/tokenizerHash"),
        "configHash": _word("a model/configHash"),
    }
    types = {"Model": [{"name": field, "type": type_} for field, type_ in MODEL_FIELDS]}
    signable = encode_typed_data(_domain("", 1, _address("nobody")), types, content)
    return {"name": seed, **content, "modelId": "0x" + signable.body.hex()}


def _domain(name: str, chain_id: int, contract: str) -> dict[str, Any]:
    return {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": contract}


def _type(name: str, fields: list[tuple[str, str]]) -> str:
    return f"{name}({','.join(f'{type_} {field}' for field, type_ in fields)})"


if __name__ == "__main__":
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    VECTORS.write_text(json.dumps(build(), indent=2) + "\n")
