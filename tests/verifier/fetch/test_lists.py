"""What the service lists: platform families, unsigned, and TCB evaluations, signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quotary import CollateralError, ParseError, QuotaryError, Reason, TrustRoot
from quotary.cli import main
from quotary.collateral import TcbEvaluations
from quotary.fetch import FetchError, FmspcPlatform, KnownFmspc, SignedDocument
from quotary.tcb import TeeType
from quotary.trust import verify_evaluations
from quotary_enclave.simulator import Role, Simulator

from tests.verifier.fetch import service as faults
from tests.verifier.fetch.conftest import AT, Twin, refusal
from tests.verifier.fetch.service import Service

MakeClient = Callable[..., Twin]
FAMILIES = [
    {"fmspc": "00906ED50000", "platform": "E3"},
    {"fmspc": "90C06F000000", "platform": "E5"},
    {"fmspc": "00806EA60000", "platform": "client"},
]


def document(**changes: Any) -> str:
    """A list of evaluations as Intel writes it, out of order on purpose."""
    numbers = [
        {
            "tcbEvaluationDataNumber": number,
            "tcbRecoveryEventDate": f"{year}-05-13T00:00:00Z",
            "tcbDate": f"{year}-05-14T00:00:00Z",
        }
        for number, year in ((17, 2024), (19, 2026), (18, 2025))
    ]
    fields = {
        "id": "TDX",
        "version": 1,
        "issueDate": (AT - timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "nextUpdate": (AT + timedelta(days=25)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tcbEvalNumbers": numbers,
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def signed(simulator: Simulator, text: str, role: Role = Role.TCB_SIGNING) -> SignedDocument:
    """The same, signed under the simulator's root."""
    return SignedDocument(
        text.encode(),
        simulator.pki.key(role).sign(text.encode()),
        simulator.pki.pem(role, Role.ROOT).encode(),
    )


def publish(service: Service, simulator: Simulator, text: str) -> None:
    """Let the service know a list of TDX evaluations."""
    made = signed(simulator, text)
    service.evaluations["tdx"] = (text, made.signature.hex(), made.issuer_chain.decode())


def root_ca_crl(simulator: Simulator) -> bytes:
    """The root's revocation list."""
    return bytes.fromhex(simulator.collateral(simulator.platform())["root_ca_crl"])


def verified(simulator: Simulator, made: SignedDocument, at: datetime = AT) -> TcbEvaluations:
    """Verify under the simulator's root."""
    return verify_evaluations(
        made.document,
        made.signature,
        made.issuer_chain,
        root_ca_crl(simulator),
        TrustRoot.from_certificate(simulator.root_der),
        at=at,
    )


def test_families_are_listed(client_of: MakeClient, pcs: Service) -> None:
    """All, or those of one kind."""
    pcs.fmspcs = FAMILIES
    client = client_of(pcs)
    assert client.fmspcs()[1] == KnownFmspc(bytes.fromhex("90C06F000000"), "E5")
    assert len(client.fmspcs()) == 3
    (only,) = client.fmspcs(FmspcPlatform.E3)
    assert only.fmspc.hex() == "00906ed50000"
    assert pcs.asked[-1] == "/sgx/certification/v4/fmspcs?platform=E3"


def test_a_caching_service_has_no_list(client_of: MakeClient, pccs: Service) -> None:
    """A PCCS says 404."""
    assert refusal(FetchError, client_of(pccs).fmspcs) is Reason.PLATFORM_UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b'[{"fmspc":"00906ED5000"}]',
        b'[{"fmspc":"00906ED50000"}]',
        b'[{"fmspc":"00906ED50000","platform":"E\\u0007"}]',
        b'[],"fmspcs":[]',
        b'[],"more":[]',
        b"[" * 100_000,
        b"[\xff]",
        b"[" + b"{}," * 5000 + b"{}]",
    ],
)
def test_lists_of_families_that_are_none(client_of: MakeClient, pcs: Service, body: bytes) -> None:
    """Whatever comes, one error."""
    pcs.fail("/fmspcs", faults.with_body(body))
    assert refusal(FetchError, client_of(pcs).fmspcs) is Reason.FETCH_ANSWER_INVALID


def test_evaluations_are_fetched_and_verified(
    client_of: MakeClient, pcs: Service, simulator: Simulator
) -> None:
    """Newest first, whatever the order of the document."""
    publish(pcs, simulator, document())
    made = client_of(pcs).tcb_evaluations(TeeType.TDX)
    evaluations = verified(simulator, made)
    assert [each.number for each in evaluations.evaluations] == [19, 18, 17]
    assert evaluations.tee_type is TeeType.TDX
    newest = evaluations.evaluations[0]
    assert newest.tcb_date - newest.recovery_event == 86400
    assert pcs.asked[-1] == "/tdx/certification/v4/tcbevaluationdatanumbers"


