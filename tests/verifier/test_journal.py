"""The journal: one verdict, one encoding, the same in Python, in Solidity and in `eth_abi`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quotary.errors import ParseError, Reason
from quotary.journal import MAX_JOURNAL_BYTES, Verdict
from quotary.tcb import TcbStatus, TeeType

from tests.verifier.build_vectors import VECTORS, build

CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]


def verdict_of(case: dict[str, Any]) -> Verdict:
    """Build the verdict a vector describes."""
    fields = case["fields"]

    def raw(name: str) -> bytes:
        return bytes.fromhex(fields[name][2:])

    return Verdict(
        tee_type=TeeType[case["teeTypeName"]],
        tcb_status=TcbStatus(case["tcbStatusName"]),
        verified_at=fields["verifiedAt"],
        valid_from=fields["validFrom"],
        valid_until=fields["validUntil"],
        tcb_date=fields["tcbDate"],
        tcb_evaluation_data_number=fields["tcbEvaluationDataNumber"],
        fmspc=raw("fmspc"),
        quote_hash=raw("quoteHash"),
        platform_id=raw("platformId"),
        attestation_key_id=raw("attestationKeyId"),
        root_key_hash=raw("rootKeyHash"),
        collateral_hashes=tuple(bytes.fromhex(h[2:]) for h in fields["collateralHashes"]),
        advisories=tuple(case["advisoryIds"]),
        measurement=raw("measurement"),
        report_data=raw("reportData"),
    )


def decoded_or_reason(journal: bytes) -> Verdict | Reason:
    """Decode, or say why not."""
    try:
        return Verdict.from_journal(journal)
    except ParseError as error:
        return error.reason


def test_vectors_are_what_the_generator_writes() -> None:
    """The checked-in vectors are current."""
    assert VECTORS.read_text(encoding="utf-8") == build()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_encoding_digest_and_id_equal_the_vector(case: dict[str, Any]) -> None:
    """Encoding, digest and measurement id are those `eth_abi` computed."""
    verdict = verdict_of(case)
    assert "0x" + verdict.journal().hex() == case["journal"]
    assert "0x" + verdict.journal_digest.hex() == case["journalDigest"]
    assert "0x" + verdict.measurement_id.hex() == case["fields"]["measurementId"]
    assert "0x" + verdict.advisories_hash.hex() == case["fields"]["advisoriesHash"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_decoding_inverts_encoding(case: dict[str, Any]) -> None:
    """A decoded journal is the verdict it was made of."""
    assert Verdict.from_journal(bytes.fromhex(case["journal"][2:])) == verdict_of(case)


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case["name"])
def test_every_changed_byte_is_refused_or_is_another_verdict(case: dict[str, Any]) -> None:
    """No two journals decode to one verdict."""
    journal = bytes.fromhex(case["journal"][2:])
    original = verdict_of(case)
    for position in range(len(journal)):
        changed = bytearray(journal)
        changed[position] ^= 0x40
        decoded = decoded_or_reason(bytes(changed))
        assert decoded is Reason.JOURNAL_INVALID or decoded != original


def test_revoked_and_unknown_statuses_have_no_journal() -> None:
    """A revoked platform yields no verdict, so no journal may claim one."""
    journal = bytearray.fromhex(CASES[0]["journal"][2:])
    for status in (0, 9, 200):
        journal[3 * 32 + 31] = status
        with pytest.raises(ParseError) as caught:
            Verdict.from_journal(bytes(journal))
        assert caught.value.reason is Reason.JOURNAL_INVALID


def test_truncated_and_oversized_journals_are_refused() -> None:
    """Every prefix, and every journal beyond the bound, is refused."""
    journal = bytes.fromhex(CASES[2]["journal"][2:])
    for length in range(len(journal)):
        with pytest.raises(ParseError):
            Verdict.from_journal(journal[:length])
    with pytest.raises(ParseError) as caught:
        Verdict.from_journal(bytes(MAX_JOURNAL_BYTES + 1))
    assert caught.value.reason is Reason.INPUT_TOO_LARGE


def test_json_form_shows_times_as_text_and_bytes_as_hex() -> None:
    """What the command line prints is readable and complete."""
    shown = verdict_of(CASES[0]).to_json()
    assert shown["verified_at"] == "2025-06-15T15:06:40Z"
    assert shown["tee_type"] == "SGX"
    measurement = shown["measurement"]
    assert isinstance(measurement, dict)
    assert set(measurement) >= {"mr_enclave", "mr_signer", "attributes", "isv_svn"}
    json.dumps(shown)
