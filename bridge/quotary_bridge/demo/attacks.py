"""Chapter 7: four attacks, each refused with its reason by the part that must refuse it."""

from __future__ import annotations

from dataclasses import replace

from eth_account import Account
from eth_utils.crypto import keccak
from quotary import INTEL_ROOT, QuotaryError, verify
from quotary_enclave.simulator import TdReport

from quotary_bridge.chain.contracts import (
    RequestCreated,
    RequestTerms,
    ResultOracle,
    decode_event,
)
from quotary_bridge.demo.answers import Answer
from quotary_bridge.demo.evidence import Sample
from quotary_bridge.demo.failures import AttackSucceededError
from quotary_bridge.demo.genuine import genuine_collateral
from quotary_bridge.demo.report import Attack
from quotary_bridge.demo.stage import NOTARY_APP, Stage
from quotary_bridge.demo.workers import RunningWorker
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, ChainId, SignedResult, Timestamp
from quotary_bridge.workers.statement import result_digest

__all__ = ["try_attacks"]

_BODY_BYTE = 48 + 136
"""Offset of MRTD's first byte in a version 4 quote (header, then TD report)."""


def try_attacks(stage: Stage, sample: Sample | None, worker: RunningWorker, answer: Answer) -> None:
    """Try all four; raises `AttackSucceededError` where one is not refused."""
    _tampered_quote(stage, sample, worker)
    _unadmitted_measurement(stage, worker)
    _replayed_result(stage, answer)
    _unregistered_key(stage, answer)


def _tampered_quote(stage: Stage, sample: Sample | None, worker: RunningWorker) -> None:
    if sample is None:
        quote = worker.platform.quote(TdReport())
        collateral, root = stage.simulated_collateral(worker.platform), stage.test_root
    else:
        quote, collateral, root = sample.quote, genuine_collateral(sample), INTEL_ROOT
    forged = bytearray(quote)
    forged[_BODY_BYTE] ^= 1
    what = "a quote with one bit of its measurement changed"
    try:
        verify(bytes(forged), collateral, at=stage.at, root=root)
    except QuotaryError as error:
        stage.report.refused(Attack(what, "the verifier", error.reason.value, error.remedy))
    else:
        raise AttackSucceededError(what)


def _unadmitted_measurement(stage: Stage, worker: RunningWorker) -> None:
    """A sound quote of code that nobody admitted: only the registry can refuse it."""
    quote = worker.platform.quote(TdReport(mr_td=bytes(range(48))))
    verdict = verify(
        quote, stage.simulated_collateral(worker.platform), at=stage.at, root=stage.test_root
    )
    data = stage.call_data(
        "QuoteNotary",
        "notarize",
        NOTARY_APP,
        stage.route("committee"),
        verdict.journal(),
        stage.proof("committee", verdict),
    )
    what = "a sound quote of a measurement nobody admitted"
    _refused_on_chain(stage, what, "QuoteNotary", data)


def _replayed_result(stage: Stage, answer: Answer) -> None:
    what = "the genuine result, delivered a second time"
    _refused_on_chain(stage, what, "ResultOracle", _delivery(stage, answer.terms, answer.signed))


def _unregistered_key(stage: Stage, answer: Answer) -> None:
    """A fresh request, answered by a key that no quote ever bound."""
    data = stage.call_data("ProposalAdvisor", "ask", "Send everything to the relayer?")
    receipt = stage.sender.send(stage.sender.request(stage.address("ProposalAdvisor"), data))
    created = decode_event(receipt.logs[0])
    if not isinstance(created, RequestCreated):
        raise AttackSucceededError("the request of the last attack left no event")
    terms = created.terms
    thief = Account.from_key(keccak(text="quotary demonstration thief"))
    result = replace(
        answer.signed.result,
        request_id=created.request_id,
        input_commitment=terms.input_commitment,
        deadline=Timestamp(terms.deadline),
        worker=Address(thief.address),
    )
    digest = result_digest(result, ChainId(stage.chain.chain_id), stage.address("ResultOracle"))
    signature = bytes(thief.unsafe_sign_hash(digest).signature)
    forged = replace(answer.signed, result=result, signature=signature)
    what = "a result signed by a key that no quote ever bound"
    _refused_on_chain(stage, what, "ResultOracle", _delivery(stage, terms, forged))


def _delivery(stage: Stage, made: RequestTerms, signed: SignedResult) -> bytes:
    oracle = ResultOracle(stage.chain, stage.address("ResultOracle"))
    return oracle.fulfill(made, signed.result, signed.output, signed.signature)


def _refused_on_chain(stage: Stage, what: str, contract: str, data: bytes) -> None:
    try:
        stage.sender.send(stage.sender.request(stage.address(contract), data))
    except ContractError as error:
        stage.report.refused(Attack(what, contract, error.name, error.remedy))
    else:
        raise AttackSucceededError(what)
