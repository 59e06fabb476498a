"""ACI reports: who serves, established from nothing but evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary._keccak import keccak256
from quotary.errors import QuotaryError, Reason
from quotary.workloads import Expectations, Gap, Proof, Quoted
from quotary.workloads.aci import (
    AciPolicy,
    AciReport,
    Channel,
    Identity,
    ReceiptAlgorithm,
    report_data,
    statement,
    verify_report,
)

from tests.verifier.workloads.guests import AT, DIGEST, Guest, app_compose, hardware
from tests.verifier.workloads.services import (
    EDWARDS_HEX,
    NONCE,
    NOW,
    WALLET_HEX,
    Service,
    keyset,
)


def identify(service: Service, policy: AciPolicy | None = None, **changes: Any) -> Identity:
    arguments = {"nonce": NONCE, "at": AT, "policy": policy} | changes
    return verify_report(AciReport.parse(json.dumps(service.report())), hardware, **arguments)


def refusal(service: Service, policy: AciPolicy | None = None, **changes: Any) -> Reason:
    with pytest.raises(QuotaryError) as caught:
        identify(service, policy, **changes)
    return caught.value.reason


def test_the_specifications_vectors(shared: Path) -> None:
    """Keyset digest, statement and report data, with and without nonce."""
    vectors = json.loads((shared / "vectors/aci/vectors.json").read_text())
    document = Service(keyset=json.loads(vectors["keyset_jcs"])).report()
    digest = AciReport.parse(json.dumps(document)).keyset.digest
    assert digest == vectors["workload_keyset_digest"]
    nonce = bytes.fromhex(vectors["nonce"])
    assert statement(digest, nonce).decode() == vectors["statement"]
    assert statement(digest, None).decode() == vectors["statement_without_nonce"]
    assert report_data(digest, nonce).hex() == vectors["report_data_slot"]
    unchallenged = report_data(digest, None).hex()
    assert unchallenged == vectors["report_data_without_nonce"] + "00" * 32


def test_an_identity_in_order() -> None:
    """What a good report establishes, and what it leaves open."""
    identity = identify(Service())
    assert identity.serving == "direct"
    assert [key.algorithm for key in identity.keyset.receipt_keys] == list(ReceiptAlgorithm)
    assert identity.keyset.skipped == 1
    assert set(identity.proofs) == {
        Proof.GENUINE_TEE,
        Proof.EVENT_LOG,
        Proof.COMPOSE_HASH,
        Proof.IMAGES_PINNED,
        Proof.KEYSET_BOUND,
        Proof.FRESH,
        Proof.PROVENANCE_MEASURED,
    }
    assert set(identity.gaps) == {Gap.OS_IDENTITY, Gap.CODE_INTENT, Gap.CUSTODY, Gap.CHANNEL}
    assert all(statement.text for statement in identity.proves + identity.does_not_prove)


def test_a_pretty_printed_report_is_the_same() -> None:
    """The served encoding is free: hashes are over the JCS form."""
    text = json.dumps(Service().report(), indent=3)
    identity = verify_report(AciReport.parse(text), hardware, nonce=NONCE, at=AT)
    assert identity.keyset.digest == Service().digest


def test_the_unchallenged_form_proves_no_freshness() -> None:
    """It binds the keyset, and may be any age."""
    identity = identify(Service(nonce=None), nonce=None)
    assert Gap.FRESHNESS in identity.gaps
    assert Proof.FRESH not in identity.proofs


def test_a_reviewed_compose_hash_is_provenance() -> None:
    """Then the service need not claim any; a repository alone is its word."""
    bare = Service(provenance={})
    compose_hash = sha256(Guest().compose).digest()
    policy = AciPolicy(expected=Expectations(compose_hash=compose_hash))
    assert Proof.PROVENANCE_MEASURED in identify(bare, policy).proofs
    claimed = Service(provenance={"repo_url": "https://x", "repo_commit": "c0ffee"})
    assert Gap.SOURCE_CLAIM in identify(claimed, policy).gaps


def test_an_observed_channel_is_compared() -> None:
    """The key and the host name both count."""
    right = Channel(b"\xc0" * 32, "api.example.com")
    identity = identify(Service(), channel=right)
    assert Proof.CHANNEL_BOUND in identity.proofs
    assert Gap.CHANNEL not in identity.gaps
    for wrong in (Channel(bytes(32), right.domain), Channel(right.spki_sha256, "evil.example")):
        assert refusal(Service(), channel=wrong) == Reason.CHANNEL_NOT_BOUND


def test_unchecked_hardware_is_said_aloud() -> None:
    """The first gap named."""
    report = AciReport.parse(json.dumps(Service().report()))
    identity = verify_report(report, Quoted.unverified, nonce=NONCE, at=AT)
    assert identity.gaps[0] == Gap.HARDWARE


KEY = {"key_id": "r-1", "algo": "ed25519", "public_key": EDWARDS_HEX}

LIES: dict[str, tuple[Service, Reason]] = {
    "another nonce": (Service(nonce=bytes(32)), Reason.REPORT_DATA_MISMATCH),
    "no nonce": (Service(nonce=None), Reason.REPORT_DATA_MISMATCH),
    "something in the upper half": (
        Service(report_data=Service().slot[:32] + b"\x01" + bytes(31)),
        Reason.REPORT_DATA_MISMATCH,
    ),
    "an expired keyset": (Service(keyset=keyset(not_after=NOW)), Reason.KEYSET_EXPIRED),
    "an eternal keyset": (
        Service(keyset=keyset(not_after=NOW + 10**9)),
        Reason.KEYSET_EXPIRED,
    ),
    "no expiry": (Service(keyset=keyset(not_after=None)), Reason.SCHEMA_INVALID),
    "no provenance": (Service(provenance={}), Reason.PROVENANCE_UNBACKED),
    "an image that is not measured": (
        Service(provenance={"image_digest": "sha256:" + "cd" * 32}),
        Reason.PROVENANCE_UNBACKED,
    ),
    "a repository alone": (
        Service(provenance={"repo_url": "https://x", "repo_commit": "c0ffee"}),
        Reason.PROVENANCE_UNBACKED,
    ),
    "a subject that is not the measured app": (
        Service(keyset=keyset(subject="app-id:0x" + "00" * 20)),
        Reason.WORKLOAD_MISMATCH,
    ),
    "a key in two roles": (
        Service(keyset=keyset(e2ee_public_keys=[KEY])),
        Reason.KEYSET_INVALID,
    ),
    "a key id twice": (
        Service(keyset=keyset(receipt_signing_keys=[KEY, KEY])),
        Reason.KEYSET_INVALID,
    ),
    "a role nobody knows": (
        Service(keyset=keyset() | {"root_keys": []}),
        Reason.KEYSET_INVALID,
    ),
    "a receipt key that is no key": (
        Service(keyset=keyset(receipt_signing_keys=[KEY | {"public_key": "00"}])),
        Reason.SCHEMA_INVALID,
    ),
    "an unpinned image": (
        Service(guest=Guest(compose=app_compose("services:\n  a:\n    image: a:1\n"))),
        Reason.IMAGE_NOT_PINNED,
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused_for_its_reason(lie: str) -> None:
    """The quote is genuine and binds just this report: only the rule named can refuse it."""
    service, reason = LIES[lie]
    assert refusal(service) == reason


def test_a_tls_key_must_not_sign_receipts() -> None:
    """Roles are compared across encodings: the TLS list has digests only."""
    own = AciReport.parse(json.dumps(Service().report())).keyset.receipt_keys[0]
    service = Service(keyset=keyset(tls_public_keys=[{"spki_sha256": own.spki_sha256.hex()}]))
    assert refusal(service) == Reason.KEYSET_INVALID


def edited(path: str, value: object) -> str:
    document = Service().report()
    *parents, last = path.split(".")
    target: Any = document
    for name in parents:
        target = target[name]
    target[last] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("api_version", "aci/2", Reason.API_VERSION_UNSUPPORTED),
        ("workload_keyset_digest", "sha256:" + "00" * 32, Reason.KEYSET_DIGEST_MISMATCH),
        ("attestation.tee_type", "sev_snp", Reason.TEE_TYPE_NOT_ALLOWED),
        ("attestation.report_data", "00" * 32, Reason.REPORT_DATA_MISMATCH),
        ("attestation.evidence.quote_report_data", "00" * 64, Reason.REPORT_DATA_MISMATCH),
        ("attestation.workload_keyset", keyset(subject="evil"), Reason.KEYSET_DIGEST_MISMATCH),
        ("attestation.evidence.event_log", "[]", Reason.EVENT_LOG_MISMATCH),
        ("attestation.evidence.event_log", None, Reason.EVENT_LOG_INVALID),
        ("attestation.evidence.app_compose", "{}", Reason.COMPOSE_INVALID),
        ("attestation.evidence.app_compose", None, Reason.COMPOSE_MISSING),
    ],
)
def test_every_restated_field_is_recomputed(path: str, value: object, reason: Reason) -> None:
    """Nothing beside the quote is believed."""
    with pytest.raises(QuotaryError) as caught:
        verify_report(AciReport.parse(edited(path, value)), hardware, nonce=NONCE, at=AT)
    assert caught.value.reason == reason


def test_time_ends_a_keyset() -> None:
    """The last second before `not_after` is the last one that counts."""
    last = AT + timedelta(seconds=3599)
    assert identify(Service(), at=last).keyset.not_after == NOW + 3600
    assert refusal(Service(), at=last + timedelta(seconds=1)) == Reason.KEYSET_EXPIRED


@pytest.mark.parametrize("serving", ["direct", "aggregator", "magic", None])
def test_unknown_serving_is_behind_an_aggregator(serving: str | None) -> None:
    """Less is believed, never more."""
    report = AciReport.parse(json.dumps(Service(serving=serving or "").report()))
    assert report.serving == ("direct" if serving == "direct" else "aggregator")


ROOT, APP, DERIVED = (PrivateKey(bytes([n]) * 32) for n in (0x31, 0x32, 0x33))
PURPOSE = "aci.receipt.ed25519.v1"


def recoverable(key: PrivateKey, message: bytes) -> str:
    return str(key.sign_msg_hash(keccak256(message)).to_bytes().hex())


def custody(app_id: bytes, **changes: Any) -> dict[str, Any]:
    """A chain as dstack's KMS makes it."""
    derived = DERIVED.public_key.to_compressed_bytes()
    app = APP.public_key.to_compressed_bytes()
    entry = {
        "role": "receipt",
        "public_key": EDWARDS_HEX,
        "kms_public_key": derived.hex(),
        "purpose": PURPOSE,
        "signature_chain": [
            recoverable(APP, f"{PURPOSE}:{derived.hex()}".encode()),
            recoverable(ROOT, b"dstack-kms-issued:" + app_id + app),
        ],
    } | changes
    return {"provider": "dstack-kms", "keys": [entry]}


