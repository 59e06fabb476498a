"""Shortcuts for usual forms find what the strict parsers find, or leave the bytes to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from quotary import ParseError, Quote, RawCollateral, Reason
from quotary._der import BIT_STRING, INTEGER, SEQUENCE, DerReader
from quotary.collateral import QeIdentity, TcbInfo
from quotary.collateral._documents import _read_qe_identity, _read_tcb_info
from quotary.collateral._fields import Fields
from quotary.collateral._json import parse_object
from quotary.collateral._usual import read_usual_qe_identity, read_usual_tcb_info
from quotary.quote import CertificationType, _read_any, _read_usual
from quotary.x509 import Certificate, RevocationList, split_pem
from quotary.x509._certificate import _read_body
from quotary.x509._common import _split_any, _split_usual
from quotary.x509._crl import _USUAL_ENTRIES, _check_entries, _read_entries
from quotary.x509._crl import _read_body as _read_list
from quotary.x509._crl import _read_usual as _read_usual_list
from quotary.x509._pck import _parse, _parse_any, _parse_usual
from quotary.x509._usual import read_usual_pck
from quotary_enclave.simulator import Simulator, der, samples

from tests.verifier.genuine import genuine_cases

SAMPLES = samples(Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"usual"))


def leaf_of(name: str) -> bytes:
    return split_pem(Quote.parse(SAMPLES[name].mint().quote).certification_data, "chain", 3)[0]


def changed(data: bytes, seed: int) -> Iterator[bytes]:
    """Every byte of `data`, changed one after another to values that parsers treat differently."""
    random = Random(seed)
    for position, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x80, 0x00, 0xFF, 0x39, random.randrange(256)} - {byte}:
            yield data[:position] + bytes([other]) + data[position + 1 :]


def outcome(read: Callable[..., object], *arguments: object) -> object:
    """What reading returns, or the reason of the refusal."""
    try:
        return read(*arguments)
    except ParseError as error:
        return error.reason


@pytest.mark.parametrize("name", ["sgx-v3-platform", "td10-v4-processor"])
def test_a_usual_certificate_is_read_as_any_certificate_is(name: str) -> None:
    """Whatever one byte is changed to, the shortcut agrees with the parser or declines."""
    tbs = Certificate.parse(leaf_of(name), "PCK").tbs
    assert read_usual_pck(tbs, "PCK") == _read_body(tbs, "PCK")
    usual = 0
    for other in changed(tbs, 1):
        found = outcome(lambda other=other: read_usual_pck(other, "PCK"))
        if found is not None:
            usual += 1
            assert found == outcome(lambda other=other: _read_body(other, "PCK"))
    assert usual > len(tbs)


def test_a_certificate_cut_short_or_drawn_out_is_not_usual() -> None:
    """Nothing is read beyond the end, and no byte is left over."""
    tbs = Certificate.parse(leaf_of("td10-v4-platform"), "PCK").tbs
    for other in (*(tbs[:length] for length in range(len(tbs))), tbs + b"\0"):
        assert read_usual_pck(other, "PCK") is None


def test_genuine_certificates_are_usual(shared: Path) -> None:
    """All that were collected: platform and processor CA, three versions of Intel's service."""
    leaves = {
        split_pem(quote.certification_data, "chain", 3)[0]
        for quote in (Quote.parse(case.quote) for case in genuine_cases(shared))
        if quote.certification_type is CertificationType.PCK_CHAIN
    }
    assert leaves
    for leaf in leaves:
        certificate = Certificate.parse(leaf, "PCK")
        assert read_usual_pck(certificate.tbs, "PCK") == _read_body(certificate.tbs, "PCK")


def extension_with(**versions: Any) -> bytes:
    """The SGX extension of a platform of such versions."""
    sim = Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"usual")
    quote = Quote.parse(sim.platform(**versions).quote(SAMPLES["td10-v4-platform"].quote.body))
    leaf = split_pem(quote.certification_data, "chain", 3)[0]
    extension = Certificate.parse(leaf, "PCK").sgx_extension
    assert extension is not None
    return extension


LONG: dict[str, dict[str, Any]] = {
    "none": {},
    "components": {"components": (14, 14, 3, 3, 255, 255, 1, *[0] * 8, 128)},
    "all": {"components": (200,) * 16, "pce_svn": 130},
}


