"""What `quotary gateway` refuses: of gateways, of folders and of whoever replays."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Event

import pytest
from quotary.errors import Reason as Refusal
from quotary.errors import VerificationError
from quotary_bridge.errors import ContractError, Reason
from quotary_bridge.gateways import Demands, ExchangeFolder, Protocol, speech

from tests.bridge.gateway_desk import Desk, refused, reverted
from tests.bridge.gateway_town import APP, APP_ID, NOW, OTHER, OTHER_ID, honest, image_of
from tests.verifier.workloads.guests import AT, hardware
from tests.verifier.workloads.services import session

pytest_plugins = ["tests.bridge.gateway_fixtures"]


def test_a_keyset_that_changed_after_the_report_signs_nothing(desk: Desk) -> None:
    """The receipt names another keyset than the one that is enrolled."""
    desk.enrolled()
    desk.serving.keyset = {**desk.serving.keyset, "not_after": NOW + 1800}
    refused(desk.ask(), 1, Refusal.KEYSET_DIGEST_MISMATCH)
    refused(desk.record(), 6, Reason.CONFIGURATION_MISSING)


@pytest.mark.parametrize("part", ["request", "response", "signature"])
def test_what_was_tampered_with_is_refused(desk_of_either: Desk, part: str) -> None:
    """By the gateway or on the way: the bodies that were signed are others."""
    desk, serving = desk_of_either, desk_of_either.serving

    def twist(path: str, body: bytes) -> bytes:
        if part == "response" and path.endswith("completions"):
            return body.replace(b"choices", b"Choices")
        if part == "request" and path.endswith("completions"):
            request, made = serving.exchanges["chatcmpl-1"]
            serving.exchanges["chatcmpl-1"] = (request + b" ", made)
        if part == "signature" and "chatcmpl" in path:
            document = json.loads(body)
            flipped = bytearray.fromhex(document["signature"].removeprefix("0x"))
            flipped[40] ^= 1
            return json.dumps({**document, "signature": flipped.hex()}).encode()
        return body

    desk.enrolled()
    serving.twist = twist
    reason = "MESSAGE_SIGNATURE_INVALID" if part == "signature" else "BODY_HASH_MISMATCH"
    refused(desk.ask(), 1, reason)
    refused(desk.record(), 6, Reason.CONFIGURATION_MISSING)


def test_files_that_changed_since_are_not_recorded(desk_of_either: Desk) -> None:
    """What was verified is what is recorded, byte for byte."""
    desk, kept = desk_of_either, desk_of_either.folder / "kept"
    desk.asked()
    signed = kept / ("receipt.json" if desk.protocol == "aci" else "signature.json")
    for path in (signed, kept / "response.bin"):
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"chatcmpl-1", b"chatcmpl-2") + b" ")
        refused(desk.record(), 6, Reason.CONFIGURATION_MISSING)
        path.write_bytes(whole)
    (kept / "terms.json").write_text("{}")
    refused(desk.record(), 6, Reason.FILE_UNREADABLE)


def test_another_session_than_the_receipt_cites_is_refused(desk: Desk) -> None:
    """The exchange is recorded only where the upstream was verified, too."""
    desk.serving.serving = "aggregator"
    desk.enrolled()
    desk.serving.twist = lambda path, body: (
        json.dumps(session(expires_at=NOW + 61)).encode() if "sessions" in path else body
    )
    refused(desk.ask(), 1, Refusal.SESSION_MISMATCH)
    refused(desk.record(), 6, Reason.CONFIGURATION_MISSING)
    desk.serving.twist = honest
    refused(desk.ask("--session-id", "ab" * 32), 1, Refusal.SESSION_MISMATCH)
    assert desk.ask().code == 0
    # The gateway forgets; what was fetched is there for other demands.
    desk.serving.twist = lambda path, body: (404, b"") if "chatcmpl" in path else body
    refused(desk.ask("--session-id", "ab" * 32), 1, Refusal.SESSION_MISMATCH)
    assert desk.run().json["record"]["sent"]
    assert desk.serving.answers == 1


def test_the_channel_is_one_of_the_keysets(desk: Desk) -> None:
    """The TLS key that answered is listed for the host, or was let pass knowingly."""
    listed = {"spki_sha256": "c0" * 32, "domain": "gateway.example"}
    desk.serving.keyset = {**desk.serving.keyset, "tls_public_keys": [listed]}
    desk.asked()
    kept = ExchangeFolder(desk.folder / "kept")
    challenged, answered, paper = kept.challenged(), kept.answered(), kept.paper(Protocol.ACI)
    assert challenged is not None
    assert answered is not None
    assert paper is not None
    demands = Demands(hardware, AT, host="gateway.example")

    def proven(demands: Demands, tls_key: bytes) -> set[str]:
        spoken = replace(answered, tls_key=tls_key)
        found = speech(Protocol.ACI).verify(challenged, spoken, paper, demands)
        return {statement.code for statement in found.proves}

    assert "CHANNEL_BOUND" in proven(demands, b"\xc0" * 32)
    for other, key in ((demands, b"\xc1" * 32), (replace(demands, host="other"), b"\xc0" * 32)):
        with pytest.raises(VerificationError) as caught:
            proven(other, key)
        assert caught.value.reason == Refusal.CHANNEL_NOT_BOUND
        with pytest.raises(VerificationError):
            speech(Protocol.ACI).signers(replace(challenged, tls_key=key), other)
        assert "CHANNEL_BOUND" not in proven(replace(other, allow_unbound_channel=True), key)


def test_an_exchange_is_recorded_once(desk_of_either: Desk) -> None:
    """Whoever replays it, from whatever folder."""
    desk, town = desk_of_either, desk_of_either.town
    desk.asked()
    kept = ExchangeFolder(desk.folder / "kept")
    challenged, answered = kept.challenged(), kept.answered()
    paper = kept.paper(Protocol(desk.protocol))
    assert challenged is not None
    assert answered is not None
    assert paper is not None
    signed = speech(Protocol(desk.protocol)).signed(challenged.report, answered, paper.document)
    if signed.key is not None:
        bodies = (signed.request_hash, signed.response_hash, signed.key, signed.signature)
        adapter, once = town.desk.exchanges.address, "AlreadyRecorded"
        data = town.desk.exchanges.record(APP_ID, *bodies)
        foreign = town.desk.exchanges.record(OTHER_ID, *bodies)
    else:
        adapter, once = town.desk.receipts.address, "ReceiptKnown"
        data = town.desk.receipts.record(APP_ID, signed.document, signed.signature)
        foreign = town.desk.receipts.record(OTHER_ID, signed.document, signed.signature)
    # The key counts for the app it was enrolled for, and for no other.
    with pytest.raises(ContractError, match="KeyUnknown"):
        town.transact(adapter, foreign)
    town.transact(adapter, data, 7)
    assert not desk.record().json["record"]["sent"]
    with pytest.raises(ContractError, match=once):
        town.transact(adapter, data, 7)


def test_a_gateway_counts_for_no_app_that_did_not_admit_its_image(desk_of_either: Desk) -> None:
    """Enrolment is refused by the notary; a question is not even sent."""
    desk = desk_of_either
    desk.app = OTHER
    reverted(desk.enrol("--dry-run"), "MeasurementNotAdmitted")
    (quote,) = (desk.folder / "kept").glob("quote-*.bin")
    assert image_of(quote.read_bytes()) == desk.town.image, "what would have to be admitted"
    reverted(desk.enrol(), "MeasurementNotAdmitted")
    refused(desk.ask(), 1, Reason.EVIDENCE_REJECTED)
    assert desk.serving.answers == 0


def test_a_revoked_image_ends_its_keys(desk_of_either: Desk) -> None:
    """No prompt goes to it any more, and what it signed before is recorded no more."""
    desk, town = desk_of_either, desk_of_either.town
    desk.asked()
    town.transact(town.registry.address, town.registry.revoke(APP_ID, town.image), 1)
    reverted(desk.record(), "BondLapsed")
    refused(desk.ask("--again"), 1, Reason.EVIDENCE_REJECTED)
    refused(desk.enrol(), 1, Reason.EVIDENCE_REJECTED)
    reverted(desk.enrol("--renew"), "MeasurementNotAdmitted")
    assert desk.serving.answers == 1


@pytest.mark.parametrize(
    ("where", "twisted", "reason"),
    [
        ("attestation", (302, b""), Refusal.FETCH_STATUS),
        ("completions", (307, b""), Refusal.FETCH_STATUS),
        ("completions", b"x" * (8 * 1024 * 1024 + 1), Refusal.INPUT_TOO_LARGE),
        ("receipts", b"{}" + b" " * 8 * 1024 * 1024, Refusal.INPUT_TOO_LARGE),
        ("completions", b"{}", Refusal.FETCH_ANSWER_INVALID),
    ],
    ids=["redirected report", "redirected prompt", "flood", "flood of a receipt", "no id"],
)
def test_answers_that_are_none_end_in_exit_code_3(
    desk: Desk, where: str, twisted: tuple[int, bytes] | bytes, reason: Refusal
) -> None:
    """Nothing was proven, and nothing refuted; no redirect is followed."""
    desk.serving.twist = lambda path, body: twisted if where in path else body
    refused(desk.run(), 3, reason)
    assert not any("elsewhere" in path for path in desk.serving.asked)


def test_a_gateway_that_never_answers_costs_seconds(desk: Desk) -> None:
    """The server waits for the test's end, the command only as long as it was told."""
    over = Event()

    def never(_: str, body: bytes) -> bytes:
        over.wait()
        return body

    desk.serving.twist = never
    try:
        refused(desk.enrol("--answer-seconds", "0.2"), 3, Refusal.FETCH_TIMEOUT)
    finally:
        over.set()


