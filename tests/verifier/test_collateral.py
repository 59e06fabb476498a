"""Collateral JSON: strict over the bytes that were signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quotary import CollateralError, ParseError, QuotaryError, RawCollateral, Reason
from quotary.collateral import MAX_COLLATERAL_BYTES, QeIdentity, TcbInfo, unwrap_signed
from quotary.collateral._json import parse_object

from tests.verifier.genuine import genuine_cases

COMPONENTS = [{"svn": 1}] * 16
LEVEL = {
    "tcb": {"sgxtcbcomponents": COMPONENTS, "pcesvn": 5},
    "tcbDate": "2024-03-13T00:00:00Z",
    "tcbStatus": "UpToDate",
}
TCB_INFO: dict[str, Any] = {
    "id": "SGX",
    "version": 3,
    "issueDate": "2025-06-04T09:51:38Z",
    "nextUpdate": "2025-07-04T09:51:38Z",
    "fmspc": "00806f050000",
    "pceId": "0000",
    "tcbType": 0,
    "tcbEvaluationDataNumber": 17,
    "tcbLevels": [LEVEL],
}
QE_IDENTITY: dict[str, Any] = {
    "id": "QE",
    "version": 2,
    "issueDate": "2025-06-04T09:40:18Z",
    "nextUpdate": "2025-07-04T09:40:18Z",
    "tcbEvaluationDataNumber": 17,
    "miscselect": "00000000",
    "miscselectMask": "FFFFFFFF",
    "attributes": "11" + "00" * 15,
    "attributesMask": "FB" + "FF" * 7 + "00" * 8,
    "mrsigner": "8c" * 32,
    "isvprodid": 1,
    "tcbLevels": [
        {"tcb": {"isvsvn": 8}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "UpToDate"}
    ],
}
MODULE = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}


def tcb_reason(**changes: object) -> Reason | None:
    """Why a TCB info with these changes is refused; a change to None removes the field."""
    document = {name: value for name, value in (TCB_INFO | changes).items() if value is not None}
    try:
        TcbInfo.parse(json.dumps(document).encode())
    except QuotaryError as error:
        return error.reason
    return None


def level(**changes: object) -> list[dict[str, object]]:
    return [LEVEL | changes]


def test_the_base_documents_are_in_order() -> None:
    """What the tables below change parses."""
    assert tcb_reason() is None
    assert QeIdentity.parse(json.dumps(QE_IDENTITY).encode()).isv_prod_id == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "QE"}, Reason.COLLATERAL_TYPE_MISMATCH),
        ({"id": None}, Reason.SCHEMA_INVALID),
        ({"version": 1}, Reason.COLLATERAL_VERSION_UNSUPPORTED),
        ({"version": 4}, Reason.COLLATERAL_VERSION_UNSUPPORTED),
        ({"version": True}, Reason.SCHEMA_INVALID),
        ({"version": "3"}, Reason.SCHEMA_INVALID),
        ({"tcbType": 1}, Reason.COLLATERAL_VERSION_UNSUPPORTED),
        ({"tcbEvaluationDataNumber": -1}, Reason.SCHEMA_INVALID),
        ({"tcbEvaluationDataNumber": 1 << 32}, Reason.SCHEMA_INVALID),
        ({"fmspc": "00806f0500"}, Reason.SCHEMA_INVALID),
        ({"fmspc": "00806f05000g"}, Reason.SCHEMA_INVALID),
        ({"pceId": " 000"}, Reason.SCHEMA_INVALID),
        ({"issueDate": "2025-06-04"}, Reason.SCHEMA_INVALID),
        ({"issueDate": "2025-02-30T00:00:00Z"}, Reason.SCHEMA_INVALID),
        ({"issueDate": "2025-06-04T09:51:38"}, Reason.SCHEMA_INVALID),
        ({"nextUpdate": None}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": []}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": [3]}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": [LEVEL, LEVEL]}, Reason.TCB_LEVEL_DUPLICATE),
        ({"tcbLevels": level(tcbStatus="Unknown")}, Reason.TCB_STATUS_UNKNOWN),
        ({"tcbLevels": level(tcbStatus="TDRelaunchAdvised")}, Reason.TCB_STATUS_UNKNOWN),
        ({"tcbLevels": level(advisoryIDs=["x" * 33])}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": level(advisoryIDs=[""])}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": level(advisoryIDs=["é"])}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": level(advisoryIDs=[7])}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": level(surprise=1)}, Reason.SCHEMA_UNKNOWN_FIELD),
        (
            {"tcbLevels": level(tcb={"sgxtcbcomponents": COMPONENTS[:15], "pcesvn": 5})},
            Reason.TCB_COMPONENTS_COUNT,
        ),
        (
            {"tcbLevels": level(tcb={"sgxtcbcomponents": [*COMPONENTS, {"svn": 1}], "pcesvn": 5})},
            Reason.TCB_COMPONENTS_COUNT,
        ),
        (
            {"tcbLevels": level(tcb={"sgxtcbcomponents": [{"svn": 256}] * 16, "pcesvn": 5})},
            Reason.SCHEMA_INVALID,
        ),
        ({"tdxModule": MODULE}, Reason.SCHEMA_UNKNOWN_FIELD),
        ({"surprise": {}}, Reason.SCHEMA_UNKNOWN_FIELD),
        ({"id": "TDX", "tdxModule": MODULE}, Reason.TCB_INFO_INCOMPLETE),
    ],
)
def test_tcb_info_schema(changes: dict[str, object], reason: Reason) -> None:
    """One deviation, one reason."""
    assert tcb_reason(**changes) is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "QVE"}, Reason.COLLATERAL_TYPE_MISMATCH),
        ({"version": 3}, Reason.COLLATERAL_VERSION_UNSUPPORTED),
        ({"miscselect": "0000"}, Reason.SCHEMA_INVALID),
        ({"isvprodid": 1.0}, Reason.JSON_INVALID),
        ({"isvprodid": 65536}, Reason.SCHEMA_INVALID),
        ({"tcbLevels": QE_IDENTITY["tcbLevels"] * 2}, Reason.TCB_LEVEL_DUPLICATE),
        ({"surprise": 1}, Reason.SCHEMA_UNKNOWN_FIELD),
    ],
)
def test_qe_identity_schema(changes: dict[str, object], reason: Reason) -> None:
    """One deviation, one reason."""
    with pytest.raises(ParseError) as caught:
        QeIdentity.parse(json.dumps(QE_IDENTITY | changes).encode())
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"id":"SGX","id":"TDX"}', Reason.JSON_DUPLICATE_KEY),
        (b'{"a":{"b":1,"b":1}}', Reason.JSON_DUPLICATE_KEY),
        (b'{"a":NaN}', Reason.JSON_INVALID),
        (b'{"a":-Infinity}', Reason.JSON_INVALID),
        (b'{"a":1e3}', Reason.JSON_INVALID),
        (b'{"a":' + b"9" * 10_000 + b"}", Reason.JSON_INVALID),
        (b'{"a":1} x', Reason.JSON_INVALID),
        (b"\xef\xbb\xbf{}", Reason.JSON_INVALID),
        (b'{"a":"\xff"}', Reason.JSON_INVALID),
        (b"[]", Reason.JSON_INVALID),
        (b"", Reason.JSON_INVALID),
        (b'{"a":' + b"[" * 100_000, Reason.JSON_INVALID),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.JSON_INVALID),
        (b" " * (256 * 1024 + 1), Reason.INPUT_TOO_LARGE),
    ],
)
def test_json_is_strict(document: bytes, reason: Reason) -> None:
    """What two parsers could read differently is refused."""
    for parse in (TcbInfo.parse, QeIdentity.parse):
        with pytest.raises(ParseError) as caught:
            parse(document)
        assert caught.value.reason is reason


def test_depth_is_bounded_whatever_the_interpreter_allows() -> None:
    """Brackets in texts do not count, escaped quotes do not end texts, and floods cost little."""
    for text, accepted in (
        ('{"a":' * 15 + "{}" + "}" * 15, True),
        ('{"a":' * 1001 + "{}" + "}" * 1001, False),
        ('{"a":[' + "[]," * 2000 + "[]]}", True),
        ('{"a":"' + "[" * 2000 + '"}', True),
        ('{"a":"\\"' + "[" * 2000 + '"}', True),
        ('{"a":"\\\\"' + ",[" * 2000 + "}", False),
        ('{"a":"]]]]",' + "[" * 2000 + "}", False),
        ('{"a":"' + '\\"' * 100_000, False),
        ('{"a":"\\', False),
        ("{" * 200_000, False),
        ("{[}]", False),
    ):
        if accepted:
            parse_object(text, "test")
            continue
        with pytest.raises(ParseError) as caught:
            parse_object(text, "test")
        assert caught.value.reason is Reason.JSON_INVALID


def test_levels_are_sorted_whatever_their_order() -> None:
    """Components decide first, then PCESVN; the JSON's order never does."""
    levels = [
        LEVEL | {"tcb": {"sgxtcbcomponents": [{"svn": svn}, *COMPONENTS[1:]], "pcesvn": pce}}
        for svn, pce in ((1, 9), (3, 5), (3, 7), (2, 11))
    ]
    info = TcbInfo.parse(json.dumps(TCB_INFO | {"tcbLevels": levels}).encode())
    order = [(each.floor.components[0], each.floor.pce) for each in info.levels]
    assert order == [(3, 7), (3, 5), (2, 11), (1, 9)]


