"""Genuine receipts, and the keys of the verifiers that they were made for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from quotary_bridge.zk.groth16 import FIELD, Groth16Key
from quotary_bridge.zk.risc_zero import Release

__all__ = ["RiscZeroVector", "Sp1Vector", "releases", "risc_zero_vectors", "sp1_vectors"]


@dataclass(frozen=True, slots=True)
class RiscZeroVector:
    """A receipt whose pairing was found to hold."""

    name: str
    release: Release
    seal: bytes
    image_id: bytes
    journal: bytes
    journal_digest: bytes
    claim_digest: bytes


@dataclass(frozen=True, slots=True)
class Sp1Vector:
    """An SP1 proof whose pairing was found to hold."""

    name: str
    selector: bytes
    verifier_hash: bytes
    key: Groth16Key
    seal: bytes
    program: bytes
    journal: bytes


@cache
def releases(shared: Path) -> dict[bytes, Release]:
    """Every release whose constants are known, by the selector it was published with."""
    found = {}
    for item in _constants(shared)["risc0"]:
        found[_raw(item["selector"])] = Release(
            item["zkvm_version"] or item["date"],
            _raw(item["control_root"]),
            _raw(item["bn254_control_id"]),
            _risc_zero_key(item["vk"]),
        )
    return found


@cache
def risc_zero_vectors(shared: Path) -> tuple[RiscZeroVector, ...]:
    """Every genuine RISC Zero receipt that came with its claim."""
    return tuple(
        RiscZeroVector(
            name,
            releases(shared)[_raw(item["selector"])],
            _raw(item["seal"]),
            _raw(item["image_id"]),
            _raw(item["journal"]),
            _raw(item["journal_digest"]),
            _raw(item["claim_digest"]),
        )
        for name, item in _items(shared, "risc0")
    )


@cache
def sp1_vectors(shared: Path) -> tuple[Sp1Vector, ...]:
    """Every genuine SP1 Groth16 proof with two public inputs: of releases before 6."""
    keys = {
        item["selector"]: item for item in _constants(shared)["sp1"] if "PUB_2_X" not in item["vk"]
    }
    return tuple(
        Sp1Vector(
            name,
            _raw(item["selector"]),
            _raw(item["verifier_hash"]),
            _sp1_key(keys[item["selector"]]["vk"]),
            _raw(item["seal"]),
            _raw(item["program_vkey"]),
            _raw(item["journal"]),
        )
        for name, item in _items(shared, "sp1")
        if item["selector"] in keys
    )


def _items(shared: Path, zkvm: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted((shared / "vectors" / "zk").rglob(f"*-{zkvm}-*.json")):
        item = json.loads(path.read_text())
        if item["verified"]:
            found.append((path.stem, item))
    return found


@cache
def _constants(shared: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (shared / "vectors" / "zk" / "verifier-constants.json").read_text()
    )
    return document


def _risc_zero_key(vk: dict[str, str]) -> Groth16Key:
    def g2(name: str) -> tuple[int, int, int, int]:
        x1, x2, y1, y2 = (int(vk[f"{name}{part}"]) for part in ("x1", "x2", "y1", "y2"))
        return x1, x2, y1, y2

    return Groth16Key(
        alpha=(int(vk["alphax"]), int(vk["alphay"])),
        beta=g2("beta"),
        gamma=g2("gamma"),
        delta=g2("delta"),
        ic=tuple((int(vk[f"IC{i}x"]), int(vk[f"IC{i}y"])) for i in range(6)),
    )


def _sp1_key(vk: dict[str, str]) -> Groth16Key:
    """SP1 publishes beta, gamma and delta negated, real parts first."""

    def g2(name: str) -> tuple[int, int, int, int]:
        x0, x1, y0, y1 = (int(vk[f"{name}_NEG_{part}"]) for part in ("X_0", "X_1", "Y_0", "Y_1"))
        return x1, x0, FIELD - y1, FIELD - y0

    return Groth16Key(
        alpha=(int(vk["ALPHA_X"]), int(vk["ALPHA_Y"])),
        beta=g2("BETA"),
        gamma=g2("GAMMA"),
        delta=g2("DELTA"),
        ic=tuple(
            (int(vk[f"{name}_X"]), int(vk[f"{name}_Y"])) for name in ("CONSTANT", "PUB_0", "PUB_1")
        ),
    )


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
