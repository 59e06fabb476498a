"""
Write `tests/vectors/journal.json`: synthetic verdicts with the encoding every part must agree on.

Run it from the root: `python -m tests.verifier.build_vectors`. The expected bytes are computed here
with `eth_abi`, not with the verifier's own encoder, so the vectors judge both Python and Solidity.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from eth_abi import encode
from eth_hash.auto import keccak

__all__ = ["VECTORS", "build"]

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "journal.json"

VERDICT_TYPE = (
    "(uint16,uint8,uint8,uint64,uint64,uint64,uint64,uint32,bytes6,bytes32,bytes32,bytes32,bytes32,"
    "bytes32,bytes32[6],bytes32,bytes32[],bytes,bytes)"
)
STATUSES = {
    "UpToDate": 1,
    "SWHardeningNeeded": 2,
    "ConfigurationNeeded": 3,
    "ConfigurationAndSWHardeningNeeded": 4,
    "OutOfDate": 5,
    "OutOfDateConfigurationNeeded": 6,
    "TDRelaunchAdvised": 7,
    "TDRelaunchAdvisedConfigurationNeeded": 8,
}
TEE_TYPES = {"SGX": (1, 304), "TDX": (2, 448)}
MANY = [f"INTEL-SA-{number:05d}" for number in range(100, 132)]
CASES: list[tuple[str, str, str, list[str]]] = [
    ("an SGX verdict without advisories", "SGX", "UpToDate", []),
    ("a TDX verdict without advisories", "TDX", "UpToDate", []),
    ("an SGX verdict with two advisories", "SGX", "SWHardeningNeeded", MANY[:2]),
    ("a TDX verdict with one advisory", "TDX", "OutOfDate", MANY[:1]),
    ("a TDX verdict with many advisories", "TDX", "OutOfDateConfigurationNeeded", MANY),
    ("an SGX verdict with many advisories", "SGX", "ConfigurationAndSWHardeningNeeded", MANY),
    ("an SGX verdict that needs configuration", "SGX", "ConfigurationNeeded", MANY[3:4]),
    ("a TD advised to relaunch", "TDX", "TDRelaunchAdvised", MANY[:3]),
    ("a TD advised to relaunch elsewhere", "TDX", "TDRelaunchAdvisedConfigurationNeeded", MANY[:4]),
    ("an advisory as long as a word", "TDX", "UpToDate", ["X" * 32, "Y"]),
    ("the greatest and the least numbers", "SGX", "UpToDate", ["INTEL-SA-00001"]),
]


def _stream(seed: str, length: int) -> bytes:
    blocks = (sha256(f"{seed}/{i}".encode()).digest() for i in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def _case(name: str, tee_type: str, status: str, advisories: list[str]) -> dict[str, object]:
    code, size = TEE_TYPES[tee_type]
    extreme = name.startswith("the greatest")
    hashes = [_stream(f"{name}/hash/{i}", 32) for i in range(10)]
    measurement = _stream(f"{name}/measurement", size)
    words = [advisory.encode().ljust(32, b"\0") for advisory in advisories]
    fields: dict[str, object] = {
        "version": 1,
        "teeType": code,
        "tcbStatus": STATUSES[status],
        "verifiedAt": 253_402_300_799 if extreme else 1_750_000_000,
        "validFrom": 0 if extreme else 1_749_000_000,
        "validUntil": 253_402_300_799 if extreme else 1_752_000_000,
        "tcbDate": 0 if extreme else 1_710_288_000,
        "tcbEvaluationDataNumber": 0xFFFFFFFF if extreme else 17,
        "fmspc": b"\xff" * 6 if extreme else _stream(f"{name}/fmspc", 6),
        "quoteHash": hashes[0],
        "measurementId": keccak(bytes([code]) + measurement),
        "platformId": hashes[1],
        "attestationKeyId": hashes[2],
        "rootKeyHash": hashes[3],
        "collateralHashes": hashes[4:],
        "advisoriesHash": keccak(b"".join(words)),
        "advisories": words,
        "measurement": measurement,
        "reportData": bytes(64) if extreme else _stream(f"{name}/report data", 64),
    }
    journal = encode([VERDICT_TYPE], [tuple(fields.values())])
    return {
        "name": name,
        "teeTypeName": tee_type,
        "tcbStatusName": status,
        "advisoryIds": advisories,
        "fields": {key: _json(value) for key, value in fields.items()},
        "journal": _json(journal),
        "journalDigest": _json(sha256(journal).digest()),
    }


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value


def build() -> str:
    """Return the file's text; the same on every machine."""
    return json.dumps({"cases": [_case(*case) for case in CASES]}, indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(build(), encoding="utf-8")