APP_ID = identify(Service()).workload.app_id
KMS = AciPolicy(kms_roots=frozenset({ROOT.public_key.to_compressed_bytes()}))


def test_custody_by_an_accepted_kms() -> None:
    """The chain ends at the root that the caller accepts, for the measured app."""
    assert Proof.CUSTODY_KMS in identify(Service(custody=custody(APP_ID)), KMS).proofs


@pytest.mark.parametrize(
    "chain",
    [
        None,
        {"provider": "magic"},
        {"provider": "dstack-kms", "keys": []},
        custody(bytes(20)),
        custody(APP_ID, public_key="00" * 32),
        custody(APP_ID, purpose="aci.e2ee.v1"),
        custody(APP_ID, kms_public_key=WALLET_HEX),
        custody(APP_ID, kms_public_key="02" + "00" * 32),
        custody(APP_ID, signature_chain=custody(APP_ID)["keys"][0]["signature_chain"][::-1]),
        custody(APP_ID, signature_chain=[]),
    ],
    ids=[
        "none",
        "provider",
        "no key",
        "app",
        "key",
        "purpose",
        "derived",
        "point",
        "order",
        "chain",
    ],
)
def test_custody_that_proves_nothing(chain: dict[str, Any] | None) -> None:
    """Every link counts."""
    assert refusal(Service(custody=chain), KMS) == Reason.CUSTODY_UNPROVEN


