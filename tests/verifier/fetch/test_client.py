"""What the clients deliver when the service does its part."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quotary.collateral import RawCollateral
from quotary.errors import CollateralError, Reason, VerificationError
from quotary.fetch import (
    AsyncCollateralClient,
    CollateralCache,
    CollateralClient,
    FetchError,
    FetchEvent,
    FetchState,
    PckCa,
    PckLeaf,
    PckRequest,
    PlatformKey,
    UpdateChannel,
    target_of,
)
from quotary.quote import Quote
from quotary.tcb import TeeType
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, verify_pck_chain
from quotary_enclave.simulator import Platform, Simulator, TdReport

from tests.verifier.fetch.conftest import AT, Twin
from tests.verifier.fetch.service import Service, serving, with_header

MakeClient = Callable[..., Twin]
REPORT = TdReport(mr_td=bytes(48), report_data=bytes(64))


def raw_of(simulator: Simulator, platform: Platform, **changes: object) -> RawCollateral:
    return RawCollateral.from_json(json.dumps(simulator.collateral(platform, "tdx", **changes)))


def test_pcs_collateral_is_fetched_whole(
    client_of: MakeClient, pcs: Service, simulator: Simulator, platform: Platform, key: PlatformKey
) -> None:
    """The nine documents of the PCS and the root's distribution point arrive byte for byte."""
    fetched = client_of(pcs).fetch(key, at=AT)
    assert fetched.raw == raw_of(simulator, platform)
    assert fetched.key == key
    assert fetched.collateral.tcb_info.fmspc == key.fmspc
    assert not fetched.from_cache


def test_pccs_answers_in_hex_and_older_headers_mean_the_same(
    client_of: MakeClient, pccs: Service, simulator: Simulator, platform: Platform, key: PlatformKey
) -> None:
    """A PCCS sends CRLs as hex text and TCB info under the older header."""
    assert client_of(pccs).fetch(key, at=AT).raw == raw_of(simulator, platform)
    assert any(path.endswith("/rootcacrl") for path in pccs.asked)


def test_sgx_collateral_of_the_processor_ca(client_of: MakeClient, simulator: Simulator) -> None:
    """TEE type and CA decide which documents are asked for."""
    platform = simulator.platform("sgx", ca="processor")
    service = Service()
    service.publish(simulator.collateral(platform, "sgx"))
    key = PlatformKey(TeeType.SGX, platform.pck.fmspc, PckCa.PROCESSOR)
    with serving(service):
        fetched = client_of(service).fetch(key, at=AT)
    assert fetched.collateral.qe_identity.tee_type is TeeType.SGX
    assert {path.partition("?")[0] for path in service.asked} == {
        "/sgx/certification/v4/tcb",
        "/sgx/certification/v4/qe/identity",
        "/sgx/certification/v4/pckcrl",
        "/IntelSGXRootCA.der",
    }


@pytest.mark.parametrize(
    ("channel", "query"),
    [
        ("standard", "update=standard"),
        ("early", "update=early"),
        ("18", "tcbEvaluationDataNumber=18"),
    ],
)
def test_update_channel_is_asked_for(
    *,
    client_of: MakeClient,
    pcs: Service,
    simulator: Simulator,
    platform: Platform,
    key: PlatformKey,
    channel: str,
    query: str,
) -> None:
    """Standard, early and numbered collateral each have their own query, never two at once."""
    spec = platform.collateral_spec(tdx=True)
    early = simulator.collateral(
        platform,
        tcb_info=replace(spec.tcb_info, evaluation_number=18),
        qe_identity=replace(spec.qe_identity, evaluation_number=18),
    )
    pcs.publish(early, "early")
    fetched = client_of(pcs, channel=UpdateChannel.parse(channel)).fetch(key, at=AT)
    assert fetched.collateral.evaluation_number == (17 if channel == "standard" else 18)
    asked = [path for path in pcs.asked if "/tcb?" in path or "/identity?" in path]
    assert len(asked) == 2
    assert all(path.endswith(query) for path in asked)


def test_collateral_for_a_quote_with_its_chain(
    client_of: MakeClient, pcs: Service, platform: Platform, key: PlatformKey
) -> None:
    """A quote's own PCK chain says what to ask for."""
    quote = Quote.parse(platform.quote(REPORT))
    fetched = client_of(pcs).fetch(quote, at=AT)
    assert fetched.key == key
    assert fetched.raw.pck_certificate_chain is None


