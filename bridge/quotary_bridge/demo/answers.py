"""Chapter 5: a contract asks, a model answers, the bridge delivers, the callback stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from quotary_bridge.chain.contracts import RequestCreated, RequestTerms, decode_event
from quotary_bridge.demo.failures import NotDeliveredError
from quotary_bridge.demo.stage import Stage
from quotary_bridge.demo.workers import RunningWorker
from quotary_bridge.model import Bytes32, JobKey, SignedResult, Timestamp
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, RelayerSettings
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint

__all__ = ["QUESTION", "Answer", "ask_and_deliver"]

QUESTION = """Proposal 17: send the whole treasury to a new address tonight, without a vote.
Options:
- routine: paying for audits, salaries, servers and other ordinary work
- dangerous: an attack that drains the treasury or takes control of it
- unclear: too little is said to decide"""

_FEE = 10**15
_TICKS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of the question: the signed result as it was relayed, and what the dApp stored."""

    request_id: Bytes32
    terms: RequestTerms
    signed: SignedResult
    stored: bytes


def ask_and_deliver(stage: Stage, workers: Sequence[RunningWorker]) -> Answer:
    """Ask through the dApp, run the relayer until the answer is final, and read it back."""
    data = stage.call_data("ProposalAdvisor", "ask", QUESTION)
    receipt = stage.transact("ask the question (dApp)", "ProposalAdvisor", data, _FEE)
    events = (decode_event(log) for log in receipt.logs)
    created = next(event for event in events if isinstance(event, RequestCreated))
    signed = _relay(stage, workers)
    stored = stage.read("ProposalAdvisor", "answerTo", created.request_id)
    return Answer(created.request_id, created.terms, signed, stored)


def _relay(stage: Stage, workers: Sequence[RunningWorker]) -> SignedResult:
    """Run relayer cycles, mining a block between them as a chain would, until nothing is left."""
    settings = RelayerSettings(finality_depth=2)
    endpoints = [Endpoint(worker.url, worker.address) for worker in workers]
    store = Store.open(stage.folder / "relayer.sqlite", _clock(stage))
    seen: list[JobKey] = []

    def listen(progress: Progress) -> None:
        if progress.job is not None and progress.job not in seen:
            seen.append(progress.job)
        _tell(stage, progress)

    oracle = stage.address("ResultOracle")
    try:
        with Relayer(
            stage.chain, oracle, store, stage.relayer, endpoints, settings=settings, listener=listen
        ) as relayer:
            for _ in range(_TICKS):
                if relayer.tick().idle and seen:
                    break
                stage.node.mine()
            else:
                raise NotDeliveredError(f"no answer was final after {_TICKS} cycles")
            job = relayer.job(seen[0])
        if job is None or job.result is None:
            raise NotDeliveredError("the request ended without a result of ours")
        return store.result(job.key, job.result)
    finally:
        store.close()


def _tell(stage: Stage, progress: Progress) -> None:
    details = progress.details
    if progress.kind is ProgressKind.REQUEST_SEEN:
        stage.report.remark("relayer: saw the request, asks a worker")
    elif progress.kind is ProgressKind.RESULT_STORED:
        stage.report.remark("relayer: signature, statement and worker checked; result stored")
    elif progress.kind is ProgressKind.MINED:
        receipt = stage.chain.receipt(bytes.fromhex(str(details["transaction"])[2:]))
        if receipt is not None:
            stage.report.sent("relay the result", receipt.transaction_hash, receipt.gas_used)
    elif progress.kind is ProgressKind.FINAL:
        stage.report.remark("relayer: final")


def _clock(stage: Stage) -> Callable[[], Timestamp]:
    """Seconds that go on from the chain's start; the relayer's lease needs no more."""
    started, origin = int(stage.at.timestamp()), monotonic()
    return lambda: Timestamp(started + int(monotonic() - origin))