def test_custody_by_another_kms() -> None:
    """A chain of one's own making ends at one's own root."""
    other = replace(KMS, kms_roots=frozenset({APP.public_key.to_compressed_bytes()}))
    assert refusal(Service(custody=custody(APP_ID)), other) == Reason.CUSTODY_UNPROVEN


PATHS = [
    "api_version",
    "attestation",
    "attestation.workload_keyset",
    "attestation.workload_keyset.receipt_signing_keys",
    "attestation.workload_keyset.e2ee_public_keys",
    "attestation.workload_keyset.tls_public_keys",
    "attestation.workload_keyset.not_after",
    "attestation.source_provenance",
    "attestation.evidence",
    "attestation.evidence.quote",
    "attestation.evidence.event_log",
    "attestation.evidence.app_compose",
    "attestation.evidence.vm_config",
    "service_capabilities",
]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.lists(st.none() | st.dictionaries(st.text(max_size=5), st.integers()), max_size=3)
    | st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(), max_size=3)
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(PATHS), VALUES)
def test_hostile_reports_raise_only_our_errors(path: str, value: object) -> None:
    """Whatever a service answers, the reader gets an identity or a reason."""
    try:
        report = AciReport.parse(edited(path, value))
        identity = verify_report(report, hardware, nonce=NONCE, at=AT)
    except QuotaryError:
        return
    ignored = {"service_capabilities", "attestation.evidence.vm_config"}
    assert path in ignored or json.loads(edited(path, value)) == Service().report()
    assert identity.provenance.image_digest == DIGEST
