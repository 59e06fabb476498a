"""Asking gateways over sockets: the simulated worker whole, and servers that mean harm."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from quotary.cli import main
from quotary.cli.workload import MAX_INPUT_BYTES
from quotary.errors import Reason
from quotary.fetch import FetchError
from quotary.workloads.live import Gateway, LiveLimits
from quotary_enclave.worker import WorkerConfig, create_app, simulated_provenance, simulated_tdx

from tests.enclave.worker_parts import NOW, CountingModel, make_worker, simulator
from tests.verifier.workloads.desk import Desk
from tests.verifier.workloads.services import (
    REQUEST,
    RESPONSE,
    Service,
    events,
    keyset,
    session,
    session_id,
    verified,
)

NONCE = bytes(range(32))


@contextmanager
def serving() -> Iterator[str]:
    """The simulated worker on a port of its own."""
    model = CountingModel()
    worker = make_worker(
        WorkerConfig(provenance=simulated_provenance()),
        model=model,
        quotes=simulated_tdx(simulator().platform(), model),
    )
    with listening(create_app(worker)) as address:
        yield address


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """An ASGI application on a port of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Whoever asks before the thread has started waits, and is not refused.
    listener.listen()
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def hardware(tmp_path: Path) -> list[str]:
    root, collateral = tmp_path / "root.der", tmp_path / "collateral.json"
    root.write_bytes(simulator().root_der)
    collateral.write_text(json.dumps(simulator().collateral(simulator().platform())))
    at = datetime.fromtimestamp(NOW, UTC).isoformat()
    return ["--collateral", str(collateral), "--root", str(root), "--at", at]


def request_file(folder: Path, **fields: Any) -> str:
    path = folder / "request.json"
    message = {"role": "user", "content": "Why?"}
    path.write_text(json.dumps({"model": CountingModel.name, "messages": [message]} | fields))
    return str(path)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("command", ["aci", "chat"])