def test_version_2_reads_like_version_3(shared: Path) -> None:
    """The flat components of genuine version 2 documents are the components."""
    infos = {case.raw.tcb_info for case in genuine_cases(shared)}
    for document in infos:
        info = TcbInfo.parse(document)
        plain = json.loads(document)
        if info.version != 2:
            continue
        expected = {
            tuple(each["tcb"][f"sgxtcbcomp{i:02d}svn"] for i in range(1, 17))
            for each in plain["tcbLevels"]
        }
        assert {each.floor.components for each in info.levels} == expected


def as_json(**changes: object) -> str:
    """A complete JSON form, shaped right, signed by nobody."""
    values: dict[str, object] = {
        "pck_crl_issuer_chain": "x",
        "root_ca_crl": "00",
        "pck_crl": "00",
        "tcb_info_issuer_chain": "x",
        "tcb_info": "{}",
        "tcb_info_signature": "11" * 64,
        "qe_identity_issuer_chain": "x",
        "qe_identity": "{}",
        "qe_identity_signature": "22" * 64,
    }
    return json.dumps({k: v for k, v in (values | changes).items() if v is not ...})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"root_ca_crl": ...}, Reason.CRL_MISSING),
        ({"pck_crl": ""}, Reason.CRL_MISSING),
        ({"pck_crl": None}, Reason.CRL_MISSING),
        ({"pck_crl": "zz"}, Reason.COLLATERAL_FORMAT_INVALID),
        ({"tcb_info": {}}, Reason.COLLATERAL_FORMAT_INVALID),
        ({"tcb_info_issuer_chain": ...}, Reason.COLLATERAL_INCOMPLETE),
        ({"tcb_info_signature": "11" * 63}, Reason.SIGNATURE_INVALID),
        ({"tcb_info_signature": ...}, Reason.COLLATERAL_INCOMPLETE),
        ({"surprise": "x"}, Reason.SCHEMA_UNKNOWN_FIELD),
        ({"tcb_info": "\ud800"}, Reason.COLLATERAL_FORMAT_INVALID),
    ],
)
def test_the_outer_object(changes: dict[str, object], reason: Reason) -> None:
    """What is missing or of the wrong form is named."""
    with pytest.raises(QuotaryError) as caught:
        RawCollateral.from_json(as_json(**changes))
    assert caught.value.reason is reason


