"""What the worker remembers of served requests: bounded, and forgetting the oldest first."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from quotary_enclave.worker.aci import Exchange
from quotary_enclave.worker.errors import RefusalError, WorkerReason

__all__ = ["Ledger", "Served"]


@dataclass(frozen=True, slots=True)
class Served:
    """One served request: hashes only, never a body."""

    exchange: Exchange
    text: str
    credential: bytes | None

    @classmethod
    def record(cls, exchange: Exchange, text: str, credential: str | None) -> Served:
        """Remember the digest of the caller's credential, not the credential."""
        return cls(exchange, text, sha256(credential.encode()).digest() if credential else None)

    def authorise(self, credential: str | None) -> None:
        """
        Admit the credential that made the request (ACI section 7.6).

        Raises `RefusalError`: `CREDENTIAL_MISSING` without one, `NOT_FOUND` with a wrong one.
        """
        if self.credential is None:
            return
        if not credential:
            raise RefusalError(
                WorkerReason.CREDENTIAL_MISSING, "this receipt needs the request's API key", 401
            )
        if not hmac.compare_digest(self.credential, sha256(credential.encode()).digest()):
            raise _unknown()


def _unknown() -> RefusalError:
    # One refusal for both cases, word for word: a wrong key must not reveal that a receipt exists.
    return RefusalError(WorkerReason.NOT_FOUND, "no such receipt, or no longer kept", 404)


class Ledger:
    """The last `capacity` served requests, found by receipt id or chat id. Safe across threads."""

    def __init__(self, capacity: int) -> None:
        """Remember at most `capacity` requests."""
        self._capacity = capacity
        self._served: OrderedDict[str, Served] = OrderedDict()
        self._receipt_of_chat: dict[str, str] = {}
        self._lock = Lock()

    def add(self, served: Served) -> None:
        """Remember `served`, forgetting the oldest when full."""
        exchange = served.exchange
        with self._lock:
            self._served[exchange.receipt_id] = served
            if exchange.chat_id is not None:
                self._receipt_of_chat[exchange.chat_id] = exchange.receipt_id
            while len(self._served) > self._capacity:
                _, oldest = self._served.popitem(last=False)
                self._receipt_of_chat.pop(oldest.exchange.chat_id or "", None)

    def find(self, identifier: str) -> Served:
        """The request with this receipt id or chat id. Raises `RefusalError(NOT_FOUND)`."""
        with self._lock:
            served = self._served.get(self._receipt_of_chat.get(identifier, identifier))
        if served is None:
            raise _unknown()
        return served

    def __len__(self) -> int:
        """How many requests are remembered."""
        with self._lock:
            return len(self._served)
