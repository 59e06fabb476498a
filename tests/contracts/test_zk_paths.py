"""One journal, whichever way it was reached: on chain, by receipt, by the committee."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, groupby
from pathlib import Path

import pytest
from quotary import INTEL_ROOT, Collateral, QuotaryError, Verdict
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.errors import ConfigurationError, ContractError
from quotary_bridge.zk import GuestInput, execute, stub_seal

from tests.contracts.zk_registering import registered_by_proof
from tests.contracts.zk_trapdoor import forged_seal
from tests.contracts.zk_world import IMAGE, MAX_AGE, Paths
from tests.verifier.genuine import Case, genuine_cases, pick

# Before all evidence.
GENESIS = 1_600_000_000


@pytest.fixture(scope="module")
def paths() -> Iterator[Paths]:
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    with AnvilNode(timestamp=GENESIS) as node:
        yield Paths.deploy(node)


@pytest.fixture
def fresh(paths: Paths) -> Iterator[Paths]:
    """The chain without collateral, and put back afterwards."""
    state = paths.node.chain.rpc("evm_snapshot")
    yield paths
    paths.node.chain.rpc("evm_revert", [state])


def _journal(case: Case) -> bytes | None:
    """What the guest writes, or None where it refuses."""
    at = int(case.at.timestamp())
    given = GuestInput(case.quote, case.raw, at, INTEL_ROOT.certificate.der)
    try:
        return execute(given.encode())
    except QuotaryError:
        return None


def test_all_genuine_evidence_has_one_journal(paths: Paths, shared: Path) -> None:
    """Every path returns Python's journal, byte for byte, and the chain refuses what it refuses."""
    agreed = refused = 0
    found = sorted(genuine_cases(shared), key=_collateral)
    for _, cases in groupby(found, key=_collateral):
        state = paths.node.chain.rpc("evm_snapshot")
        for case in cases:
            at = int(case.at.timestamp())
            if paths.node.chain.head().timestamp != at:
                paths.freeze(at)
                paths.push(case.raw)
            journal = _journal(case)
            if journal is None:
                with pytest.raises(ContractError):
                    paths.ask(paths.on_chain, case.quote, b"")
                refused += 1
                continue
            for name, answer in paths.journals(case.quote, journal).items():
                assert answer == journal, (name, case.quote_path.name)
            agreed += 1
        paths.node.chain.rpc("evm_revert", [state])
    assert agreed > 100
    assert refused > 30


def _collateral(case: Case) -> tuple[str, float]:
    return case.collateral_path.name, case.at.timestamp()


def test_a_proof_does_not_outlive_its_collateral(fresh: Paths, shared: Path) -> None:
    """Newer collateral on the chain ends proofs about the older, though it is still in its time."""
    older, newer = _two_collaterals(shared)
    at = int(newer.at.timestamp())
    outdated = _journal(replace(older, at=newer.at))
    current = _journal(newer)
    assert outdated is not None
    assert current is not None
    fresh.freeze(at)
    fresh.push(older.raw)
    seal = forged_seal(IMAGE, Verdict.from_journal(outdated).journal_digest)
    assert fresh.ask(fresh.zk, outdated, seal) == outdated
    fresh.push(newer.raw)
    with pytest.raises(ContractError) as caught:
        fresh.ask(fresh.zk, outdated, seal)
    assert caught.value.name == "CollateralNotInForce"
    seal = forged_seal(IMAGE, Verdict.from_journal(current).journal_digest)
    assert fresh.ask(fresh.zk, current, seal) == current


def _two_collaterals(shared: Path) -> tuple[Case, Case]:
    """A quote with two collaterals that are both current when the newer is, the older first."""
    found = sorted(genuine_cases(shared), key=lambda case: case.at)
    for older, newer in combinations(found, 2):
        if (
            older.quote_path == newer.quote_path
            and older.at < newer.at
            and _journal(newer)
            and _journal(replace(older, at=newer.at))
            and _differ(older, newer)
        ):
            return older, newer
    raise AssertionError("no quote has two collaterals")