@pytest.mark.parametrize("kind", [2, 3])
def test_collateral_for_an_encrypted_ppid(
    client_of: MakeClient, pcs: Service, platform: Platform, key: PlatformKey, kind: int
) -> None:
    """The service turns an encrypted PPID into the PCK chain, which is verified."""
    quote = Quote.parse(platform.quote(REPORT, certification_type=kind))
    target = target_of(quote)
    assert isinstance(target, PckRequest)
    know_platform(pcs, platform, target)
    fetched = client_of(pcs).fetch(quote, at=AT)
    assert fetched.key == key
    proven = verify_pck_chain(fetched.raw.pck_certificate_chain, fetched.collateral)
    assert proven.identity.ppid == platform.pck.ppid
    assert f"qeid={target.qe_id.hex()}" in pcs.asked[0]
    assert f"pcesvn={platform.pck.pce_svn.to_bytes(2, 'little').hex()}" in pcs.asked[0]


def test_collateral_for_a_leaf_gets_the_authorities(
    client_of: MakeClient, pcs: Service, platform: Platform, key: PlatformKey
) -> None:
    """A lone PCK certificate is completed with the chain of its revocation list."""
    quote = Quote.parse(platform.quote(REPORT, certification_type=4))
    fetched = client_of(pcs).fetch(quote, at=AT)
    assert fetched.key == key
    assert fetched.raw.pck_certificate_chain == platform.pck_chain_pem.encode()


def test_plain_ppid_is_refused(platform: Platform) -> None:
    """No service answers to a plain PPID, so nobody is asked."""
    with pytest.raises(CollateralError) as caught:
        target_of(Quote.parse(platform.quote(REPORT, certification_type=1)))
    assert caught.value.reason is Reason.CERT_DATA_TYPE_UNSUPPORTED


@pytest.mark.parametrize("kind", [2, 4, 5])
def test_current_asks_nobody_while_the_cache_is_fresh(
    *,
    client_of: MakeClient,
    pcs: Service,
    platform: Platform,
    root: TrustRoot,
    tmp_path: Path,
    kind: int,
) -> None:
    """The second call needs the network for an encrypted PPID only, and gives the same."""
    quote = Quote.parse(platform.quote(REPORT, certification_type=kind))
    target = target_of(quote)
    if isinstance(target, PckRequest):
        know_platform(pcs, platform, target)
    client = client_of(pcs, options={"cache": CollateralCache(tmp_path, root=root)})
    first = client.current(quote, at=AT)
    pcs.asked.clear()
    second = client.current(quote, at=AT + timedelta(hours=1))
    assert second.raw == first.raw
    assert (first.from_cache, second.from_cache) == (False, True)
    assert second.collateral.pck_certificate_chain == first.collateral.pck_certificate_chain
    assert [path.partition("?")[0].rpartition("/")[2] for path in pcs.asked] == (
        ["pckcert"] if kind == 2 else []
    )


def test_current_fetches_what_ends_within_the_margin(
    client_of: MakeClient, pcs: Service, key: PlatformKey, root: TrustRoot, tmp_path: Path
) -> None:
    """Collateral that is about to end is not good enough."""
    client = client_of(pcs, options={"cache": CollateralCache(tmp_path, root=root)})
    until = datetime.fromtimestamp(client.current(key, at=AT).collateral.valid_until, UTC)
    assert client.current(key, at=AT, margin=until - AT).from_cache
    assert not client.current(key, at=AT, margin=until - AT + timedelta(seconds=1)).from_cache


def test_single_documents(
    client_of: MakeClient, pcs: Service, simulator: Simulator, platform: Platform, key: PlatformKey
) -> None:
    """Every endpoint has its method."""
    client, raw = client_of(pcs), raw_of(simulator, platform)
    info = client.tcb_info(key.tee_type, key.fmspc)
    assert (info.document, info.signature) == (raw.tcb_info, raw.tcb_info_signature)
    assert info.issuer_chain == raw.tcb_info_issuer_chain
    assert client.qe_identity(key.tee_type).document == raw.qe_identity
    assert client.pck_crl(key.ca).crl == raw.pck_crl
    assert client.root_ca_crl() == raw.root_ca_crl


def test_api_key_goes_to_the_service_only(
    client_of: MakeClient, pcs: Service, key: PlatformKey
) -> None:
    """The distribution point of the root's list never sees the subscription key."""
    client = client_of(pcs, api_key="canary")
    client.fetch(key, at=AT)
    seen = {
        path.partition("?")[0]: headers.get("ocp-apim-subscription-key")
        for path, headers in zip(pcs.asked, pcs.request_headers, strict=True)
    }
    assert seen.pop("/IntelSGXRootCA.der") is None
    assert set(seen.values()) == {"canary"}
    assert "canary" not in repr(client.client.service)