def test_another_tees_evaluations_are_refused(
    client_of: MakeClient, pcs: Service, simulator: Simulator
) -> None:
    """As with the other documents."""
    publish(pcs, simulator, document(id="SGX"))
    client = client_of(pcs)
    call = refusal(CollateralError, lambda: client.tcb_evaluations(TeeType.TDX))
    assert call is Reason.COLLATERAL_TYPE_MISMATCH
    pcs.fail(
        "/tcbevaluationdatanumbers",
        faults.without_header("TCB-Evaluation-Data-Numbers-Issuer-Chain"),
    )
    call = refusal(FetchError, lambda: client.tcb_evaluations(TeeType.TDX))
    assert call is Reason.FETCH_ANSWER_INVALID


EVALUATION = {
    "tcbEvaluationDataNumber": 17,
    "tcbRecoveryEventDate": "2024-05-13T00:00:00Z",
    "tcbDate": "2024-05-14T00:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, Reason.COLLATERAL_VERSION_UNSUPPORTED),
        ({"version": True}, Reason.SCHEMA_INVALID),
        ({"id": "QE"}, Reason.COLLATERAL_TYPE_MISMATCH),
        ({"id": None}, Reason.SCHEMA_INVALID),
        ({"tcbEvalNumbers": []}, Reason.SCHEMA_INVALID),
        ({"tcbEvalNumbers": [1]}, Reason.SCHEMA_INVALID),
        ({"tcbEvalNumbers": [EVALUATION] * 2}, Reason.TCB_LEVEL_DUPLICATE),
        ({"tcbEvalNumbers": [EVALUATION] * 300}, Reason.SCHEMA_INVALID),
        ({"tcbEvalNumbers": [EVALUATION | {"new": 1}]}, Reason.SCHEMA_UNKNOWN_FIELD),
        ({"new": 1}, Reason.SCHEMA_UNKNOWN_FIELD),
        ({"issueDate": "today"}, Reason.SCHEMA_INVALID),
    ],
)
def test_documents_are_strict(changes: dict[str, Any], reason: Reason) -> None:
    """Under their schema, as all signed documents."""
    with pytest.raises(ParseError) as caught:
        TcbEvaluations.parse(document(**changes).encode())
    assert caught.value.reason is reason


def test_only_intels_word_counts(simulator: Simulator) -> None:
    """Signature, signer's role, root, revocation list and time."""
    good = signed(simulator, document())
    stranger = Simulator(AT, seed=b"stranger")
    cases: list[tuple[Callable[[], object], Reason]] = [
        (
            lambda: verified(
                simulator,
                SignedDocument(good.document + b" ", good.signature, good.issuer_chain),
            ),
            Reason.TCB_EVALUATIONS_SIGNATURE_INVALID,
        ),
        (
            lambda: verified(simulator, signed(simulator, document(), Role.PLATFORM_CA)),
            Reason.ISSUER_ROLE,
        ),
        (lambda: verified(simulator, signed(stranger, document())), Reason.ROOT_NOT_PINNED),
        (lambda: verified(stranger, good), Reason.ROOT_NOT_PINNED),
        (lambda: verified(simulator, good, AT + timedelta(days=26)), Reason.COLLATERAL_EXPIRED),
        (lambda: verified(simulator, good, AT - timedelta(days=6)), Reason.CRL_NOT_YET_VALID),
    ]
    for act, reason in cases:
        with pytest.raises(QuotaryError) as caught:
            act()
        assert caught.value.reason is reason


def test_the_commands(
    *,
    pcs: Service,
    pccs: Service,
    simulator: Simulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both lists as text and as JSON, from a service that has them, and 3 from one that has not."""
    root = tmp_path / "root.der"
    root.write_bytes(simulator.root_der)
    publish(pccs, simulator, document())
    base = ["collateral", "evaluations", "--quiet", "--root", str(root), "--at", AT.isoformat()]
    assert main([*base, "--pccs", pccs.url]) == 0
    out = capsys.readouterr().out
    assert "TCB evaluations of TDX" in out
    assert out.index("19  TCB recovery 2026-05-13") < out.index("17  TCB recovery 2024-05-13")
    assert main([*base, "--pccs", pccs.url, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [each["number"] for each in shown["evaluations"]] == [19, 18, 17]
    assert main([*base, "--pccs", pccs.url, "--tee", "sgx"]) == 3
    assert main([*base[:-1], (AT + timedelta(days=26)).isoformat(), "--pccs", pccs.url]) == 7
    capsys.readouterr()
    pcs.fmspcs = FAMILIES
    assert main(["collateral", "fmspcs", "--pccs", pcs.url, "--platform", "E5"]) == 0
    assert "90c06f000000  E5" in capsys.readouterr().out
    assert main(["collateral", "fmspcs", "--pccs", pcs.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fmspcs"][0]["platform"] == "E3"
    assert main(["collateral", "fmspcs", "--pccs", pccs.url, "--quiet"]) == 3
    assert main(["collateral", "fmspcs", "--platform", "E9"]) == 2
