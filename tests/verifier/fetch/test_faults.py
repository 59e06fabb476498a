"""What the clients do when the service misbehaves: they refuse, in bounded time and memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch import FetchError, Limits, PlatformKey, Retries, UpdateChannel
from quotary.tcb import TeeType
from quotary_enclave.simulator import Platform, Simulator

from tests.verifier.fetch import service as faults
from tests.verifier.fetch.conftest import AT, PATIENT, Twin, refusal
from tests.verifier.fetch.service import Fault, Service, serving

MakeClient = Callable[..., Twin]


ANSWERS = {
    "redirect": (faults.redirect("http://169.254.169.254/"), Reason.REDIRECT_REFUSED),
    "not modified": (faults.status(304), Reason.REDIRECT_REFUSED),
    "forbidden": (faults.status(403), Reason.FETCH_STATUS),
    "gone": (faults.status(410), Reason.FETCH_STATUS),
    "unknown": (faults.status(404), Reason.PLATFORM_UNKNOWN),
    "flood": (faults.flood, Reason.INPUT_TOO_LARGE),
    "declared too long": (faults.with_body(b" " * (256 * 1024 + 1)), Reason.INPUT_TOO_LARGE),
    "promised too long": (faults.endless_promise, Reason.INPUT_TOO_LARGE),
    "compressed": (
        faults.with_header("Content-Encoding", "gzip"),
        Reason.FETCH_ANSWER_INVALID,
    ),
    "no chain": (faults.without_header("TCB-Info-Issuer-Chain"), Reason.FETCH_ANSWER_INVALID),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_bad_answers_are_refused_at_once(
    client_of: MakeClient, pcs: Service, key: PlatformKey, name: str
) -> None:
    """What another attempt cannot cure is not attempted again."""
    fault, reason = ANSWERS[name]
    pcs.fail("/tcb", fault)
    client = client_of(pcs)
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is reason
    assert sum("/tcb?" in path for path in pcs.asked) == 1
    assert client.waits == []


LOSSES: dict[str, Fault] = {
    "rate limit": faults.status(429),
    "error": faults.status(500),
    "overload": faults.status(503),
    "hang up": faults.hang_up,
    "truncated": faults.truncated,
    "endless headers": faults.endless_headers,
}


@pytest.mark.parametrize("name", LOSSES)
def test_passing_faults_are_survived(
    client_of: MakeClient, pcs: Service, key: PlatformKey, name: str
) -> None:
    """Two losses cost two waits, doubled each time, and then the document is whole."""
    pcs.fail("/tcb", LOSSES[name], LOSSES[name])
    client = client_of(pcs)
    assert client.fetch(key, at=AT).key == key
    assert client.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rate limit", Reason.FETCH_STATUS),
        ("overload", Reason.FETCH_STATUS),
        ("hang up", Reason.FETCH_FAILED),
        ("truncated", Reason.FETCH_FAILED),
        ("endless headers", Reason.FETCH_FAILED),
    ],
)
def test_lasting_faults_end(
    client_of: MakeClient, pcs: Service, key: PlatformKey, name: str, reason: Reason
) -> None:
    """After the attempts allowed, the last fault is the answer."""
    pcs.fail("/tcb", *[LOSSES[name]] * 5)
    client = client_of(pcs)
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is reason
    assert sum("/tcb?" in path for path in pcs.asked) == 3


@pytest.mark.parametrize(
    ("header", "wait"), [("2", 2.0), ("86400", 4.0), ("0", 0.5), ("soon", 0.5), ("9" * 40, 0.5)]
)
def test_retry_after_is_heeded_within_bounds(
    client_of: MakeClient, pcs: Service, key: PlatformKey, header: str, wait: float
) -> None:
    """The service may ask for patience, not for a standstill."""
    pcs.fail("/tcb", faults.status(429, Retry_After=header))
    client = client_of(pcs)
    client.fetch(key, at=AT)
    assert client.waits == [wait]


@pytest.mark.parametrize("fault", [faults.slow_headers, faults.slow_body])
def test_slow_loris_ends_with_the_document_s_time(
    client_of: MakeClient, pcs: Service, key: PlatformKey, fault: Fault
) -> None:
    """Bytes that keep dripping never outlast the bound, though no single gap is too long."""
    pcs.fail("/tcb", fault)
    limits = replace(PATIENT, document_seconds=0.5)
    client = client_of(pcs, limits=limits, retries=Retries(attempts=1))
    started = time.monotonic()
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.FETCH_TIMEOUT
    assert time.monotonic() - started < 30


def test_first_failure_ends_the_call(client_of: MakeClient, pcs: Service, key: PlatformKey) -> None:
    """What cannot succeed any more does not wait for documents still on their way."""
    pcs.fail("/tcb", faults.status(404))
    pcs.fail("/identity", faults.slow_body)
    started = time.monotonic()
    client = client_of(pcs)
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.PLATFORM_UNKNOWN
    assert time.monotonic() - started < 30


def test_whole_call_is_bounded(client_of: MakeClient, pcs: Service, key: PlatformKey) -> None:
    """A wait that would outlast the call's time is not begun."""
    pcs.fail("/tcb", *[faults.status(503)] * 9)
    limits = replace(PATIENT, total_seconds=3)
    client = client_of(pcs, limits=limits, retries=Retries(9, first_wait=4, longest_wait=8))
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.FETCH_TIMEOUT
    assert client.waits == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".invalid"])
