"""What an explanation knows: an appraisal that goes on with whatever could be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from quotary.collateral import QeIdentity, RawCollateral, TcbInfo
from quotary.policy import Policy
from quotary.quote import Quote
from quotary.tcb import IsvLevel, Outcome, TcbLevel
from quotary.trust import Collateral, TrustRoot
from quotary.verify._appraisal import Appraisal
from quotary.x509 import Certificate, RevocationList

__all__ = ["Detail", "Facts", "MissingFactError", "Need", "Shortfall"]

T = TypeVar("T")

_WORDS: Final = {
    "quote": "a quote that parses",
    "signed": "a quote that parses",
    "quote_hash": "a quote that parses",
    "td_report": "a quote that parses",
    "qe_isv_svn": "a quote that parses",
    "signer": "an attestation key on the curve",
    "raw": "collateral that can be read",
    "collateral": "all parts of the collateral",
    "tcb_info": "TCB info that parses",
    "qe_identity": "a QE identity that parses",
    "platform": "the platform's PCK certificate",
    "attestation_key_id": "an attestation key the quoting enclave vouches for",
    "outcome": "levels that all parts reach",
}


class MissingFactError(Exception):
    """A check needs something that could not be read; it is skipped."""

    def __init__(self, name: str) -> None:
        """Name the fact, in words where there are some."""
        super().__init__(_WORDS.get(name, name))


class Facts(Appraisal):
    """
    An appraisal in which nothing needs to be proven for the next check to be tried.

    Reading what is not known raises `MissingFactError`. Warning: a fact is what a document says,
    whether or not the document was found to be genuine.
    """

    __slots__ = (
        "_parts",
        "given_collateral",
        "given_quote",
        "qe_identity",
        "raw",
        "root",
        "tcb_info",
    )

    given_quote: bytes | Quote
    given_collateral: bytes | str | RawCollateral | Collateral
    root: TrustRoot
    raw: RawCollateral
    tcb_info: TcbInfo
    qe_identity: QeIdentity

    def __init__(  # the base class begins with facts that are looked for here
        self,
        quote: bytes | Quote,
        collateral: bytes | str | RawCollateral | Collateral,
        policy: Policy | None,
        root: TrustRoot,
        at: int,
    ) -> None:
        """Begin with what was given and nothing read."""
        self.given_quote = quote
        self.given_collateral = collateral
        self.policy = policy
        self.root = root
        self.at = at
        self._parts: dict[tuple[type[object], str], object] = {}

    def __getattr__(self, name: str) -> object:
        """Raise `MissingFactError`: only what is not known is looked up this way."""
        raise MissingFactError(name)

    def keep(self, item: str, value: object) -> None:
        """Remember a part under its type and the name errors know it by."""
        self._parts[type(value), item] = value

    def certificate(self, item: str) -> Certificate:
        """Return the certificate of this name."""
        return self._part(Certificate, item)

    def revocation_list(self, item: str) -> RevocationList:
        """Return the revocation list of this name."""
        return self._part(RevocationList, item)

    def level(self, item: str) -> TcbLevel:
        """Return the platform level of this name."""
        return self._part(TcbLevel, item)

    def isv_level(self, item: str) -> IsvLevel:
        """Return the level of an enclave or module of this name."""
        return self._part(IsvLevel, item)

    def converged(self, item: str) -> Outcome:
        """Return the outcome of this name."""
        return self._part(Outcome, item)

    def octets(self, item: str) -> bytes:
        """Return the bytes of this name."""
        return self._part(bytes, item)

    def _part(self, kind: type[T], item: str) -> T:
        value = self._parts.get((kind, item))
        if not isinstance(value, kind):
            raise MissingFactError(item)
        return value


@dataclass(frozen=True, slots=True)
class Need:
    """One version that falls short: what it is of, what it is, and what it would have to be."""

    component: str
    has: int
    needs: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is lacking for one status: the nearest level of that status. `date` is Unix seconds."""

    status: str
    date: int
    needs: tuple[Need, ...]


def _always(_: Facts) -> str | None:
    return None


def _none(_: Facts) -> tuple[Shortfall, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Detail:
    """
    One check finer than the step it belongs to; it returns what it found.

    `inapplicable` says why the check has nothing to look at, or None; `shortfalls` what is lacking.
    """

    title: str
    check: Callable[[Facts], str | None]
    rows: tuple[int, ...] = ()
    inapplicable: Callable[[Facts], str | None] = _always
    shortfalls: Callable[[Facts], tuple[Shortfall, ...]] = _none
