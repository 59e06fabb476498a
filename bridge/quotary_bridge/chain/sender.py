"""
Sending one transaction and waiting for it, as a person at a prompt does.

The relayer does not use this: it writes every transaction down before it sends it, and so survives
its own death. Here the person is the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from quotary_bridge.chain.accounts import Signer
from quotary_bridge.chain.port import Chain, TransactionRequest
from quotary_bridge.chain.records import Receipt
from quotary_bridge.errors import (
    BlockNotFound,
    ContractError,
    InsufficientFunds,
    NotFinal,
    Reason,
    TransactionRefused,
)
from quotary_bridge.model import Address

__all__ = ["GAS_LIMIT", "Sender", "SignedTransaction"]

GAS_LIMIT = 2**24
"""The most gas one transaction may use (EIP-7825)."""

# An estimate is exact for the state it was made on, and the state may move before mining.
GAS_MARGIN_PERCENT = 25

FIRST_POLL_SECONDS = 0.01
"""A local chain mines at once, and reports it a moment later."""

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to broadcast."""

    raw: bytes
    hash: bytes
    nonce: int


class Sender:
    """One account on one chain; one transaction at a time."""

    def __init__(
        self, chain: Chain, signer: Signer, *, timeout_seconds: float, confirmations: int = 1
    ) -> None:
        """Wait up to `timeout_seconds` until `confirmations` blocks hold a transaction."""
        self._chain = chain
        self._signer = signer
        self._timeout = timeout_seconds
        self._confirmations = confirmations
        self._note: Callable[[SignedTransaction], None] | None = None

    def noting(self, note: Callable[[SignedTransaction], None]) -> Sender:
        """Return a sender that shows `note` each transaction before it is broadcast."""
        twin = Sender(
            self._chain,
            self._signer,
            timeout_seconds=self._timeout,
            confirmations=self._confirmations,
        )
        twin._note = note
        return twin

    @property
    def chain(self) -> Chain:
        """The chain sent to."""
        return self._chain

    @property
    def address(self) -> Address:
        """The account sent from."""
        return self._signer.address

    def request(self, to: Address | None, data: bytes, value: int = 0) -> TransactionRequest:
        """Return an unsigned transaction of this account."""
        return TransactionRequest(self.address, to, data, value)

    def send(self, request: TransactionRequest) -> Receipt:
        """
        Simulate, sign, broadcast and wait.

        Raises `ContractError` before anything is paid where the simulation reverts, and after the
        fact where the transaction does; `NotFinal` where it is not mined in time: it may be still.
        """
        signed = self.sign(request)
        if self._note is not None:
            self._note(signed)
        self._chain.send_raw(signed.raw)
        return self.wait(signed.hash, request)

    def sign(self, request: TransactionRequest, nonce: int | None = None) -> SignedTransaction:
        """Simulate and sign, without sending; `nonce` defaults to the next free one."""
        needed = self._chain.simulate(request)
        if needed > GAS_LIMIT:
            raise TransactionRefused(
                Reason.TRANSACTION_REFUSED,
                f"the transaction needs {needed} gas, and {GAS_LIMIT} is the most one may use",
            )
        gas = min(GAS_LIMIT, needed * (100 + GAS_MARGIN_PERCENT) // 100)
        fees = self._chain.fees()
        self._require_funds(gas * fees.max_fee + request.value)
        used = self._chain.nonce(self.address, "pending") if nonce is None else nonce
        raw = self._signer.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": used,
                "to": request.to or "",
                "data": request.data,
                "value": request.value,
                "gas": gas,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.max_priority_fee,
            }
        )
        return SignedTransaction(raw, bytes(self._chain.web3.keccak(raw)), used)

    def wait(self, transaction_hash: bytes, request: TransactionRequest) -> Receipt:
        """Wait for a broadcast transaction; raises as `send` does."""
        deadline = time.monotonic() + self._timeout
        receipt, pause = None, FIRST_POLL_SECONDS
        while True:
            receipt = self._chain.receipt(transaction_hash)
            if receipt is not None and self._deep_enough(receipt):
                break
            if time.monotonic() >= deadline:
                raise self._too_late(transaction_hash, receipt)
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)
        if not receipt.succeeded:
            raise self._why(request, receipt)
        return receipt

    def _require_funds(self, cost: int) -> None:
        # Asked here because nodes disagree: some estimate gas for an account without any money.
        balance = self._chain.balance(self.address)
        if balance < cost:
            raise InsufficientFunds(
                Reason.INSUFFICIENT_FUNDS,
                f"{self.address} has {balance} wei and the transaction may cost {cost}",
                "send some of the chain's coin to the account and repeat",
            )

    def _deep_enough(self, receipt: Receipt) -> bool:
        if self._confirmations == 1:
            return True
        return self._chain.head().number - receipt.block_number + 1 >= self._confirmations

    def _too_late(self, transaction_hash: bytes, receipt: Receipt | None) -> NotFinal:
        what = f"transaction 0x{transaction_hash.hex()}"
        if receipt is None:
            return NotFinal(
                Reason.NOT_MINED_IN_TIME,
                f"{what} is not mined after {self._timeout:g} s; it may be still",
                "look for its receipt before you send again, or give a longer --timeout",
            )
        return NotFinal(
            Reason.NOT_FINAL_IN_TIME,
            f"{what} is in block {receipt.block_number}, "
            f"not yet {self._confirmations} deep after {self._timeout:g} s",
            "look again later, or give a longer --timeout",
        )

    def _why(self, request: TransactionRequest, receipt: Receipt) -> ContractError:
        # Replayed on the state before its block: near enough to name the error, nearly always.
        try:
            self._chain.call(request, receipt.block_number - 1)
        except ContractError as error:
            return error
        except BlockNotFound:
            pass
        return ContractError(
            "Reverted",
            {"transaction": receipt.transaction_hash, "gasUsed": receipt.gas_used},
            b"",
            "it reverted when mined but not when replayed: the state had changed, or gas ran out",
        )