def _differ(older: Case, newer: Case) -> bool:
    """Whether every part of `newer` is newer, so that the chain takes it after the other."""
    one, two = (Collateral.verify(case.raw, at=newer.at) for case in (older, newer))
    return all(
        getattr(one, name).issue_date < getattr(two, name).issue_date
        for name in ("tcb_info", "qe_identity")
    )


def test_collateral_that_is_not_in_force_is_refused(fresh: Paths, shared: Path) -> None:
    """A genuine proof whose prover chose other collateral: the difference is named."""
    case = pick(shared, "tdx")
    journal = _journal(case)
    assert journal is not None
    fresh.freeze(int(case.at.timestamp()))
    seal = forged_seal(IMAGE, Verdict.from_journal(journal).journal_digest)
    with pytest.raises(ContractError) as caught:
        fresh.ask(fresh.zk, journal, seal)
    assert caught.value.values["reason"] == "CRL_MISSING"
    fresh.push(case.raw)
    assert fresh.ask(fresh.zk, journal, seal) == journal
    words = [journal[start : start + 32] for start in range(0, len(journal), 32)]
    for index in range(6):
        changed = b"".join([*words[: 15 + index], bytes(32), *words[16 + index :]])
        assert len(changed) == len(journal)
        digest = Verdict.from_journal(changed).journal_digest
        with pytest.raises(ContractError) as caught:
            fresh.ask(fresh.zk, changed, forged_seal(IMAGE, digest))
        assert caught.value.name == "CollateralNotInForce"
        assert caught.value.values["index"] == index


def test_the_clock_of_a_proof_is_the_blocks(fresh: Paths, shared: Path) -> None:
    """Neither older than allowed nor ahead of the block, whoever chose the time."""
    case = pick(shared, "tdx")
    journal = _journal(case)
    assert journal is not None
    at = int(case.at.timestamp())
    seal = forged_seal(IMAGE, Verdict.from_journal(journal).journal_digest)
    fresh.freeze(at - 61)
    with pytest.raises(ContractError) as caught:
        fresh.ask(fresh.zk, journal, seal)
    assert caught.value.name == "VerdictFromFuture"
    fresh.freeze(at)
    fresh.push(case.raw)
    fresh.freeze(at + MAX_AGE)
    assert fresh.ask(fresh.zk, journal, seal) == journal
    fresh.freeze(at + MAX_AGE + 1)
    with pytest.raises(ContractError) as caught:
        fresh.ask(fresh.zk, journal, seal)
    assert caught.value.name == "VerdictStale"


def test_paths_do_not_take_each_others_proofs(fresh: Paths, shared: Path) -> None:
    """A mock seal is no proof, a real one no mock, and neither a committee's."""
    case = pick(shared, "tdx")
    journal = _journal(case)
    assert journal is not None
    fresh.freeze(int(case.at.timestamp()))
    fresh.push(case.raw)
    digest = Verdict.from_journal(journal).journal_digest
    mock, real = stub_seal(IMAGE, digest), forged_seal(IMAGE, digest)
    for verifier, proof, name in (
        (fresh.zk, mock, "SealSelectorRefused"),
        (fresh.stub, real, "SealSelectorRefused"),
        (fresh.committee, real, "ProofMalformed"),
        (fresh.zk, real[:4] + bytes(256), "VerificationFailed"),
        (fresh.zk, b"\0\0\0\1" + real[4:], "SelectorUnknown"),
    ):
        with pytest.raises(ContractError) as caught:
            fresh.ask(verifier, journal, proof)
        assert caught.value.name == name


def test_a_worker_registered_by_a_proof_says_so(tmp_path: Path) -> None:
    """The kind of proof is kept with the worker; a mock on the same route is refused before."""
    registered = registered_by_proof(tmp_path)
    assert registered.stub_refused == "SealSelectorRefused"
    assert ProofKind(registered.record["kind"]) is ProofKind.ZK