def test_progress_is_told(client_of: MakeClient, pcs: Service, key: PlatformKey) -> None:
    """People see each document asked for and received, and never a query."""
    events: list[FetchEvent] = []
    client_of(pcs, options={"progress": events.append}).fetch(key, at=AT)
    items = {"TCB info", "QE identity", "PCK CRL", "root CA CRL"}
    for state in (FetchState.ASKING, FetchState.RECEIVED):
        assert {event.item for event in events if event.state is state} == items
    assert not any("?" in event.detail for event in events)


def test_pck_certificate_of_another_tcb_is_refused(
    client_of: MakeClient, pcs: Service, platform: Platform
) -> None:
    """SGX-TCBm must say what the certificate says."""
    target = target_of(Quote.parse(platform.quote(REPORT, certification_type=3)))
    assert isinstance(target, PckRequest)
    know_platform(pcs, platform, target)
    pcs.fail("/pckcert", with_header("SGX-TCBm", "00" * 18))
    with pytest.raises(FetchError) as caught:
        client_of(pcs).fetch(target, at=AT)
    assert caught.value.reason is Reason.FETCH_ANSWER_INVALID


def test_forged_pck_chain_is_refused(
    client_of: MakeClient, pcs: Service, platform: Platform
) -> None:
    """A PCK certificate the platform's CA did not issue is refused, whoever delivers it."""
    target = target_of(Quote.parse(platform.quote(REPORT, certification_type=3)))
    assert isinstance(target, PckRequest)
    know_platform(pcs, platform, target)
    _, issuers = pcs.pck_chains[target.encrypted_ppid.hex()]
    stranger = Simulator(AT, seed=b"stranger").platform()
    leaf, end, _ = stranger.pck_chain_pem.partition("-----END CERTIFICATE-----\n")
    pcs.pck_chains[target.encrypted_ppid.hex()] = (leaf + end, issuers)
    with pytest.raises(VerificationError) as caught:
        client_of(pcs).fetch(target, at=AT)
    assert caught.value.reason is Reason.KEY_ID_MISMATCH


def test_genuine_collateral_passes_through(client_of: MakeClient, shared: Path) -> None:
    """Intel's own documents survive the way through the protocol and verify under Intel's root."""
    manifest = json.loads((shared / "vectors" / "manifest.json").read_text())
    times = {
        Path(expected["collateral"]).name: datetime.fromtimestamp(expected["at"], UTC)
        for item in manifest["items"]
        for expected in item.get("expected", [])
    }
    seen = 0
    for path in sorted((shared / "vectors").glob("*/collateral/*.json"))[:12]:
        raw = RawCollateral.from_json(path.read_text())
        at = times.get(path.name)
        if at is None:
            continue
        collateral = Collateral.verify(raw, at=at)
        service = Service()
        service.publish(json.loads(path.read_text()))
        ca = PckCa.PLATFORM if "Platform" in collateral.pck_ca.common_name else PckCa.PROCESSOR
        key = PlatformKey(collateral.tcb_info.tee_type, collateral.tcb_info.fmspc, ca)
        with serving(service):
            fetched = client_of(service, options={"root": INTEL_ROOT}).fetch(key, at=at)
        assert fetched.raw == raw
        seen += 1
    assert seen >= 5


def test_twins_have_the_same_face() -> None:
    """Both clients have the same methods with the same parameters."""
    faces = [
        {
            name: str(inspect.signature(method)).split(" -> ")[0]
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }
        for kind in (CollateralClient, AsyncCollateralClient)
    ]
    assert faces[0] == faces[1]
    assert len(faces[0]) == 9


def test_importing_needs_no_extra_and_making_a_client_says_which() -> None:
    """The base install can import everything; it is told what to install when it fetches."""
    program = (
        "import sys; sys.modules['httpcore'] = None\n"
        "import quotary.fetch as f\n"
        "try: f.CollateralClient()\n"
        "except f.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    assert "quotary[fetch]" in done.stdout


def test_leaf_of_chain_is_the_first_certificate(platform: Platform, key: PlatformKey) -> None:
    """The leaf stands first in a chain."""
    leaf = PckLeaf.of_chain(TeeType.TDX, platform.pck_chain_pem.encode())
    assert leaf.key == key
    assert leaf.pem.count(b"BEGIN") == 1


def know_platform(service: Service, platform: Platform, target: PckRequest) -> None:
    """Let the service know the platform's encrypted PPID."""
    leaf, end, issuers = platform.pck_chain_pem.partition("-----END CERTIFICATE-----\n")
    service.pck_chains[target.encrypted_ppid.hex()] = (leaf + end, issuers)
