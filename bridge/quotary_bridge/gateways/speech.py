"""What both generations of gateways have in common: who signs, what is asked, what is proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from quotary.workloads import Expectations, HardwareCheck, Quoted, Statement
from quotary.workloads.live import Answer, Gateway

from quotary_bridge.gateways.folder import Answered, Challenged, Paper
from quotary_bridge.model import Address, Bytes32

__all__ = ["Demands", "Judge", "Signed", "Signer", "Speech", "Statements"]


@dataclass(frozen=True, slots=True)
class Demands:
    """
    What a user demands of a gateway before a prompt goes to it, and of its answer after.

    `check` judges quotes, at the time `at`; `host` is the name the gateway is asked by. The rest is
    what `quotary.workloads` calls by the same names.
    """

    check: HardwareCheck
    at: datetime
    host: str = ""
    expected: Expectations = field(default_factory=Expectations)
    app_compose: bytes | None = None
    kms_roots: frozenset[bytes] = frozenset()
    subject: str | None = None
    session_ids: frozenset[str] = frozenset()
    allow_unverified_upstream: bool = False
    allow_unbound_channel: bool = False


class Judge:
    """A hardware check that remembers which raw quotes it judged."""

    def __init__(self, check: HardwareCheck) -> None:
        """Judge as `check` does."""
        self._check = check
        self.quotes: dict[bytes, bytes] = {}

    def __call__(self, quote: bytes) -> Quoted:
        """Judge a quote; raises what the check raises."""
        quoted = self._check(quote)
        self.quotes[quoted.quote_hash] = quote
        return quoted


@dataclass(frozen=True, slots=True)
class Signer:
    """
    What a quote binds that a chain can hold a gateway to.

    `key` is the address that signatures recover to, None where all keys are of another curve;
    `keyset` the keyset in canonical form, None in the first generation.
    """

    quote: bytes
    quoted: Quoted
    key: Address | None
    keyset: bytes | None

    @property
    def keyset_digest(self) -> Bytes32 | None:
        """The keyset's digest, by which the chain knows it."""
        return None if self.keyset is None else Bytes32(sha256(self.keyset).digest())

    @property
    def name(self) -> str:
        """What people are told of it."""
        digest = self.keyset_digest
        return str(self.key) if digest is None else f"keyset 0x{digest.hex()}"


class Statements(Protocol):
    """What every result of a verification says about itself."""

    @property
    def proves(self) -> tuple[Statement, ...]:
        """What holds."""
        ...

    @property
    def does_not_prove(self) -> tuple[Statement, ...]:
        """What does not follow."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """
    What the chain is shown of an exchange: the hashes of both bodies, and who signed them how.

    In the first generation `key` signed the text of the hashes, and `document` is empty. Else that
    is the receipt in the form that is signed, and `key` is None; `attested` says that members of
    the committee check its signature instead of the chain.
    """

    request_hash: Bytes32
    response_hash: Bytes32
    signature: bytes
    key: Address | None = None
    document: bytes = b""
    attested: bool = False


class Speech(Protocol):
    """
    One protocol of gateways. Methods raise `FetchError` for gateways that do not answer as they
    must, `ParseError` and `VerificationError` for evidence that does not hold.
    """

    def fetch_report(self, gateway: Gateway, nonce: bytes) -> Answer:
        """Ask for the attestation report under a nonce."""
        ...

    def claimed(self, report: bytes) -> tuple[tuple[Address | None, bytes | None], ...]:
        """Return the keys and keysets a report names, unverified: what to look for on a chain."""
        ...

    def signers(self, challenged: Challenged, demands: Demands) -> tuple[Signer, ...]:
        """Return whatever may sign an answer, every one of them verified."""
        ...

    def ask(self, gateway: Gateway, request: bytes) -> Answered:
        """Send the request. The caller has verified the report."""
        ...

    def fetch_signed(
        self, gateway: Gateway, answered: Answered, report: bytes, algorithm: str | None
    ) -> Paper:
        """Return what the gateway signed about an answer, and the session it cites."""
        ...

    def verify(
        self,
        challenged: Challenged,
        answered: Answered,
        paper: Paper,
        demands: Demands,
    ) -> Statements:
        """Return what all of it proves together."""
        ...

    def sections(self, found: Statements) -> dict[str, dict[str, object]]:
        """Return what is shown of a verified exchange beside its statements, by section."""
        ...

    def signed(self, report: bytes, answered: Answered, signed: bytes) -> Signed:
        """
        Return what the chain is to be shown.

        Signature and hashes are checked against the report's keys once more; its quote is not: the
        chain holds the key by a quote that it has on record.
        """
        ...
