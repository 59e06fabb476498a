"""
Many answers under one signature: the tree of answers, and the statement about its root.

Byte formats: docs/formats.md, "Batch". The signature says which weights answered which inputs for
which requests, as a result's does, for all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from quotary_enclave.keys import Address
from quotary_enclave.worker.fields import Bytes32
from quotary_enclave.worker.statements import camel_json

__all__ = ["MAX_ANSWERS", "Answered", "Batch", "leaf_of", "root_of"]

MAX_ANSWERS: Final = 1024
"""Of one batch: the model runs once for each, while the caller waits."""

_DOMAIN_TYPE: Final = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_BATCH_TYPE: Final = (
    b"Batch(bytes32 appId,bytes32 modelId,bytes32 weightsRoot,bytes32 root,uint64 count,"
    b"uint64 keyEpoch,uint64 policyVersion,address worker,uint256 nonce,uint64 deadline)"
)
_BATCH_TYPES: Final = (
    *("bytes32",) * 5,
    *("uint64", "uint64", "uint64", "address", "uint256", "uint64"),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out for one request, and the metered units it took."""

    request_id: Bytes32
    output: bytes
    units: int

    def as_json(self) -> dict[str, object]:
        """The fields under their names in Solidity."""
        return camel_json(asdict(self))


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, as the contract sees it."""

    app_id: Bytes32
    model_id: Bytes32
    weights_root: Bytes32
    root: Bytes32
    count: int
    key_epoch: int
    policy_version: int
    worker: Address
    nonce: int
    deadline: int

    def digest(self, chain_id: int, oracle: Address) -> bytes:
        """The EIP-712 digest that the worker signs for the BatchOracle at `oracle`."""
        names = (keccak(_DOMAIN_TYPE), keccak(b"Quotary Batch"), keccak(b"1"))
        domain = encode(
            ("bytes32", "bytes32", "bytes32", "uint256", "address"), (*names, chain_id, oracle)
        )
        fields = (
            *(keccak(_BATCH_TYPE), self.app_id, self.model_id, self.weights_root, self.root),
            *(self.count, self.key_epoch, self.policy_version, self.worker),
            *(self.nonce, self.deadline),
        )
        return keccak(b"\x19\x01" + keccak(domain) + keccak(encode(_BATCH_TYPES, fields)))

    def as_json(self) -> dict[str, object]:
        """The fields under their names in Solidity; `nonce` in decimal, as JSON cannot hold it."""
        return camel_json(asdict(self)) | {"nonce": str(self.nonce)}


def leaf_of(
    request_id: Bytes32, input_commitment: Bytes32, output_hash: Bytes32, units: int
) -> bytes:
    """An answer as a leaf: hashed twice, so that no inner node can pass for one."""
    fields = (request_id, input_commitment, output_hash, units)
    return keccak(keccak(encode(("bytes32", "bytes32", "bytes32", "uint256"), fields)))


def root_of(leaves: Sequence[bytes]) -> Bytes32:
    """
    The root over `leaves` in their order: pairs are hashed ascending, an odd node rises unchanged.

    Raises `ValueError` without leaves.
    """
    if not leaves:
        raise ValueError("a tree has leaves")
    level = list(leaves)
    while len(level) > 1:
        pairs = [level[place : place + 2] for place in range(0, len(level), 2)]
        level = [keccak(b"".join(sorted(pair))) if pair[1:] else pair[0] for pair in pairs]
    return Bytes32(level[0])