def test_the_simulated_worker(
    url: str,
    hardware: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    *,
    stream: bool,
) -> None:
    """Nonce made now, request sent now, everything verified from the root down."""
    request = request_file(tmp_path, stream=stream)
    code = main([command, "verify", "--url", url, "--request", request, *hardware, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0, document
    proven = {statement["code"] for statement in document["proves"]}
    assert {"GENUINE_TEE", "FRESH", "IMAGES_PINNED"} <= proven
    assert {"aci": "RECEIPT_SIGNED", "chat": "BODIES_SIGNED"}[command] in proven


def test_with_a_nonce_of_ones_own(
    url: str, hardware: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very nonce given is asked with, quoted and told; another service's past is no answer."""
    arguments = ["--request", request_file(tmp_path), *hardware, "--json"]
    own = ["--nonce", NONCE.hex()]
    for command, section in (("aci", "identity"), ("chat", "exchange")):
        assert main([command, "verify", "--url", url, *own, *arguments]) == 0
        assert json.loads(capsys.readouterr().out)[section]["nonce"] == NONCE.hex()


@pytest.mark.parametrize(
    ("command", "reason"), [("aci", "REPORT_DATA_MISMATCH"), ("chat", "NONCE_MISMATCH")]
)
def test_a_report_replayed_is_refused(
    *,
    url: str,
    hardware: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    reason: str,
) -> None:
    """A genuine report that answers yesterday's nonce proves nothing today; no prompt is sent."""
    yesterday = Gateway(url)
    report = (
        yesterday.aci_report(NONCE) if command == "aci" else yesterday.chat_report(NONCE, "ecdsa")
    )
    asked: list[bytes] = []

    def respond(head: bytes) -> bytes:
        asked.append(head.split(b" ")[0])
        return page(report.body)

    with hostile(respond) as address:
        arguments = ["--url", address, "--request", request_file(tmp_path), *hardware, "--json"]
        for nonce in ([], ["--nonce", "5a" * 32]):
            assert main([command, "verify", *arguments, *nonce]) == 1
            assert json.loads(capsys.readouterr().out)["reason"] == reason
    assert asked == [b"GET", b"GET"]


def test_an_identity_alone(
    url: str, hardware: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a request nothing is sent but the question who serves."""
    assert main(["aci", "verify", "--url", url, *hardware, "--json"]) == 0
    assert "receipt" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["aci", "chat"])
def test_no_prompt_goes_to_a_service_that_was_not_verified(
    hardware: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The report is refused, so the request never leaves."""
    asked: list[bytes] = []

    def respond(head: bytes) -> bytes:
        asked.append(head.split(b" ")[0])
        return page(b"{}")

    with hostile(respond) as address:
        request = request_file(tmp_path)
        arguments = [command, "verify", "--url", address, "--request", request, *hardware]
        assert main(arguments) == 1
    assert asked == [b"GET"]
    assert "SCHEMA_INVALID" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["aci", "chat"])
def test_a_request_too_long_is_sent_neither_whole_nor_cut(
    *,
    url: str,
    hardware: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """What is not what the caller meant to ask is no question."""
    monkeypatch.setattr(Gateway, "chat", lambda *_: pytest.fail("a prompt was sent"))
    request = tmp_path / "request.json"
    request.write_bytes(b" " * (MAX_INPUT_BYTES + 1))
    arguments = ["--url", url, "--request", str(request), *hardware, "--json"]
    assert main([command, "verify", *arguments]) == 2
    assert json.loads(capsys.readouterr().out)["reason"] == "INPUT_TOO_LARGE"


def test_an_unreachable_gateway_is_exit_code_3(
    hardware: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was proven, and nothing refuted."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert main(["aci", "verify", "--url", url, *hardware]) == 3
    assert "FETCH_FAILED" in capsys.readouterr().err


def page(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@contextmanager
def hostile(respond: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers each connection with whatever `respond` makes of the request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    connection.sendall(respond(connection.recv(65536)))

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
        yield f"{scheme}://{host}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (page(b"", "302 Found", "Location: http://169.254.169.254/\r\n"), Reason.FETCH_STATUS),
        (page(b"no", "404 Not Found"), Reason.FETCH_STATUS),
        (page(b"x" * 2000), Reason.INPUT_TOO_LARGE),
        (page(b"x", headers="Content-Encoding: gzip\r\n"), Reason.FETCH_ANSWER_INVALID),
        (page(b"short")[:-2], Reason.FETCH_FAILED),
        (b"not http", Reason.FETCH_FAILED),
        (b"", Reason.FETCH_FAILED),
    ],
    ids=["redirect", "404", "flood", "encoded", "cut", "not HTTP", "silence"],
)
def test_hostile_answers(response: bytes, reason: Reason) -> None:
    """Each ends in an error with a reason; no redirect is followed."""
    limits = LiveLimits(answer_bytes=1000, read_seconds=5, answer_seconds=5)
    with hostile(lambda _: response) as address:
        with pytest.raises(FetchError) as caught:
            Gateway(address, limits=limits).aci_report(NONCE)
        assert caught.value.reason == reason


def test_silence_ends() -> None:
    """A server that accepts and never answers costs seconds, not for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limits = LiveLimits(read_seconds=0.2)
        with pytest.raises(FetchError) as caught:
            Gateway(address, limits=limits).aci_report(NONCE)
    assert caught.value.reason == Reason.FETCH_TIMEOUT


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "]
)
def test_dripping_ends(start: bytes) -> None:
    """A byte now and then resets no clock of the whole, neither in the body nor before it."""

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with suppress(OSError), connection:
            connection.recv(65536)
            connection.sendall(start)
            for _ in range(1000):
                connection.sendall(b"x")
                sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=drip, args=[listener], daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limits = LiveLimits(answer_seconds=0.3)
        with pytest.raises(FetchError) as caught:
            Gateway(address, limits=limits).aci_report(NONCE)
    assert caught.value.reason == Reason.FETCH_TIMEOUT


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway.example",
        "ftp://127.0.0.1",
        "https://user:secret@gateway.example",
        "https://gateway.example/?x=1",
        "https://gateway.example/#x",
        "https://",
        "gateway.example",
        "https://[::1",
        "https://gateway.example:99999",
    ],
)
def test_addresses_nobody_should_ask(address: str) -> None:
    """Plain HTTP leaves this machine for nobody, and no secret is repeated."""
    with pytest.raises(FetchError) as caught:
        Gateway(address)
    assert caught.value.reason in (Reason.TLS_REQUIRED, Reason.FETCH_FAILED)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("identifier", ["", ".", "..", "x" * 300])
def test_ids_that_are_no_path_segment(identifier: str) -> None:
    """Ids come from the gateway; none of them may choose another path."""
    with pytest.raises(FetchError) as caught:
        Gateway("http://127.0.0.1:9").aci_receipt(identifier)
    assert caught.value.reason == Reason.FETCH_ANSWER_INVALID


def test_ids_are_escaped() -> None:
    """A slash in an id stays in the id."""
    heads: list[bytes] = []

    def respond(head: bytes) -> bytes:
        heads.append(head)
        return page(b"{}")

    with hostile(respond) as address:
        answer = Gateway(address, api_key="k-1").aci_receipt("../../admin?x=1\r\nX: y")
    assert answer.body == b"{}"
    assert heads[0].startswith(b"GET /v1/aci/receipts/..%2F..%2Fadmin%3Fx%3D1%0D%0AX%3A%20y HTTP")
    assert b"authorization: bearer k-1" in heads[0].lower()


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost, in files."""

    pem: Path
    spki_sha256: str

    @property
    def context(self) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)  # noqa: TID251 - TLS reads the real clock
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "tls.pem"
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(path, sha256(spki).hexdigest())


@pytest.mark.parametrize(
    ("domain", "options", "code", "proven"),
    [
        ("localhost", [], 0, True),
        ("other.example", [], 1, False),
        ("other.example", ["--allow-unbound-channel"], 0, False),
    ],
)
def test_the_channel_is_bound_to_the_keyset(
    certificate: Certificate,
    desk: Desk,
    capsys: pytest.CaptureFixture[str],
    domain: str,
    *,
    options: list[str],
    code: int,
    proven: bool,
) -> None:
    """The TLS key observed must be listed for this host name, or be left out knowingly."""
    tls_key = {"spki_sha256": certificate.spki_sha256, "domain": domain}
    service = Service(keyset=keyset(tls_public_keys=[tls_key]))
    body = page(json.dumps(service.report()).encode())
    with hostile(lambda _: body, certificate.context) as address:
        live = ["--url", address, "--ca-file", str(certificate.pem), "--nonce", NONCE.hex()]
        assert main(["aci", "verify", *live, *options, *desk.hardware, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    if code:
        assert document["reason"] == Reason.CHANNEL_NOT_BOUND
        return
    assert ("CHANNEL_BOUND" in {entry["code"] for entry in document["proves"]}) == proven


def test_an_aggregator_with_its_session(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The receipt is found by its header, the session by the receipt; the key comes from a file."""
    record = session()
    cited = session_id(record)
    service = Service(serving="aggregator")
    receipt = service.receipt(event_log=events(verified(cited)))
    pages = {
        b"/v1/aci/attestation": page(json.dumps(service.report()).encode()),
        b"/v1/chat/completions": page(RESPONSE, headers="X-Receipt-Id: rcpt-1\r\n"),
        b"/v1/aci/receipts/rcpt-1": page(json.dumps(receipt).encode()),
        f"/v1/aci/sessions/{cited}".encode(): page(json.dumps(record).encode()),
    }
    keys: set[bytes] = set()

    def respond(head: bytes) -> bytes:
        keys.update(line for line in head.lower().split(b"\r\n") if line.startswith(b"authoriz"))
        return pages[head.split(b" ")[1].partition(b"?")[0]]

    request, key = tmp_path / "request", tmp_path / "key"
    request.write_bytes(REQUEST)
    key.write_text("secret-1\n")
    with hostile(respond) as address:
        live = ["--url", address, "--nonce", NONCE.hex(), "--request", str(request)]
        options = ["--api-key-file", str(key), *desk.hardware, "--json"]
        assert main(["aci", "verify", *live, *options]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["session"]["session_id"] == cited
    assert keys == {b"authorization: bearer secret-1"}
    assert "secret-1" not in out


@pytest.mark.parametrize("key", ["", "secret\nX-Admin: 1", "s\u00e9cret", "x" * 5000])
def test_unfit_keys_are_a_matter_of_configuration(
    hardware: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    """From the file or the environment; the complaint does not repeat them."""
    path = tmp_path / "key"
    path.write_text(key + "\n", encoding="utf-8")
    arguments = ["aci", "verify", "--url", "http://127.0.0.1:9", *hardware]
    assert main([*arguments, "--api-key-file", str(path)]) == 6
    monkeypatch.setenv("QUOTARY_GATEWAY_API_KEY", key)
    assert main(arguments) == 6
    err = capsys.readouterr().err
    assert err.count("API_KEY_INVALID") == 2
    assert "cret" not in err


def test_unknown_authorities_are_refused(certificate: Certificate) -> None:
    """There is no way to ask for less."""
    with (
        hostile(lambda _: page(b"{}"), certificate.context) as address,
        pytest.raises(FetchError) as caught,
    ):
        Gateway(address).aci_report(NONCE)
    assert caught.value.reason == Reason.TLS_UNTRUSTED
