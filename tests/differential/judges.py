"""The two judges: our verifier and dcap-qvl 0.7.0, asked the same question in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from quotary import Collateral, QuotaryError, RawCollateral, TeeType, TrustRoot, Verdict, verify
from quotary._keccak import keccak256
from quotary.policy import AllOf, SgxAttributes, TdAttributeRules
from quotary.quote import SgxFlags

from tests.differential.peer import Peer

__all__ = ["Accepted", "Case", "Escaped", "Outcome", "Refused", "ours", "theirs"]

PEER_POLICY = AllOf((SgxAttributes(forbidden=SgxFlags.DEBUG), TdAttributeRules()))
"""What the peer asks beyond the evidence: no debug, and Intel's rules for TD attributes."""

_TDX_FIELDS = {
    "td_attributes": "td_attributes",
    "xfam": "xfam",
    "mr_td": "mr_td",
    "mr_config_id": "mr_config_id",
    "mr_owner": "mr_owner",
    "mr_owner_config": "mr_owner_config",
    "rt_mr0": "rtmr0",
    "rt_mr1": "rtmr1",
    "rt_mr2": "rtmr2",
    "rt_mr3": "rtmr3",
}
_SGX_FIELDS = {"attributes": "attributes", "mr_enclave": "mr_enclave", "mr_signer": "mr_signer"}


@dataclass(frozen=True, slots=True)
class Case:
    """
    One question: is this quote good under this collateral and root, at this time?

    `category` says how it was made, `changes` what was changed of good evidence.
    """

    category: str
    changes: tuple[str, ...]
    quote: bytes
    collateral: str
    root_der: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a judge claims about evidence it accepts, under common names."""

    claims: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a judge refuses: a reason of our catalogue, or the peer's message."""

    reason: str


@dataclass(frozen=True, slots=True)
class Escaped:
    """Our verifier broke its promise: an exception that is none of its own came out."""

    error: str


Outcome = Accepted | Refused | Escaped


def ours(case: Case) -> Outcome:
    """Judge `case` with our verifier; the journal is written and read on the way."""
    try:
        verdict = verify(
            case.quote,
            _proven(case.collateral, case.root_der, case.at),
            policy=PEER_POLICY,
            at=datetime.fromtimestamp(case.at, UTC),
            root=_root(case.root_der),
        )
        if Verdict.from_journal(verdict.journal()) != verdict:
            return Escaped("the journal reads back as another verdict")
    except QuotaryError as error:
        return Refused(error.reason.value)
    except Exception as error:  # noqa: BLE001 - whatever else escapes is the finding
        return Escaped(repr(error))
    return Accepted(_our_claims(verdict))


def theirs(case: Case, peer: Peer) -> Outcome:
    """Judge `case` with the peer."""
    claims, refusal = peer.ask(case.quote, case.collateral, case.root_der, case.at)
    return Refused(refusal) if claims is None else Accepted(_their_claims(claims))


@lru_cache(maxsize=64)
def _proven(text: str, root_der: bytes, at: int) -> Collateral:
    raw = RawCollateral.from_json(text)
    return Collateral.verify(raw, _root(root_der), at=datetime.fromtimestamp(at, UTC))


@lru_cache(maxsize=64)
def _root(der: bytes) -> TrustRoot:
    return TrustRoot.from_certificate(der)


def _our_claims(verdict: Verdict) -> dict[str, object]:
    measurement = verdict.to_json()["measurement"]
    if not isinstance(measurement, dict):
        raise TypeError("a measurement is an object of fields")
    names = _SGX_FIELDS if verdict.tee_type is TeeType.SGX else _TDX_FIELDS
    return {
        "status": verdict.tcb_status.value,
        "advisories": verdict.advisories,
        "tcb_evaluation_data_number": verdict.tcb_evaluation_data_number,
        "fmspc": verdict.fmspc.hex(),
        "platform": verdict.platform_id.hex(),
        "report_data": verdict.report_data.hex(),
        **{name: measurement[name] for name in names.values()},
    }


def _their_claims(claims: dict[str, Any]) -> dict[str, object]:
    report = next(iter(claims["report"].values()))
    while "base" in report:
        report = {**report.pop("base"), **report}
    pck = claims["platform"]["pck"]
    names = _SGX_FIELDS if claims["tee_type"] == 0 else _TDX_FIELDS
    return {
        "status": claims["tcb"]["status"],
        "advisories": tuple(claims["tcb"]["advisory_ids"]),
        "tcb_evaluation_data_number": claims["tcb"]["eval_data_number"],
        "fmspc": bytes(pck["fmspc"]).hex(),
        "platform": keccak256(bytes(pck["ppid"])).hex(),
        "report_data": report["report_data"],
        **{ours: report[theirs] for theirs, ours in names.items()},
    }
