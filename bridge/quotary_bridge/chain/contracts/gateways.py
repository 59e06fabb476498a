"""What services sign that know nothing of the registry: their keys, exchanges and receipts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, address_of
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.chain.reverts import error_name
from quotary_bridge.model import Address, Bytes32

__all__ = [
    "Bond",
    "ExchangeRecord",
    "GatewayAdapter",
    "GatewayKeys",
    "ReceiptAdapter",
    "ReceiptRecord",
]


@dataclass(frozen=True, slots=True)
class Bond:
    """What a key rests on; all zero where it was not enrolled. Times are Unix seconds."""

    quote_hash: Bytes32
    keyset_digest: Bytes32
    kind: ProofKind
    not_after: int


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """An exchange by a gateway's signature, as it was recorded; the time is in Unix seconds."""

    gateway: Address
    kind: ProofKind
    recorded_at: int


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """An exchange by its receipt, as it was recorded; times are Unix seconds."""

    keyset_digest: Bytes32
    document_hash: Bytes32
    key: Address
    kind: ProofKind
    served_at: int
    recorded_at: int


class GatewayKeys(Contract):
    """Keys of gateways, by notarized quotes in the gateways' own formats."""

    abi_name: ClassVar[str] = "GatewayKeys"

    def enrol(
        self, app_id: Bytes32, kind: ProofKind, journal: bytes, challenge_block: int
    ) -> bytes:
        """Return call data that enrols a first-generation gateway's key; anybody may send it."""
        return self.encode("enrol", app_id, kind, journal, challenge_block)

    def enrol_keyset(
        self, app_id: Bytes32, kind: ProofKind, journal: bytes, challenge_block: int, keyset: bytes
    ) -> bytes:
        """Return call data that enrols an ACI keyset, in canonical form; anybody may send it."""
        return self.encode("enrolKeyset", app_id, kind, journal, challenge_block, keyset)

    def challenge(self, block: int, at: BlockTag = "latest") -> Bytes32:
        """Return the nonce to ask a service with; raises `ContractError` for an old block."""
        return Bytes32(self.read("challenge", block, at=at))

    def check_active(
        self, app_id: Bytes32, key: Address, at: BlockTag = "latest"
    ) -> tuple[bool, str, int]:
        """Whether a key counts for an app, else why not, and the last second it does."""
        ok, reason, until = self.read("checkActive", key, app_id, at=at)
        return bool(ok), "" if ok else error_name(reason), int(until)

    def bond_of(self, app_id: Bytes32, key: Address, at: BlockTag = "latest") -> Bond:
        """Return what a key rests on."""
        found = self.read("bondOf", app_id, key, at=at)
        return Bond(
            quote_hash=found["quoteHash"],
            keyset_digest=found["keysetDigest"],
            kind=ProofKind(found["kind"]),
            not_after=found["notAfter"],
        )

    def require_keyset(
        self, app_id: Bytes32, keyset_digest: Bytes32, at: BlockTag = "latest"
    ) -> ProofKind:
        """Return the proof a keyset rests on; raises `ContractError` where it does not count."""
        return ProofKind(self.read("requireKeyset", app_id, keyset_digest, at=at))

    def notary(self) -> Address:
        """Return where the quotes are on record."""
        return address_of(self.read("NOTARY"))


class GatewayAdapter(Contract):
    """Records exchanges by what first-generation gateways sign."""

    abi_name: ClassVar[str] = "GatewayAdapter"

    def record(
        self,
        app_id: Bytes32,
        request_hash: Bytes32,
        response_hash: Bytes32,
        gateway: Address,
        signature: bytes,
    ) -> bytes:
        """Return call data; the hashes are sha256 of the bodies, byte for byte."""
        return self.encode("record", app_id, request_hash, response_hash, gateway, signature)

    def exchange_of(
        self,
        app_id: Bytes32,
        request_hash: Bytes32,
        response_hash: Bytes32,
        at: BlockTag = "latest",
    ) -> ExchangeRecord:
        """Return the record of an exchange; raises `ContractError` where there is none."""
        found = self.read("exchangeOf", app_id, request_hash, response_hash, at=at)
        return ExchangeRecord(
            gateway=address_of(found["gateway"]),
            kind=ProofKind(found["kind"]),
            recorded_at=found["recordedAt"],
        )


class ReceiptAdapter(Contract):
    """Records exchanges by ACI receipts."""

    abi_name: ClassVar[str] = "ReceiptAdapter"

    def record(self, app_id: Bytes32, receipt: bytes, signature: bytes) -> bytes:
        """Return call data; `receipt` is what was signed: canonical, without its signature."""
        return self.encode("record", app_id, receipt, signature)

    def record_attested(
        self, app_id: Bytes32, receipt: bytes, signatures: Sequence[bytes]
    ) -> bytes:
        """Return call data for a receipt with an Ed25519 signature that the committee checked."""
        return self.encode("recordAttested", app_id, receipt, list(signatures))

    def receipt_of(
        self,
        app_id: Bytes32,
        request_hash: Bytes32,
        response_hash: Bytes32,
        at: BlockTag = "latest",
    ) -> ReceiptRecord:
        """Return the record of an exchange; raises `ContractError` where there is none."""
        found = self.read("receiptOf", app_id, request_hash, response_hash, at=at)
        return ReceiptRecord(
            keyset_digest=found["keysetDigest"],
            document_hash=found["documentHash"],
            key=address_of(found["key"]),
            kind=ProofKind(found["kind"]),
            served_at=found["servedAt"],
            recorded_at=found["recordedAt"],
        )