def test_a_folder_is_about_one_exchange(desk: Desk) -> None:
    """Another gateway, app, protocol or request is refused, and says which there is."""
    desk.asked()
    for option, value in (
        ("--url", "http://127.0.0.1:1"),
        ("--app", OTHER),
        ("--protocol", "chat"),
        ("--request", desk.folder / "other.json"),
    ):
        (desk.folder / "other.json").write_text("{}")
        refused(desk.ask(option, value), 6, Reason.CONFIGURATION_INVALID)
    assert desk.serving.answers == 1
    assert desk.ask("--again").code == 0
    assert desk.serving.answers == 2


def test_one_run_at_a_time_works_in_a_folder(desk: Desk) -> None:
    """Two at once would ask twice; the lock goes with whoever holds it."""
    desk.enrolled()
    kept = ExchangeFolder(desk.folder / "kept")
    with kept.held():
        for step in (desk.run, desk.enrol, desk.ask, desk.record):
            refused(step(), 6, Reason.CONFIGURATION_INVALID)
        assert desk.status()["answered"] is False
    assert desk.run().code == 0


def test_the_folder_is_its_owners_alone(desk: Desk) -> None:
    """Prompts may be private; and an address that nobody should ask makes no folder."""
    desk.enrolled()
    assert (desk.folder / "kept").stat().st_mode & 0o077 == 0
    unsafe = ("--url", "http://gateway.example", "--app", APP)
    new = (desk.folder / "no", *unsafe, *desk.town.evidence, *desk.town.sending)
    refused(desk.quotary("gateway", "enrol", *new, "--json"), 6, Refusal.TLS_REQUIRED)
    assert not (desk.folder / "no").exists()


def test_time_ends_what_was_enrolled(desk_of_either: Desk) -> None:
    """Key and keyset end with their verdict; a new one needs collateral of its day."""
    desk = desk_of_either
    desk.asked()
    desk.town.node.chain.rpc("evm_increaseTime", [2 * 365 * 24 * 3600])
    desk.town.node.mine()
    reverted(desk.record(), "BondLapsed")
    refused(desk.ask(), 7, Refusal.CRL_EXPIRED)
