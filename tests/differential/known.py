"""
Where the two judges may differ, and why: every other difference is a finding.

`spec` names the clause of the specification a difference rests on: a row of its check matrix ("#6")
or a section ("7.3"), where what the peer does was measured before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.x509 import InvalidVersion

from tests.differential.facts import Facts
from tests.differential.judges import Accepted, Case, Outcome, Refused, ours
from tests.differential.known_laxities import LAXITIES
from tests.differential.normal_form import normal_form

__all__ = ["KNOWN", "Known", "explain"]


_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, InvalidVersion)
"""What plain reading of broken evidence raises: a fact that cannot be read explains nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """
    One justified difference.

    It covers a case when the peer's message (or our reason) begins as given and the facts about the
    evidence, read independently, are the ones the justification speaks of.
    """

    name: str
    why: str
    spec: str
    covers: Callable[[Facts, Outcome, Outcome], bool]


def explain(case: Case, our: Outcome, their: Outcome) -> str | None:
    """The name of the first known difference that covers the case, None for a finding."""
    if name := _covering(case, our, their):
        return name
    if not (isinstance(our, Refused) and isinstance(their, Accepted)):
        return None
    normal = normal_form(case)
    our = ours(normal)
    if our == their:
        return "what the peer does not read"
    name = _covering(normal, our, their)
    return name and f"{name}, behind what the peer does not read"


def _covering(case: Case, our: Outcome, their: Outcome) -> str | None:
    facts = Facts(case)
    for known in KNOWN:
        try:
            if known.covers(facts, our, their):
                return known.name
        except _UNREADABLE:
            continue
    return None


def _narrower(message: str, fact: Callable[[Facts], bool]) -> Callable[..., bool]:
    """We accept; the peer refuses with `message`, and `fact` holds."""

    def covers(facts: Facts, our: Outcome, their: Outcome) -> bool:
        return (
            isinstance(our, Accepted)
            and isinstance(their, Refused)
            and message in their.reason
            and fact(facts)
        )

    return covers


def _stricter(reason: str, fact: Callable[[Facts], bool]) -> Callable[..., bool]:
    """We refuse for `reason`, and `fact` holds; the peer accepts."""

    def covers(facts: Facts, our: Outcome, their: Outcome) -> bool:
        return (
            isinstance(our, Refused)
            and our.reason == reason
            and isinstance(their, Accepted)
            and fact(facts)
        )

    return covers


def _judged_otherwise(fact: Callable[[Facts], bool]) -> Callable[..., bool]:
    """Levels are read from another place or in another order: status and advisories follow."""
    level_reasons = ("TCB_NO_MATCH", "TCB_REVOKED", "QE_TCB_NO_MATCH", "TDX_MODULE_TCB_NO_MATCH")
    level_messages = ("No matching", "status is invalid: Revoked", "No TCB level matched")

    def covers(facts: Facts, our: Outcome, their: Outcome) -> bool:
        match our, their:
            case Accepted(), Accepted():
                differing = {n for n, value in our.claims.items() if value != their.claims[n]}
                return differing <= {"status", "advisories"} and fact(facts)
            case Accepted(), Refused():
                return any(text in their.reason for text in level_messages) and fact(facts)
            case Refused(), Accepted():
                return our.reason in level_reasons and fact(facts)
        return False

    return covers


def _repeated_advisories(_: Facts, our: Outcome, their: Outcome) -> bool:
    if not (isinstance(our, Accepted) and isinstance(their, Accepted)):
        return False
    differing = {name for name, value in our.claims.items() if value != their.claims[name]}
    advisories = their.claims["advisories"]
    return (
        differing == {"advisories"}
        and isinstance(advisories, tuple)
        and tuple(dict.fromkeys(advisories)) == our.claims["advisories"]
    )


KNOWN: tuple[Known, ...] = (
    Known(
        "sgx beyond version 3",
        "Intel's library accepts SGX reports in versions 4 and 5; the peer does not know them.",
        "#4",
        _narrower("must have version 3", lambda facts: facts.sgx and facts.version in (4, 5)),
    ),
    Known(
        "authentication data of other lengths",
        "The length is free by Intel's format; the peer wants exactly 32 bytes.",
        "#9",
        _narrower("auth data length", lambda facts: facts.auth_length != 32),
    ),
    Known(
        "last second of a revocation list",
        "Windows are inclusive at both ends (RFC 5280); the peer's ends a second early.",
        "6.4",
        _narrower("CrlExpired", lambda facts: facts.list_ends_now),
    ),
    Known(
        "long numbers of revocation lists",
        "RFC 5280 allows numbers of 20 bytes; the peer fails while it writes its claims.",
        "5.3",
        _narrower("CRL for claims", lambda facts: facts.list_number_is_long),
    ),
    Known(
        "PCE SVN above 32767",
        "DER puts a zero byte before it; the peer demands at most two bytes.",
        "5.4",
        _narrower("PceSvn", lambda facts: facts.pce_svn > 0x7FFF),
    ),
    Known(
        "TCB info of version 2",
        "Intel's old form, SGX only, which Intel's library accepts.",
        "6.2",
        _narrower("TcbInfo", lambda facts: facts.document("tcb_info").get("version") == 2),
    ),
    Known(
        "white space in hex",
        "Services put line breaks into hex; nothing is gained by refusing them.",
        "5.3",
        _narrower("Failed to parse JSON", lambda facts: facts.hex_with_white_space),
    ),
    Known(
        "white space in PEM",
        "White space is no part of base64 (RFC 7468, lax form); the certificates are the same.",
        "3.3",
        _narrower("parse certs", lambda facts: facts.pem_with_empty_line),
    ),
    Known(
        "components, not CPUSVN",
        "Intel matches the sixteen components; the peer matches the opaque CPUSVN.",
        "7.1, #32",
        _judged_otherwise(lambda facts: facts.cpu_svn_differs),
    ),
    Known(
        "levels in any order",
        "Intel sorts QE and module levels; the peer takes them as the document lists them.",
        "7.4, #34",
        _judged_otherwise(lambda facts: facts.levels_unsorted),
    ),
    Known(
        "advisories named twice",
        "A level that repeats an advisory; Intel keeps a set, the peer a list.",
        "7.6",
        _repeated_advisories,
    ),
    *(
        Known(laxity.name, laxity.why, laxity.spec, _stricter(laxity.reason, laxity.fact))
        for laxity in LAXITIES
    ),
)
