"""The demonstration, chapter by chapter: from a genuine quote to a dApp's callback."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from quotary_bridge.demo.answers import QUESTION, ask_and_deliver
from quotary_bridge.demo.attacks import try_attacks
from quotary_bridge.demo.evidence import EvidenceUnavailableError, Sample, genuine_samples
from quotary_bridge.demo.genuine import explain, notarize, others, verify_sample
from quotary_bridge.demo.onchain import verify_on_chain
from quotary_bridge.demo.quorum import agree_and_survive
from quotary_bridge.demo.report import Report
from quotary_bridge.demo.stage import ADVISOR_APP, PROOF_PATHS, Stage, open_stage
from quotary_bridge.demo.workers import (
    RunningWorker,
    measurement_of,
    register,
    running_workers,
)

__all__ = ["tell"]

_WITHOUT_EVIDENCE = datetime(2025, 7, 4, 10, 16, 31, tzinfo=UTC)
_WORKERS = ("one", "two", "three", "four", "five")
_HONEST = 3
_LIAR = "four"


def tell(report: Report) -> dict[str, Any]:
    """Run the whole demonstration, telling it to `report`; return it as one JSON-ready object."""
    began = time.monotonic()
    samples = _evidence(report)
    at = samples[0].at if samples else _WITHOUT_EVIDENCE
    with open_stage(report, at) as stage:
        _genuine(stage, samples)
        report.chapter(4, "workers", "Five TEE workers register by their quotes (simulated TEE)")
        with running_workers(stage, _WORKERS, _LIAR) as workers:
            _register_all(stage, workers)
            _answer_and_attack(stage, samples[0] if samples else None, workers)
    report.chapter(8, "summary", "Summary")
    report.fact("took", f"{time.monotonic() - began:.0f} s")
    report.summary()
    _how_to_go_on(report)
    return report.as_object()


def _evidence(report: Report) -> tuple[Sample, ...]:
    report.chapter(1, "chain", "A chain of our own, with every contract")
    try:
        with report.working("fetching genuine evidence …"):
            return genuine_samples()
    except EvidenceUnavailableError as error:
        report.warning(f"genuine evidence is out of reach: {error}")
        report.warning("the demonstration goes on with simulated evidence only")
        return ()


def _genuine(stage: Stage, samples: tuple[Sample, ...]) -> None:
    report = stage.report
    if not samples:
        return
    report.chapter(2, "genuine", "Genuine Intel TDX evidence, verified and accepted on chain")
    verdict = verify_sample(samples[0])
    explain(report, samples[0], verdict)
    notarize(stage, verdict)
    others(report, samples[1:])
    report.chapter(3, "onchain", "The chain verifies it by itself, with nobody to trust")
    verify_on_chain(stage, samples[0])


def _register_all(stage: Stage, workers: tuple[RunningWorker, ...]) -> None:
    stage.report.warning(
        "simulated: these quotes hang from a test root that only this chain trusts"
    )
    measurement = measurement_of(stage, workers[0])
    source = "https://example.org/quotary/enclave"
    stage.admit("admit the workers' measurement", ADVISOR_APP, measurement, source)
    stage.admit_model("admit the model they serve")
    for worker, path in zip(workers, cycle(PROOF_PATHS), strict=False):
        verdict = register(stage, worker, path)
        stage.report.fact(
            f"worker {worker.name}",
            worker.address,
            note=f"{verdict.tcb_status.value}, by {path}",
            exact={"address": worker.address, "url": worker.url, "proof": path},
        )


def _answer_and_attack(
    stage: Stage, sample: Sample | None, workers: tuple[RunningWorker, ...]
) -> None:
    report = stage.report
    report.chapter(5, "answer", "A contract asks, a model answers, the callback receives")
    report.fact("question", QUESTION.splitlines()[0])
    report.fact("model", "all-MiniLM-L6-v2", note="real weights, on the CPU of this machine")
    answer = ask_and_deliver(stage, workers[:_HONEST])
    report.fact(
        "model id",
        answer.signed.result.model_id.hex()[:32] + "…",
        note="of its weights, tokenizer and configuration",
        exact=answer.signed.result.model_id.hex(),
    )
    report.fact("answered by", answer.signed.result.worker)
    report.fact("stored by the dApp", answer.stored.decode())
    report.chapter(
        6, "agreed", "Three of five must agree: one lies, one is killed, so is the relayer"
    )
    agree_and_survive(stage, workers)
    report.chapter(7, "attacked", "Four attacks")
    try_attacks(stage, sample, workers[0], answer)


def _how_to_go_on(report: Report) -> None:
    report.remark("nothing is left running. What next:")
    report.remark("  .venv/bin/quotary --help        the commands")
    report.remark("  .venv/bin/quotary doctor        what this machine has and lacks")
    report.remark("  README.md, docs/formats.md      what a verdict says, byte for byte")
    report.remark("  SECURITY.md                     what it does not say")
