"""
Our verifier against dcap-qvl 0.7.0, mutant by mutant: no difference without an explanation.

`make differential` runs the long campaign; here are a sample of it and the teeth of its judge.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from quotary_enclave.simulator import Scenario, Simulator, samples

from tests.conftest import shared_folder
from tests.differential.campaign import Tally, mutant, run
from tests.differential.consistency import contradiction
from tests.differential.genuine import genuine_evidence
from tests.differential.judges import Accepted, Case, Escaped, Refused, ours, theirs
from tests.differential.known import KNOWN, explain
from tests.differential.peer import ABORTED, Peer
from tests.differential.scenarios import AT, simulated

SEED = "pytest"
SAMPLE = 2000
PARTS = 4


def minted(scenario: Scenario) -> Case:
    evidence = scenario.mint()
    text = json.dumps(evidence.collateral)
    at = int(evidence.at.timestamp())
    return Case("test", (), evidence.quote, text, evidence.root_der, at)


@pytest.fixture(scope="module")
def good() -> Case:
    """Evidence that both accept."""
    return minted(samples(Simulator(AT, seed=b"teeth"))["td15-v5-platform"])


@pytest.fixture(scope="module")
def verdict(good: Case) -> Accepted:
    """What both say of it."""
    outcome = ours(good)
    assert isinstance(outcome, Accepted)
    return outcome


@pytest.mark.parametrize("part", range(PARTS))
def test_every_difference_is_explained(part: int) -> None:
    """A seeded sample; with genuine evidence where the machine has some."""
    tally = run(SEED, range(part, SAMPLE, PARTS), genuine_evidence(shared_folder()))
    assert tally.findings == []
    assert tally.mutants == SAMPLE // PARTS
    assert any("both accept" in name for name in tally.agreed)
    assert any("both refuse" in name for name in tally.agreed)


@pytest.mark.parametrize("base", [good.name for good in simulated()])
def test_all_entry_points_agree_on_good_evidence(base: str) -> None:
    """Explained, among many, and in its compact form."""
    assert contradiction(minted(samples(Simulator(AT, seed=b"teeth"))[base])) is None


def test_entry_points_agree_on_mutants() -> None:
    """A sample of what every fourth mutant of a campaign is put to."""
    tally = run("entry points", range(0, 400, 4), ())
    assert tally.findings == []
    assert tally.consistent == 100


def test_both_accept_every_kind_of_good_evidence() -> None:
    """Claims included; SGX beyond version 3 is a known difference."""
    with Peer() as peer:
        for base in simulated():
            case = minted(samples(Simulator(AT, seed=b"differential"))[base.name])
            our, their = ours(case), theirs(case, peer)
            assert our == their or explain(case, our, their) == "sgx beyond version 3"


def test_mutants_are_repeatable() -> None:
    """The same seed and number, the same mutant; another seed, another one."""
    assert mutant("a", 7, ()) == mutant("a", 7, ())
    assert mutant("a", 7, ()) != mutant("b", 7, ())


def test_unexplained_acceptance_is_a_finding(good: Case, verdict: Accepted) -> None:
    """Accepting good evidence that the peer refuses for whatever reason is never explained."""
    for message in ("Verification failed: anything", "must have version 3", ABORTED):
        assert explain(good, verdict, Refused(message)) is None


def test_unexplained_refusal_is_a_finding(good: Case, verdict: Accepted) -> None:
    """A reason alone explains nothing: the fact it rests on must be there."""
    for known_reason in ("KEY_ID_MISSING", "RESERVED_NONZERO", "PCEID_MISMATCH", "ISSUER_ROLE"):
        assert explain(good, Refused(known_reason), verdict) != known_reason
    changed = replace(good, quote=good.quote[:100] + b"\1" + good.quote[101:])
    assert explain(changed, Refused("QUOTE_SIGNATURE_INVALID"), verdict) is None


@pytest.mark.parametrize("claim", ["status", "fmspc", "platform", "report_data", "mr_td"])
def test_another_claim_is_a_finding(good: Case, verdict: Accepted, claim: str) -> None:
    """Both accept, but not the same thing."""
    other = Accepted({**verdict.claims, claim: "something else"})
    assert explain(good, verdict, other) is None


def test_escapes_are_findings(good: Case, verdict: Accepted) -> None:
    """No difference excuses an exception that is none of ours."""
    for their in (verdict, Refused("anything"), Refused(ABORTED)):
        assert explain(good, Escaped("KeyError()"), their) is None


def test_the_peer_is_started_anew(good: Case) -> None:
    """A peer that was killed answers the next question."""
    with Peer() as peer:
        assert isinstance(theirs(good, peer), Accepted)
        assert peer._process is not None
        peer._process.kill()
        peer._process.wait()
        assert theirs(good, peer) == Refused(ABORTED)
        assert isinstance(theirs(good, peer), Accepted)


def test_tallies_add_up() -> None:
    """Parts of a campaign count as the whole."""
    whole, parts = run("sum", range(40), ()), Tally()
    for start in (0, 20):
        parts.add(run("sum", range(start, start + 20), ()))
    assert parts == whole


def test_known_differences_are_justified() -> None:
    """Each has a name of its own, a reason and a clause."""
    assert len({known.name for known in KNOWN}) == len(KNOWN)
    assert all(known.why.endswith(".") and known.spec for known in KNOWN)
