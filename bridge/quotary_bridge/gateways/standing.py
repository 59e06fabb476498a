"""What the chain holds of a gateway: its keys, the records of its quotes, and its exchanges."""

from __future__ import annotations

from dataclasses import dataclass

from quotary_bridge.chain.contracts import (
    GatewayAdapter,
    GatewayKeys,
    ProofKind,
    QuoteNotary,
    ReceiptAdapter,
)
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.port import Chain
from quotary_bridge.errors import ContractError
from quotary_bridge.gateways.folder import Protocol
from quotary_bridge.gateways.speech import Signed
from quotary_bridge.model import Address, Bytes32

__all__ = ["Desk", "Recorded", "Standing"]

# The newest block may still be replaced; the one before has a hash that calls can already see.
CHALLENGE_DEPTH = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a key or keyset counts, else why not; `until` is its last second, where known."""

    counts: bool
    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange that is on record; `key` is whose signature the chain checked, where it did."""

    key: Address | None
    keyset_digest: Bytes32 | None
    document_hash: Bytes32 | None
    kind: ProofKind
    served_at: int | None
    recorded_at: int


class Desk:
    """The contracts that gateways' words are brought to."""

    def __init__(self, chain: Chain, record: Deployment) -> None:
        """Find them in the deployment's record; raises `ConfigurationError`."""
        self.chain = chain
        self.keys = GatewayKeys(chain, record.address("GatewayKeys"))
        self.notary = QuoteNotary(chain, record.address("QuoteNotary"))
        self.exchanges = GatewayAdapter(chain, record.address("GatewayAdapter"))
        self.receipts = ReceiptAdapter(chain, record.address("ReceiptAdapter"))

    def fresh_challenge(self) -> tuple[int, Bytes32]:
        """Return a recent block, and the nonce that asks for a report with its challenge."""
        block = max(0, self.chain.head().number - CHALLENGE_DEPTH)
        return block, self.keys.challenge(block)

    def still_challenges(self, block: int, nonce: Bytes32) -> bool:
        """Whether the chain still knows the block's challenge, and it is this one."""
        try:
            return self.keys.challenge(block) == nonce
        except ContractError:
            return False

    def standing(
        self, app_id: Bytes32, key: Address | None, keyset_digest: Bytes32 | None
    ) -> Standing:
        """Return whether what signs counts for the app: the keyset, and the key for that keyset."""
        try:
            if keyset_digest is not None:
                self.keys.require_keyset(app_id, keyset_digest)
        except ContractError as error:
            return Standing(counts=False, reason=error.name, until=None)
        if key is None:
            return Standing(counts=True, reason="", until=None)
        counts, reason, until = self.keys.check_active(app_id, key)
        # A service may enrol one key under keyset after keyset: receipts count for the last.
        if counts and keyset_digest is not None:
            counts = self.keys.bond_of(app_id, key).keyset_digest == keyset_digest
            reason = "" if counts else "WrongKeyset"
        return Standing(counts, reason, until if counts else None)

    def recorded(self, protocol: Protocol, app_id: Bytes32, signed: Signed) -> Recorded | None:
        """Return the record of an exchange; None where there is none."""
        hashes = (app_id, signed.request_hash, signed.response_hash)
        try:
            if protocol is Protocol.CHAT:
                exchange = self.exchanges.exchange_of(*hashes)
                return Recorded(
                    *(exchange.gateway, None, None, exchange.kind, None, exchange.recorded_at)
                )
            receipt = self.receipts.receipt_of(*hashes)
        except ContractError as error:
            if error.name in ("NotRecorded", "ReceiptUnknown"):
                return None
            raise
        return Recorded(
            key=receipt.key if int(receipt.key, 16) else None,
            keyset_digest=receipt.keyset_digest,
            document_hash=receipt.document_hash,
            kind=receipt.kind,
            served_at=receipt.served_at,
            recorded_at=receipt.recorded_at,
        )
