"""Chapter 2: genuine Intel evidence, verified, explained, accepted on chain on two paths."""

from __future__ import annotations

from datetime import UTC, datetime

from quotary import Collateral, QuotaryError, Quote, RawCollateral, Verdict, verify

from quotary_bridge.demo.evidence import Sample
from quotary_bridge.demo.report import Report
from quotary_bridge.demo.stage import NOTARY_APP, PROOF_PATHS, Stage

__all__ = ["explain", "genuine_collateral", "notarize", "others", "verify_sample"]

_SHOWN_HEX = 32


def genuine_collateral(sample: Sample) -> Collateral:
    """Verify a sample's collateral under Intel's root, at the sample's time."""
    return Collateral.verify(RawCollateral.from_json(sample.collateral), at=sample.at)


def verify_sample(sample: Sample) -> Verdict:
    """Verify a genuine sample under Intel's root and the strict default policy."""
    return verify(sample.quote, genuine_collateral(sample), at=sample.at)


def explain(report: Report, sample: Sample, verdict: Verdict) -> None:
    """Say in plain words what a verdict says."""
    quote = Quote.parse(sample.quote)
    report.fact("evidence", sample.label, note=f"{len(sample.quote):,} bytes from real hardware")
    report.fact("judged at", _moment(verdict.verified_at))
    report.fact(
        "chain of trust", "Intel SGX Root CA → PCK → QE → quote", note="every signature checked"
    )
    report.fact(
        "platform",
        f"FMSPC {verdict.fmspc.hex()}",
        note="the model of machine",
        exact={"fmspc": verdict.fmspc.hex(), "platform_id": verdict.platform_id.hex()},
    )
    report.fact(
        "TCB status",
        str(verdict.tcb_status.value),
        note=f"evaluation {verdict.tcb_evaluation_data_number}, "
        f"levels of {_moment(verdict.tcb_date)[:10]}",
    )
    report.fact(
        "advisories", ", ".join(verdict.advisories) or "none", exact=list(verdict.advisories)
    )
    report.fact("verdict holds until", _moment(verdict.valid_until))
    report.fact(
        "measurement",
        _short(verdict.measurement_id),
        note="one hash over MRTD, RTMR0-3, …",
        exact=verdict.measurement_id.hex(),
    )
    mr_td = getattr(quote.body, "mr_td", None)
    if mr_td is not None:
        report.fact(
            "MRTD", _short(mr_td), note="the firmware the TD started from", exact=mr_td.hex()
        )
    report.fact(
        "report data",
        _short(verdict.report_data),
        note="what the TD chose to bind",
        exact=verdict.report_data.hex(),
    )


def others(report: Report, samples: tuple[Sample, ...]) -> None:
    """Verify the remaining samples, and say what the strict policy makes of each."""
    for sample in samples:
        try:
            verdict = verify_sample(sample)
        except QuotaryError as error:
            report.fact(sample.label, "refused by the strict policy", note=str(error))
        else:
            report.fact(sample.label, verdict.tcb_status.value, note=f"FMSPC {verdict.fmspc.hex()}")


def notarize(stage: Stage, verdict: Verdict) -> None:
    """Admit the measurement, and have the verdict accepted on chain on every proof path."""
    stage.admit(
        "admit the genuine measurement",
        NOTARY_APP,
        verdict.measurement_id,
        "https://example.org/genuine-sample",
    )
    for path in PROOF_PATHS:
        data = stage.call_data(
            "QuoteNotary",
            "notarize",
            NOTARY_APP,
            stage.route(path),
            verdict.journal(),
            stage.proof(path, verdict),
        )
        stage.transact(f"notarize the genuine quote ({path})", "QuoteNotary", data)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _short(value: bytes) -> str:
    text = value.hex()
    return text if len(text) <= _SHOWN_HEX else f"{text[:_SHOWN_HEX]}…"