def test_hosts_that_are_no_names(client_of: MakeClient, key: PlatformKey, host: str) -> None:
    """A name the resolver cannot even encode is a failure to fetch, like any unknown one."""
    service = Service(pccs=True, url=f"https://{host}")
    client = client_of(service, allowed_hosts=frozenset({host}))
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.FETCH_FAILED


def test_nobody_listens(client_of: MakeClient, key: PlatformKey) -> None:
    """A refused connection is a failure to fetch."""
    service = Service()
    with serving(service):
        pass
    client = client_of(service)
    assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.FETCH_FAILED


def test_other_platform_s_tcb_info(
    client_of: MakeClient, pcs: Service, simulator: Simulator, key: PlatformKey
) -> None:
    """A genuine TCB info of another FMSPC is still the wrong one."""
    other = simulator.platform("other", fmspc=bytes.fromhex("A0B0C0D0E0F0"))
    collateral = simulator.collateral(other)
    body = (
        f'{{"tcbInfo":{collateral["tcb_info"]},"signature":"{collateral["tcb_info_signature"]}"}}'
    )
    pcs.fail("/tcb", faults.with_body(body.encode()))
    client = client_of(pcs)
    assert refusal(CollateralError, lambda: client.fetch(key, at=AT)) is Reason.FMSPC_MISMATCH


def test_other_tee_s_identity(
    client_of: MakeClient, pcs: Service, simulator: Simulator, platform: Platform, key: PlatformKey
) -> None:
    """The quoting enclave of the other TEE is refused."""
    sgx = simulator.collateral(platform, "sgx")
    body = json.dumps({"signature": sgx["qe_identity_signature"]})[1:-1]
    pcs.fail(
        "/identity", faults.with_body(f'{{"enclaveIdentity":{sgx["qe_identity"]},{body}}}'.encode())
    )
    reason = refusal(CollateralError, lambda: client_of(pcs).qe_identity(key.tee_type))
    assert reason is Reason.COLLATERAL_TYPE_MISMATCH


@pytest.mark.parametrize("wrong", ["tcb_info", "qe_identity"])
def test_other_evaluation_than_asked_for(
    *,
    client_of: MakeClient,
    pcs: Service,
    simulator: Simulator,
    platform: Platform,
    key: PlatformKey,
    wrong: str,
) -> None:
    """A service that ignores the number asked for is noticed."""
    spec = platform.collateral_spec(tdx=True)
    parts = {
        name: replace(getattr(spec, name), evaluation_number=17 if name == wrong else 18)
        for name in ("tcb_info", "qe_identity")
    }
    pcs.channels["18"] = {("tdx", key.fmspc.hex().upper()): simulator.collateral(platform, **parts)}
    client = client_of(pcs, channel=UpdateChannel.parse("18"))
    reason = refusal(CollateralError, lambda: client.fetch(key, at=AT))
    assert reason is Reason.COLLATERAL_INCONSISTENT


