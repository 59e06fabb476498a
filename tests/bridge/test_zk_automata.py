"""Automata's journals, with the genuine proofs of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from quotary import TcbStatus
from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.zk.automata import AutomataJournal, Body, Sp1Release

from tests.contracts.zk_vectors import releases, risc_zero_vectors, sp1_vectors


@pytest.fixture(scope="module")
def journal(shared: Path) -> bytes:
    """A genuine journal of the present form, with advisories."""
    return next(v for v in risc_zero_vectors(shared) if len(v.journal) == 1149).journal


def test_genuine_risc_zero_proofs(shared: Path) -> None:
    """Those of a form that is still made: proven, decoded, and refused for another image."""
    known = tuple(releases(shared).values())
    decoded = set()
    for vector in risc_zero_vectors(shared):
        if len(vector.journal) not in (799, 1149):
            continue
        if vector.journal[8] == 7 or vector.journal[:2] == b"\x55\x02":
            # A status that the guest lets pass and we do not, and a layout that was given up.
            with pytest.raises(EvidenceRejected) as caught:
                AutomataJournal.of_risc_zero(vector.journal, vector.seal, vector.image_id, known)
            assert caught.value.reason is Reason.RECEIPT_MALFORMED
            continue
        found = AutomataJournal.of_risc_zero(vector.journal, vector.seal, vector.image_id, known)
        decoded.add(vector.release.version)
        assert found.body is Body.TD10
        assert found.fmspc.hex() == "00806f050000"
        assert found.tcb_status is TcbStatus.OUT_OF_DATE
        assert len(found.report_data) == 64
        with pytest.raises(EvidenceRejected) as caught:
            AutomataJournal.of_risc_zero(vector.journal, vector.seal, bytes(32), known)
        assert caught.value.reason is Reason.PROOF_INVALID
    assert {"2.1", "2.2", "3.0"} <= decoded


def test_genuine_sp1_proofs(shared: Path) -> None:
    """Proven by their release; the journal of the present form says what RISC Zero's says."""
    same = next(v for v in risc_zero_vectors(shared) if len(v.journal) == 1149)
    found = 0
    for vector in sp1_vectors(shared):
        release = Sp1Release(vector.verifier_hash, vector.key)
        if len(vector.journal) == 1149:
            read = AutomataJournal.of_sp1(vector.journal, vector.seal, vector.program, release)
            assert read == AutomataJournal.decode(same.journal)
            found += 1
        release.require(vector.seal, vector.program, vector.journal)
    assert found
    for proof, reason in (
        (b"\0" * 4 + vector.seal[4:], Reason.SEAL_SELECTOR_UNKNOWN),
        (vector.seal[:-1], Reason.SEAL_LENGTH_WRONG),
    ):
        with pytest.raises(EvidenceRejected) as caught:
            AutomataJournal.of_sp1(vector.journal, proof, vector.program, release)
        assert caught.value.reason is reason
    with pytest.raises(EvidenceRejected) as caught:
        release.require(vector.seal, vector.program, vector.journal + b"\0")
    assert caught.value.reason is Reason.PROOF_INVALID


def test_what_a_journal_says(journal: bytes) -> None:
    """Field by field, for one that is known by heart."""
    read = AutomataJournal.decode(journal)
    assert (read.quote_version, read.verified_at) == (4, 0x684112BC)
    assert read.advisories
    assert all(item.startswith("INTEL-") for item in read.advisories)
    assert len(read.content_hashes) == len(set(read.content_hashes)) == 6
    assert b"".join(read.content_hashes) == journal[-192:]


@pytest.mark.parametrize("status", [6, 7, 255])
def test_a_status_that_yields_no_verdict_is_refused(journal: bytes, status: int) -> None:
    """Revoked and unrecognised platforms have proofs of that guest; they count for nothing."""
    with pytest.raises(EvidenceRejected) as caught:
        AutomataJournal.decode(journal[:6] + bytes([status]) + journal[7:])
    assert caught.value.reason is Reason.RECEIPT_MALFORMED


def test_malformed_journals_are_refused(journal: bytes) -> None:
    """Every cut, a longer one, other lengths, bodies and advisories: always the same reason."""
    broken = [journal[:cut] for cut in range(0, len(journal), 7)]
    broken += [journal + b"\0", b"\xff\xff" + journal[2:], bytes(70_000)]
    broken += [journal[:4] + b"\0\x09" + journal[6:]]
    advisories = 2 + 4 + 7 + 584
    for place in (advisories + 31, advisories + 63, advisories + 95):
        changed = bytearray(journal)
        changed[place] ^= 0xFF
        broken.append(bytes(changed))
    for junk in broken:
        with pytest.raises(EvidenceRejected) as caught:
            AutomataJournal.decode(junk)
        assert caught.value.reason is Reason.RECEIPT_MALFORMED


def test_the_earlier_form(shared: Path) -> None:
    """TEE type by number or by the quote's bytes, without advisories; statuses as ever."""
    manifest = shared / "vectors" / "zk"
    seen = set()
    for path in sorted(manifest.rglob("*.json")):
        item = json.loads(path.read_text())
        raw = bytes.fromhex(str(item.get("journal", "0x"))[2:])
        if len(raw) != 799 or raw[:2] != b"\x02\x55":
            continue
        seen.add(raw[4:8])
        good = raw[:8] + b"\0" + raw[9:]
        read = AutomataJournal.decode(good)
        assert (read.body, read.advisories) == (Body.TD10, ())
        assert read.fmspc.hex() == "90c06f000000"
        assert replace(read, tcb_status=TcbStatus.OUT_OF_DATE) != read
    assert seen == {bytes.fromhex("81000000"), bytes.fromhex("00000081")}