@pytest.mark.parametrize("name", LONG)
def test_a_usual_extension_is_read_as_any_extension_is(name: str) -> None:
    """Whatever one byte is changed to, the shortcut agrees with the parser or declines."""
    extension = extension_with(**LONG[name])
    assert _parse_usual(extension) == _parse_any(extension)
    for other in changed(extension, 2):
        found = _parse_usual(other)
        expected = outcome(lambda other=other: _parse_any(other))
        assert found is None or found == expected
        assert outcome(lambda other=other: _parse(other)) == expected


def signed(encoding: bytes, first: int = 0x82) -> bytes:
    """A signed part of 256 bytes or of 200, the algorithm, and `encoding` for a signature."""
    tbs = b"\x30\x82\x01\x00" + bytes(256) if first == 0x82 else b"\x30\x81\xc8" + bytes(200)
    bits = bytes([BIT_STRING, len(encoding) + 1, 0]) + encoding
    body = tbs + bytes.fromhex("300a06082a8648ce3d040302") + bits
    return b"\x30\x82" + len(body).to_bytes(2) + body


def pairs() -> Iterator[bytes]:
    """Encodings of two integers at their edges."""
    numbers = [b"", b"\0", b"\1", b"\x7f", b"\x80", b"\0\x7f", b"\0\x80", b"\xff\1"]
    numbers += [start + bytes(31) for start in (b"\0", b"\1", b"\x7f", b"\x80", b"\0\x80", b"\0\1")]
    for first in numbers:
        for second in numbers:
            body = b"".join(bytes([INTEGER, len(n)]) + n for n in (first, second))
            yield bytes([SEQUENCE, len(body)]) + body


@pytest.mark.parametrize("first", [0x81, 0x82])
def test_a_usual_signature_is_one_that_the_reader_accepts(first: int) -> None:
    """The shortcut finds what the reader finds, or declines; and finds integers of 32 bytes."""
    usual = 0
    for encoding in pairs():
        whole = signed(encoding, first)
        found = _split_usual(whole)
        assert found is None or found == outcome(lambda whole=whole: _split_any(whole, "item"))
        usual += found is not None
    assert usual == 9


@pytest.mark.parametrize("first", [0x81, 0x82])
def test_a_usual_signed_object_is_read_as_any_is(first: int) -> None:
    """Whatever one byte is changed to, the shortcut agrees with the reader or declines."""
    numbers = (b"\0\x80" + bytes(31), b"\1" + bytes(31))
    body = b"".join(bytes([INTEGER, len(n)]) + n for n in numbers)
    whole = signed(bytes([SEQUENCE, len(body)]) + body, first)
    assert _split_usual(whole) == _split_any(whole, "item")
    for other in changed(whole, first):
        found = _split_usual(other)
        assert found is None or found == outcome(lambda other=other: _split_any(other, "item"))


HIGH, LOW = (1 << 159) + 7, (1 << 158) + 5
"""Serial numbers of twenty bytes, written with a zero before them and without."""
CROWD = (HIGH, LOW, *range(LOW + 1, LOW + 9), HIGH + 1)
"""As many as it takes for the length of all entries to be written in two bytes."""


def list_with(serials: tuple[int, ...]) -> RevocationList:
    """A list of these numbers, all revoked at one time for one reason; not signed."""
    minted = SAMPLES["td10-v4-platform"].with_pck_crl(revokes=(LOW,)).mint().collateral["pck_crl"]
    crl = RevocationList.parse(bytes.fromhex(minted), "list")
    body = DerReader(crl.tbs, "list").enter(SEQUENCE).rest()
    front, back = body.split(der.sequence(crl.entries))
    after_serial = crl.entries.partition(LOW.to_bytes(20))[2]
    entries = [der.sequence(der.integer(serial), after_serial) for serial in serials]
    tbs = der.sequence(front, der.sequence(*entries) if entries else b"", back)
    return RevocationList(tbs, b"", *_read_list(tbs, "list"), b"")


