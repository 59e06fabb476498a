"""The guest: one program, whose journal is the verifier's, byte for byte; and receipts as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary import INTEL_ROOT, ParseError, QuotaryError, Reason, TcbStatus, strict, verify
from quotary_bridge.errors import BridgeError, EvidenceRejected
from quotary_bridge.errors import Reason as BridgeReason
from quotary_bridge.zk import RELEASES, GuestInput, Receipt, execute, stub_seal
from quotary_bridge.zk.guest import MAX_INPUT_BYTES
from quotary_bridge.zk.receipt import MAX_RECEIPT_BYTES

from tests.contracts.zk_vectors import risc_zero_vectors
from tests.verifier.genuine import Case, genuine_cases, pick

ROOT = INTEL_ROOT.certificate.der
IMAGE = sha256(b"guest").digest()


def _given(case: Case) -> GuestInput:
    return GuestInput(case.quote, case.raw, int(case.at.timestamp()), ROOT)


@pytest.fixture(scope="module")
def some(shared: Path) -> GuestInput:
    return _given(pick(shared, "tdx"))


def test_the_guest_agrees_with_the_verifier_on_all_genuine_evidence(shared: Path) -> None:
    """The same journal, or a refusal for the same reason."""
    policy = strict(allowed_statuses=frozenset(TcbStatus) - {TcbStatus.REVOKED})
    proven = refused = 0
    for case in genuine_cases(shared):
        data = _given(case).encode()
        expected = _outcome(
            lambda case=case: verify(case.quote, case.raw, policy=policy, at=case.at).journal()
        )
        assert _outcome(lambda data=data: execute(data)) == expected
        proven += isinstance(expected, bytes)
        refused += isinstance(expected, Reason)
    assert proven > 100
    assert refused > 30


def _outcome(judge: Callable[[], bytes]) -> bytes | Reason:
    """The journal, or why there is none."""
    try:
        return judge()
    except QuotaryError as error:
        return error.reason


def test_input_is_read_back_whole(some: GuestInput) -> None:
    """With and without the optional part; one byte less or more is no input."""
    for value in (
        some,
        replace(some, collateral=replace(some.collateral, pck_certificate_chain=b"chain")),
        replace(some, quote=b"", root=b"", at=0),
    ):
        data = value.encode()
        assert GuestInput.decode(data) == value
        for broken in (data[:-1], data + b"\0", b"\2" + data[1:]):
            with pytest.raises(EvidenceRejected) as caught:
                GuestInput.decode(broken)
            assert caught.value.reason is BridgeReason.GUEST_INPUT_MALFORMED


def test_the_layout_of_the_input(some: GuestInput) -> None:
    """By heart, as docs/guest.md says: a guest in another language reads these bytes."""
    data = replace(some, quote=b"Q", root=b"RR", at=0x0102).encode()
    assert data[:12] == bytes.fromhex("01000000" + "0201000000000000")
    assert data[12:23] == b"\1\0\0\0Q\2\0\0\0RR"
    first = some.collateral.pck_crl_issuer_chain
    assert data[23:].startswith(len(first).to_bytes(4, "little") + first)
    assert data.endswith(bytes(4))


@pytest.mark.parametrize("at", [-1, 1 << 63])
def test_times_that_are_none_are_not_encoded(some: GuestInput, at: int) -> None:
    """The journal could not state them."""
    with pytest.raises(ValueError, match="Unix seconds"):
        replace(some, at=at).encode()


@pytest.mark.parametrize("at", [(1 << 63) - 1, 10**12, 253402300800])
def test_times_beyond_calendars_are_refused(some: GuestInput, at: int) -> None:
    """They end in a reason, not in arithmetic."""
    with pytest.raises((EvidenceRejected, QuotaryError)):
        execute(replace(some, at=at).encode())


def test_another_root_is_another_verdict(some: GuestInput) -> None:
    """The root is an input, and so the journal names it; collateral of another does not verify."""
    with pytest.raises(QuotaryError):
        execute(replace(some, root=b"").encode())
    leaf = some.root[:-1] + bytes([some.root[-1] ^ 1])
    with pytest.raises(QuotaryError):
        execute(replace(some, root=leaf).encode())


def test_input_is_bounded(some: GuestInput) -> None:
    """A guest pays for every byte; nothing is read of what is too long."""
    with pytest.raises(EvidenceRejected):
        GuestInput.decode(bytes(MAX_INPUT_BYTES + 1))
    with pytest.raises(EvidenceRejected):
        GuestInput.decode(replace(some, quote=bytes((1 << 16) + 1)).encode())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_garbage_raises_only_our_errors(some: GuestInput, data: st.DataObject) -> None:
    """Bytes of any kind, and genuine input with some of its bytes replaced."""
    genuine = some.encode()
    raw = data.draw(st.binary(max_size=300))
    start = data.draw(st.integers(0, len(genuine)))
    for junk in (raw, genuine[:start] + raw + genuine[start + len(raw) :]):
        try:
            execute(junk)
        except (QuotaryError, EvidenceRejected):
            continue


def test_a_receipt_file_is_read_back(some: GuestInput) -> None:
    """Everything in it, and nothing more."""
    journal = execute(some.encode())
    receipt = Receipt(IMAGE, journal, stub_seal(IMAGE, sha256(journal).digest()))
    assert Receipt.from_json(receipt.to_json()) == receipt
    assert receipt.verdict().journal() == journal
    assert receipt.is_stub
    assert receipt.seal == b"\xff" * 4 + receipt.claim_digest


def test_broken_receipt_files_have_a_reason(some: GuestInput) -> None:
    """Each field in turn, and texts that are no document."""
    journal = execute(some.encode())
    good = json.loads(Receipt(IMAGE, journal, b"seal").to_json())
    broken: list[object] = [{**good, name: value} for name in good for value in (None, "0xzz", 7)]
    broken += [
        {**good, "image_id": "0x00"},
        {**good, "journal": "0x" + journal[:-32].hex()},
        {**good, "more": 1},
        {**good, "seal": good["seal"][2:]},
        [good],
        "text",
    ]
    texts = [json.dumps(value) for value in broken]
    texts += ["", "{", "[" * 100_000, " " * (MAX_RECEIPT_BYTES + 1)]
    for text in texts:
        with pytest.raises(EvidenceRejected) as caught:
            Receipt.from_json(text)
        assert caught.value.reason is BridgeReason.RECEIPT_MALFORMED


def test_genuine_receipts_verify_without_a_chain(shared: Path) -> None:
    """Of the releases accepted here; older ones, and any change, are refused with a reason."""
    accepted = {release.selector for release in RELEASES}
    seen = set()
    for vector in risc_zero_vectors(shared):
        receipt = Receipt(vector.image_id, vector.journal, vector.seal)
        assert receipt.claim_digest == vector.claim_digest
        if vector.release.selector in accepted and vector.release.selector not in seen:
            assert receipt.verify().selector == receipt.selector
            _refuse(replace(receipt, journal=receipt.journal + b"\0"), "PROOF_INVALID")
            seen.add(receipt.selector)
        elif vector.release.selector not in accepted:
            _refuse(receipt, "SEAL_SELECTOR_UNKNOWN")
    assert seen == accepted
    with pytest.raises(ParseError) as caught:
        receipt.verdict()
    assert caught.value.reason is Reason.JOURNAL_INVALID


def test_changed_seals_are_refused_with_a_reason(shared: Path) -> None:
    """The same reasons as the contract's."""
    vector = next(v for v in risc_zero_vectors(shared) if v.release.selector in _selectors())
    receipt = Receipt(vector.image_id, vector.journal, vector.seal)
    seal = vector.seal
    _refuse(replace(receipt, seal=b""), "SEAL_SELECTOR_UNKNOWN")
    _refuse(replace(receipt, seal=seal[:4]), "SEAL_LENGTH_WRONG")
    _refuse(replace(receipt, seal=seal + b"\0"), "SEAL_LENGTH_WRONG")
    _refuse(replace(receipt, seal=seal[:4] + b"\xff" * 256), "COORDINATE_TOO_LARGE")
    for byte in (35, 67, 99, 131, 163, 195, 227, 259):
        changed = bytearray(seal)
        changed[byte] ^= 1
        _refuse(replace(receipt, seal=bytes(changed)), "POINT_INVALID")
    _refuse(replace(receipt, seal=seal[:4] + bytes(256)), "PROOF_INVALID")
    _refuse(replace(receipt, image_id=bytes(32)), "PROOF_INVALID")


def _selectors() -> set[bytes]:
    return {release.selector for release in RELEASES}


def _refuse(receipt: Receipt, reason: str) -> None:
    with pytest.raises(BridgeError) as caught:
        receipt.verify()
    assert caught.value.reason == reason
