"""
The statements a contract checks: the binding in a quote's report data, and the signed result.

Byte formats: docs/formats.md, "Report data", "Models" and "Result".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Self

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from quotary_enclave.keys import Address, WorkerKeys
from quotary_enclave.model import Model
from quotary_enclave.worker.fields import Bytes32

__all__ = [
    "BINDING_VERSION",
    "Result",
    "ResultDomain",
    "SignedResult",
    "WorkerBinding",
    "camel_json",
    "model_id_of",
]

BINDING_VERSION: Final = 1

_BINDING_TYPES: Final = (
    "uint16",
    "uint256",
    "address",
    "bytes32",
    "address",
    "bytes32",
    "uint64",
    "bytes32",
)

_DOMAIN_TYPE: Final = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

_RESULT_TYPE: Final = (
    b"Result(bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,"
    b"bytes32 inputCommitment,bytes32 outputHash,bytes32 decision,bytes32 round,"
    b"uint64 keyEpoch,uint64 policyVersion,"
    b"address worker,uint64 units,uint256 nonce,uint64 deadline)"
)

_MODEL_TYPE: Final = b"Model(bytes32 weightsRoot,bytes32 tokenizerHash,bytes32 configHash)"

_RESULT_TYPES: Final = ("bytes32",) * 9 + (
    "uint64",
    "uint64",
    "address",
    "uint64",
    "uint256",
    "uint64",
)


@dataclass(frozen=True, slots=True)
class WorkerBinding:
    """What ties a worker's key to one registry on one chain, one app, one operator, one moment."""

    chain_id: int
    registry: Address
    app_id: Bytes32
    operator: Address
    encryption_key: Bytes32
    challenge_block: int
    challenge: Bytes32
    version: int = BINDING_VERSION

    def encode(self) -> bytes:
        """`abi.encode(WorkerBinding)`."""
        return encode(
            _BINDING_TYPES,
            (
                self.version,
                self.chain_id,
                self.registry,
                self.app_id,
                self.operator,
                self.encryption_key,
                self.challenge_block,
                self.challenge,
            ),
        )

    def digest(self) -> bytes:
        """`keccak256(abi.encode(WorkerBinding))`."""
        return keccak(self.encode())

    def report_data(self, worker: Address) -> bytes:
        """The 64 bytes a quote for `worker` carries (layout "extended")."""
        return bytes.fromhex(worker[2:]) + self.digest() + bytes(12)

    def as_json(self) -> dict[str, object]:
        """The fields under their names in Solidity."""
        return camel_json(asdict(self))


@dataclass(frozen=True, slots=True)
class ResultDomain:
    """The chain and the oracle a result is meant for."""

    chain_id: int
    oracle: Address

    def separator(self) -> bytes:
        """The EIP-712 domain separator."""
        return keccak(
            encode(
                ("bytes32", "bytes32", "bytes32", "uint256", "address"),
                (
                    keccak(_DOMAIN_TYPE),
                    keccak(b"Quotary Result"),
                    keccak(b"1"),
                    self.chain_id,
                    self.oracle,
                ),
            )
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One result, as the contract sees it."""

    request_id: Bytes32
    app_id: Bytes32
    model_id: Bytes32
    weights_root: Bytes32
    input_commitment: Bytes32
    output_hash: Bytes32
    decision: Bytes32
    round: Bytes32
    key_epoch: int
    policy_version: int
    worker: Address
    units: int
    nonce: int
    deadline: int

    def digest(self, domain: ResultDomain) -> bytes:
        """The EIP-712 digest that the worker signs."""
        fields = (
            keccak(_RESULT_TYPE),
            self.request_id,
            self.app_id,
            self.model_id,
            self.weights_root,
            self.input_commitment,
            self.output_hash,
            self.decision,
            self.round,
            self.key_epoch,
            self.policy_version,
            self.worker,
            self.units,
            self.nonce,
            self.deadline,
        )
        return keccak(b"\x19\x01" + domain.separator() + keccak(encode(_RESULT_TYPES, fields)))

    def as_json(self) -> dict[str, object]:
        """The fields under their names in Solidity; `nonce` in decimal, as JSON cannot hold it."""
        return camel_json(asdict(self)) | {"nonce": str(self.nonce)}


@dataclass(frozen=True, slots=True)
class SignedResult:
    """A result, what it says, and the worker's signature over it."""

    domain: ResultDomain
    result: Result
    output: bytes
    signature: bytes

    @classmethod
    def sign(cls, domain: ResultDomain, result: Result, output: bytes, keys: WorkerKeys) -> Self:
        """Sign `result` with the worker's key."""
        return cls(domain, result, output, keys.result.sign_digest(result.digest(domain)))

    def as_json(self) -> dict[str, object]:
        """Output, result and signature, for a relayer to hand to the oracle."""
        return {
            "output": "0x" + self.output.hex(),
            "result": self.result.as_json(),
            "signature": "0x" + self.signature.hex(),
            "digest": "0x" + self.result.digest(self.domain).hex(),
            "chainId": self.domain.chain_id,
            "oracle": self.domain.oracle,
        }


def model_id_of(model: Model) -> Bytes32:
    """Return the id of a model: of all that decides what it answers, as it was measured."""
    content = (model.weights_root, model.tokenizer_hash, model.config_hash)
    return Bytes32(keccak(encode(("bytes32",) * 4, (keccak(_MODEL_TYPE), *content))))


def camel_json(fields: dict[str, object]) -> dict[str, object]:
    """`fields` under their names in Solidity, bytes in hex."""
    return {
        _camel(name): "0x" + value.hex() if isinstance(value, bytes) else value
        for name, value in fields.items()
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