@pytest.mark.parametrize("serials", [CROWD, (*CROWD, 9), ()], ids=["alike", "one short", "none"])
def test_a_usual_list_is_read_as_any_list_is(serials: tuple[int, ...]) -> None:
    """Whatever one byte is changed to, the shortcut agrees with the parser or declines."""
    tbs = list_with(serials).tbs
    assert _read_usual_list(tbs, "list") == _read_list(tbs, "list")
    # The length of it all was read before, to tell it from the signature.
    for other in (tbs[:4] + rest for rest in changed(tbs[4:], 4)):
        found = outcome(_read_usual_list, other, "list")
        assert found is None or found == outcome(_read_list, other, "list")


def test_usual_entries_are_checked_as_any_entries_are() -> None:
    """Whatever is changed or cut off: accepted without taking it apart only when it comes apart."""
    entries = list_with((HIGH, LOW, LOW + 1)).entries
    cut = (entries[:length] for length in range(len(entries)))
    usual = 0
    for other in (*changed(entries, 5), *cut, entries + b"\0", entries * 2):
        checked = outcome(_check_entries, other, "list")
        read = outcome(_read_entries, other, "list")
        assert isinstance(read, frozenset) if checked is None else checked == read
        usual += _USUAL_ENTRIES.fullmatch(other) is not None
    assert usual > len(entries)


def test_a_list_lists_its_numbers_and_no_others() -> None:
    """Not the neighbours of its numbers, nor what only looks like one inside of its entries."""
    crl = list_with((HIGH, LOW, 9))
    assert crl.revoked == {HIGH, LOW, 9}
    inside = {
        int.from_bytes(crl.entries[start:end])
        for start in range(len(crl.entries))
        for end in range(start + 1, min(start + 22, len(crl.entries) + 1))
    }
    others = {0, 8, 10, HIGH + 1, LOW - 1, HIGH >> 8, LOW & ((1 << 152) - 1)} | inside
    for serial in others:
        assert crl.lists(serial) == (serial in {HIGH, LOW, 9})
    assert all(map(crl.lists, (HIGH, LOW, 9)))
    assert not any(map(list_with(()).lists, others))


Reading = Callable[[str], object]


def documents() -> Iterator[tuple[str, Reading, Reading, Reading]]:
    """Signed documents, each with how it is parsed, read when it is usual, and read strictly."""
    for name in ("sgx-v3-platform", "td15-v5-platform"):
        raw = RawCollateral.from_json(json.dumps(SAMPLES[name].mint().collateral))
        yield (raw.tcb_info.decode(), *readings(TcbInfo))
        yield (raw.qe_identity.decode(), *readings(QeIdentity))


def readings(form: type[TcbInfo | QeIdentity]) -> tuple[Reading, Reading, Reading]:
    """How a document is parsed, read when it is usual, and read strictly."""
    info = form is TcbInfo
    item = "tcb_info" if info else "qe_identity"
    read: Callable[[Fields], object] = _read_tcb_info if info else _read_qe_identity

    def usual(text: str) -> object:
        fields = (read_usual_tcb_info if info else read_usual_qe_identity)(text)
        return None if fields is None else form(*fields)

    return (
        lambda text: form.parse(text.encode()),
        usual,
        lambda text: read(Fields(parse_object(text, item), item)),
    )