def test_oversized_collateral_is_refused_unread() -> None:
    """The bound comes before the parser."""
    with pytest.raises(ParseError) as caught:
        RawCollateral.from_json(b" " * (MAX_COLLATERAL_BYTES + 1))
    assert caught.value.reason is Reason.INPUT_TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        '{"tcbInfo":{"a":1, "b":[2]},"signature":"SIG"}',
        '{ "signature" : "SIG" ,\n "tcbInfo" : {"a":1, "b":[2]} }',
    ],
)
def test_wrapped_documents_are_sliced_not_rewritten(body: str) -> None:
    """The signed bytes are those that were sent, white space included."""
    signature = "ab" * 64
    document, raw = unwrap_signed(body.replace("SIG", signature).encode(), "tcbInfo")
    assert document == b'{"a":1, "b":[2]}'
    assert raw.hex() == signature
    with pytest.raises(CollateralError):
        unwrap_signed(b'{"tcbInfo":{},"signature":"","extra":1}', "tcbInfo")


def test_genuine_collateral_round_trips_and_unwraps(shared: Path) -> None:
    """Written and read again it is the same; so it is from the form the PCS answers with."""
    raw = genuine_cases(shared)[0].raw
    assert RawCollateral.from_json(raw.to_json()) == raw
    values = json.loads(raw.to_json())
    for name, wrapper in (("tcb_info", "tcbInfo"), ("qe_identity", "enclaveIdentity")):
        signature = values.pop(f"{name}_signature")
        values[name] = f'{{"{wrapper}":{values[name]},"signature":"{signature}"}}'
    assert RawCollateral.from_json(json.dumps(values)) == raw