BODIES = {
    b"": Reason.JSON_INVALID,
    b"<html>It works!</html>": Reason.JSON_INVALID,
    b"[" * 100_000: Reason.JSON_INVALID,
    b"\xff\xfe": Reason.JSON_INVALID,
    b'{"tcbInfo":{},"tcbInfo":{},"signature":""}': Reason.JSON_DUPLICATE_KEY,
}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_no_documents(
    client_of: MakeClient, pcs: Service, key: PlatformKey, body: bytes
) -> None:
    """Whatever the body is, only our errors come out."""
    pcs.fail("/tcb", faults.with_body(body))
    with pytest.raises(QuotaryError) as caught:
        client_of(pcs).fetch(key, at=AT)
    assert caught.value.reason is BODIES[body]


@pytest.mark.parametrize("path", ["/pckcrl", "/IntelSGXRootCA.der"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.FETCH_ANSWER_INVALID),
        (b"zz", Reason.FETCH_ANSWER_INVALID),
        (b"-----BEGIN X509 CRL-----\nAAA\n-----END X509 CRL-----\n", Reason.FETCH_ANSWER_INVALID),
        (b"0" + b"\xff" * 40, Reason.DER_NONCANONICAL),
    ],
)
def test_bodies_that_are_no_revocation_lists(
    *,
    client_of: MakeClient,
    pcs: Service,
    key: PlatformKey,
    path: str,
    body: bytes,
    reason: Reason,
) -> None:
    """No list is made up from what is none."""
    pcs.fail(path, faults.with_body(body))
    with pytest.raises(QuotaryError) as caught:
        client_of(pcs).fetch(key, at=AT)
    assert caught.value.reason is reason


def test_pem_revocation_list_is_understood(
    client_of: MakeClient, pcs: Service, platform: Platform, simulator: Simulator, key: PlatformKey
) -> None:
    """Services that ignore the encoding asked for send PEM."""
    der = bytes.fromhex(simulator.collateral(platform)["pck_crl"])
    pem = x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM)
    pcs.fail("/pckcrl", faults.with_body(pem))
    assert client_of(pcs).fetch(key, at=AT).raw.pck_crl == der


def test_forged_documents_are_refused(
    client_of: MakeClient, pcs: Service, simulator: Simulator, platform: Platform, key: PlatformKey
) -> None:
    """Well-formed is not genuine: everything fetched is verified before it is handed out."""
    collateral = simulator.collateral(platform)
    forged = collateral["tcb_info"].replace('"UpToDate"', '"Revoked"', 1)
    pcs.publish(collateral | {"tcb_info": forged})
    reason = refusal(CollateralError, lambda: client_of(pcs).fetch(key, at=AT))
    assert reason is Reason.TCB_INFO_SIGNATURE_INVALID


def test_stale_documents_are_refused(client_of: MakeClient, pcs: Service, key: PlatformKey) -> None:
    """A service that serves expired collateral serves nothing."""
    client = client_of(pcs)
    reason = refusal(CollateralError, lambda: client.fetch(key, at=AT + timedelta(days=40)))
    assert reason is Reason.COLLATERAL_EXPIRED


def test_environment_does_not_redirect_requests(
    client_of: MakeClient, pcs: Service, key: PlatformKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies in the environment are not used: the host asked is the host allowed."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client_of(pcs).fetch(key, at=AT).key == key


def test_bounds_are_bounds() -> None:
    """Zero or negative bounds, and retries without an attempt, are refused."""
    with pytest.raises(ValueError, match="document_seconds"):
        Limits(document_seconds=0)
    with pytest.raises(ValueError, match="json_bytes"):
        Limits(json_bytes=-1)
    with pytest.raises(ValueError, match="attempt"):
        Retries(attempts=0)


def test_unknown_platform(client_of: MakeClient, pcs: Service, key: PlatformKey) -> None:
    """The service's 404 says that it does not know the platform."""
    unknown = PlatformKey(TeeType.TDX, bytes(6), key.ca)
    reason = refusal(FetchError, lambda: client_of(pcs).fetch(unknown, at=AT))
    assert reason is Reason.PLATFORM_UNKNOWN
