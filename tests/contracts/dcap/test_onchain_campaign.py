"""
Python against the chain, mutant by mutant: same verdict, same reason, same journal.

`make differential-onchain` runs the long campaign; here are a sample of it and its teeth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from quotary import RawCollateral, TrustRoot
from quotary_enclave.simulator import Simulator, samples

from tests.conftest import shared_folder
from tests.contracts.dcap.agreement import agree, another_fault, of_python
from tests.contracts.dcap.dcap_world import running_node
from tests.contracts.dcap.onchain_campaign import run
from tests.contracts.dcap.onchain_judge import OnChainJudge
from tests.differential.genuine import genuine_evidence

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLE = 150
# Mutants of long campaigns that the two once judged differently.
ONCE_DIFFERENT = {
    "b": (199, 355, 580, 690, 971),
    "a": (15, 66, 108, 114),
    "20261123": (85, 159, 564, 1340, 3631, 18788),
}


@pytest.fixture(scope="module")
def judge() -> Iterator[OnChainJudge]:
    """One node for the module."""
    with running_node() as node:
        yield OnChainJudge(node)


def test_no_mutant_is_judged_differently(judge: OnChainJudge) -> None:
    """A seeded sample; with genuine evidence where the machine has some."""
    tally = run(judge, "pytest on chain", range(SAMPLE), genuine_evidence(shared_folder()))
    assert tally.disagreements == []
    assert tally.counts["same journal"] > 5
    assert tally.counts["same reason"] > SAMPLE // 2


@pytest.mark.parametrize("seed", ONCE_DIFFERENT)
def test_what_was_once_judged_differently_is_not_any_more(judge: OnChainJudge, seed: str) -> None:
    """Times before 1970, fractions and offsets, escapes, numbers where texts belong."""
    genuine = genuine_evidence(shared_folder())
    assert run(judge, seed, ONCE_DIFFERENT[seed], genuine).disagreements == []


def test_the_judge_forgets_nothing_it_must_forget(judge: OnChainJudge) -> None:
    """Evidence, other evidence, the first again: the same three answers as from a new chain."""
    first, second = (
        samples(Simulator(AT, seed=b"judge"))[name].mint()
        for name in ("sgx-v3-platform", "td15-v5-platform")
    )
    answers = []
    for evidence in (first, second, first):
        raw = RawCollateral.from_json(json.dumps(evidence.collateral))
        root = TrustRoot.from_certificate(evidence.root_der)
        answers.append(judge.judge(evidence.quote, raw, root, int(AT.timestamp())))
        assert answers[-1] == of_python(evidence.quote, raw, root, AT)
    assert answers[0] == answers[2] != answers[1]


def test_differences_are_differences() -> None:
    """An acceptance is never explained away, nor is a reason that Python does not know of."""
    evidence = next(iter(samples(Simulator(AT, seed=b"judge")).values())).mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    root = TrustRoot.from_certificate(evidence.root_der)
    assert not agree(b"journal", "CERT_REVOKED")
    assert not agree(b"journal", b"another")
    assert not agree("QUOTE_SIGNATURE_INVALID", "CERT_REVOKED")
    broken = evidence.quote[:100] + bytes((evidence.quote[100] ^ 1,)) + evidence.quote[101:]
    for reason in ("CERT_REVOKED", "SCHEMA_INVALID", "QE_REPORT_SIGNATURE_INVALID"):
        assert not another_fault(broken, raw, root, AT, reason)
    assert another_fault(broken, raw, root, AT, "QUOTE_SIGNATURE_INVALID")