def test_a_usual_document_is_read_as_any_document_is() -> None:
    """Whatever one character is changed to, the shortcut agrees with strict reading or declines."""
    declined = 0
    for text, _, usual, strict in list(documents())[1:3]:
        assert usual(text) == strict(text)
        for other in changed(text.encode(), 3):
            shown = other.decode("latin-1")
            found = usual(shown)
            declined += found is None
            assert found is None or found == strict(shown), shown
    assert declined


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"svn":0}', '{"svn":00}'),
        ('{"svn":0}', '{"svn":0.0}'),
        ('{"svn":0}', '{"svn":256}'),
        ('{"svn":0}', '{"svn":0},{"svn":0}'),
        (',{"svn":0}]', "]"),
        ('"BIOS"', '"BIOS","svn":0'),
        ('"BIOS"', '"BI\\u004fS"'),
        ('"BIOS"', '"BIÖS"'),
        ('"pcesvn":', '"pcesvn":65536,"pcesvn":'),
        ("]}", "]}]}"),
        ("]}", "],}"),
        ("]}", "]"),
        ("Z", "z"),
        ("UpToDate", "Uptodate"),
        ("UpToDate", "TDRelaunchAdvised"),
        ('"INTEL-SA-', '"INTEL-SA-,"'),
        ('"INTEL-SA-', '"INTEL-SA-' + "0" * 32),
        ('"INTEL-SA-', '","INTEL-SA-'),
        ('{"tcb"', '{ "tcb"'),
        ('},{"tcb"', '}, {"tcb"'),
        ('},{"tcb"', '}{"tcb"'),
        ("TDX_0", "TDX_00"),
        ('"TDX_01"', '"TDX_00"'),
        ('"TDX_01"', '"TDX_03"'),
        ('"tdxModuleIdentities":[', '"tdxModuleIdentities":[],'),
    ],
)
def test_documents_that_are_nearly_usual(old: str, new: str) -> None:
    """Each place of a text changed: read as strict reading reads it, or left to it."""
    met = 0
    for text, parse, usual, strict in documents():
        for place in re.finditer(re.escape(old), text):
            met += 1
            other = text[: place.start()] + new + text[place.end() :]
            found = usual(other)
            assert found is None or found == strict(other), other
            assert outcome(parse, other) == outcome(strict, other), other
    assert met


def test_genuine_documents_are_usual(shared: Path) -> None:
    """All that were collected, but for TCB infos of version 2; read as strict reading does."""
    met = usual_ones = 0
    for case in genuine_cases(shared):
        raw = RawCollateral.from_json(case.collateral_path.read_bytes())
        for document, form in ((raw.tcb_info, TcbInfo), (raw.qe_identity, QeIdentity)):
            _, usual, strict = readings(form)
            found = usual(document.decode())
            met += 1
            if found is not None:
                usual_ones += 1
                assert found == strict(document.decode())
            else:
                assert form is TcbInfo
                assert strict(document.decode()).version == 2
    assert usual_ones > met // 2


def test_entries_in_another_order_are_not_usual() -> None:
    """Sorting, and finding what stands twice, is left to strict reading."""
    met = 0
    for text, parse, usual, strict in documents():
        levels = re.findall(r'\{"tcb":\{.*?"\]?\}(?=[,\]])', text)
        identities = re.findall(r'\{"id":"TDX_.*?\]\}\]\}', text)
        others = [text.replace(f"{a},{b}", f"{b},{a}") for a, b in pairwise(levels)]
        others += [text.replace(each, f"{each},{each}") for each in (*levels, *identities)]
        for other in others:
            met += other != text
            assert usual(other) is None or other == text
            assert outcome(parse, other) == outcome(strict, other)
    assert met >= 14


@pytest.mark.parametrize("gap", ["", " ", "\n"])
def test_no_key_may_stand_twice_in_a_document(gap: str) -> None:
    """Every key of every object repeated, with white space before its colon."""
    for text, parse, _, _ in documents():
        spaced = text.replace('":', f'"{gap}:')
        parse(spaced)
        for key in re.finditer(r'"\w+"\s*:', spaced):
            twice = f"{spaced[: key.start()]}{key[0]}0,{spaced[key.start() :]}"
            assert outcome(parse, twice) == Reason.JSON_DUPLICATE_KEY, twice


def test_a_usual_quote_is_read_as_any_quote_is() -> None:
    """Lengths and types of the signature data changed, and bytes cut off or added."""
    for name in ("sgx-v3-platform", "td15-v5-platform"):
        data = SAMPLES[name].mint().quote
        quote = Quote.parse(data)
        start, version = len(quote.signed_bytes), quote.version
        assert _read_usual(data, start, version) == _read_any(data, start, version)
        lengths = {*range(4), *range(132, 138), *range(518, 522)}
        lengths |= {*range(580, 596), *range(610, 640)}
        others = [
            data[: start + at] + bytes([byte]) + data[start + at + 1 :]
            for at in lengths
            for byte in range(256)
        ]
        others += [data[:length] for length in range(start, len(data))]
        others += [data + b"\0", data + b"\0" * 9, data + b"\1", data + b"\0\1"]
        for other in others:
            found = outcome(_read_usual, other, start, version)
            expected = outcome(_read_any, other, start, version)
            assert found in (None, expected)
