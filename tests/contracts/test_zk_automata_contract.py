"""The contracts that take Automata's proofs, with genuine ones of both zkVMs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from quotary import TeeType
from quotary.journal import measurement_id
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.errors import ConfigurationError, ContractError
from quotary_bridge.zk.automata import AutomataJournal

from tests.contracts.zk_chain import Contract, deploy, key_argument
from tests.contracts.zk_vectors import risc_zero_vectors, sp1_vectors
from tests.contracts.zk_world import deploy_release

PRESENT_FORM = 1149
MAX_AGE = 3600


@dataclass(frozen=True)
class Proven:
    """A verifier for one program, and a genuine proof of it."""

    verifier: Contract
    journal: bytes
    proof: bytes


@pytest.fixture(scope="module")
def proven(shared: Path) -> Iterator[list[Proven]]:
    """Both zkVMs' proofs of the same quote, at their time."""
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    risc_zero = [v for v in risc_zero_vectors(shared) if len(v.journal) == PRESENT_FORM]
    sp1 = [v for v in sp1_vectors(shared) if len(v.journal) == PRESENT_FORM]
    at = AutomataJournal.decode(sp1[0].journal).verified_at
    with AnvilNode(timestamp=at - 100) as node:
        node.chain.rpc("anvil_setBlockTimestampInterval", [0])
        found = []
        for vector in risc_zero:
            groth16 = deploy_release(node, vector.release)
            verifier = deploy(
                node, "AutomataRiscZeroVerifier", groth16.address, vector.image_id, MAX_AGE
            )
            found.append(Proven(verifier, vector.journal, vector.seal))
        for proof in sp1:
            key = key_argument(proof.key)
            checker = deploy(node, "Sp1Groth16Verifier", key, proof.verifier_hash)
            verifier = deploy(node, "AutomataSp1Verifier", checker.address, proof.program, MAX_AGE)
            found.append(Proven(verifier, proof.journal, proof.seal))
        node.chain.rpc("evm_setNextBlockTimestamp", [at])
        node.mine()
        yield found


def test_genuine_proofs_of_both_machines(proven: list[Proven]) -> None:
    """What the contract reads is what Python reads, whichever zkVM proved it."""
    assert len({item.verifier.name for item in proven}) == 2
    for item in proven:
        (read,) = item.verifier.call("verify", item.journal, item.proof)
        known = AutomataJournal.decode(item.journal)
        assert read["teeType"] == known.body.tee_type
        assert read["tcbStatus"] == known.tcb_status.code
        assert (read["fmspc"], read["reportData"]) == (known.fmspc, known.report_data)
        assert read["verifiedAt"] == known.verified_at
        measured = known.report[120:520] + bytes(48)
        assert read["measurementId"] == measurement_id(TeeType.TDX, measured)
        assert tuple(read["contentHashes"]) == known.content_hashes
        assert item.verifier.call("kind") == (2,)


def test_what_is_not_proven_is_refused(proven: list[Proven]) -> None:
    """Other content, a status that yields no verdict, lengths that lie."""
    for item in proven:
        journal = item.journal
        unproven = {"VerificationFailed", "InvalidProof"}
        for changed, names in (
            (journal[:-1] + bytes([journal[-1] ^ 1]), unproven),
            (journal[:6] + b"\0" + journal[7:], unproven),
            (journal[:6] + b"\6" + journal[7:], {"AutomataStatusRefused"}),
            (journal[:6] + b"\7" + journal[7:], {"AutomataStatusRefused"}),
            (journal[:5] + b"\4" + journal[6:], {"AutomataJournalMalformed"}),
            (journal[:5] + b"\0" + journal[6:], {"AutomataJournalMalformed"}),
            (journal + b"\0", {"AutomataJournalMalformed"}),
            (journal[:-1], {"AutomataJournalMalformed"}),
            (b"", {"AutomataJournalMalformed"}),
        ):
            assert _refusal(item, changed) in names


def test_a_proof_grows_old(proven: list[Proven]) -> None:
    """The prover chose its time: it is held against the block's."""
    node = proven[0].verifier.node
    state = node.chain.rpc("evm_snapshot")
    at = node.chain.head().timestamp
    for time, name in ((at + MAX_AGE, ""), (at + MAX_AGE + 1, "VerdictStale")):
        node.chain.rpc("evm_setNextBlockTimestamp", [time])
        node.mine()
        for item in proven:
            if name:
                assert _refusal(item, item.journal) == name
            else:
                item.verifier.call("verify", item.journal, item.proof)
    node.chain.rpc("evm_revert", [state])


def test_nothing_is_deployed_without_a_verifier_or_program(proven: list[Proven]) -> None:
    """Either missing would take everything, or nothing."""
    item = proven[0]
    (checker,) = item.verifier.call("VERIFIER")
    nobody = "0x00000000000000000000000000000000000000AA"
    for arguments in ((nobody, b"\1" * 32, 1), (checker, bytes(32), 1)):
        with pytest.raises(ContractError) as caught:
            deploy(item.verifier.node, item.verifier.name, *arguments)
        assert caught.value.name == "AutomataProgramMissing"


def _refusal(item: Proven, journal: bytes) -> str:
    with pytest.raises(ContractError) as caught:
        item.verifier.call("verify", journal, item.proof)
    return caught.value.name
