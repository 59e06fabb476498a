"""TLS is always on and always checked, and never waits for ever."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from quotary.errors import Reason
from quotary.fetch import FetchError, PlatformKey, Retries
from quotary_enclave.simulator import Platform, Simulator

from tests.verifier.fetch.conftest import AT, PATIENT, Twin, refusal
from tests.verifier.fetch.service import Service, serving

MakeClient = Callable[..., Twin]


def certificate(folder: Path, host: str) -> Path:
    """A self-signed TLS certificate for `host`, with its key, as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test service")])
    start = datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 - TLS reads the real clock
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / f"{host}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_tls_with_a_given_authority(
    client_of: MakeClient,
    simulator: Simulator,
    platform: Platform,
    key: PlatformKey,
    tmp_path: Path,
) -> None:
    """A PCCS under a company's own authority works when that authority is named."""
    service = Service(pccs=True)
    service.publish(simulator.collateral(platform))
    pem = certificate(tmp_path, "127.0.0.1")
    with serving(service, pem):
        assert service.url.startswith("https://")
        assert client_of(service, ca_file=str(pem)).fetch(key, at=AT).key == key


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_tls_is_always_checked(
    *,
    client_of: MakeClient,
    simulator: Simulator,
    platform: Platform,
    key: PlatformKey,
    tmp_path: Path,
    host: str,
) -> None:
    """An unknown authority, or another host's certificate, is refused and not tried again."""
    service = Service(pccs=True)
    service.publish(simulator.collateral(platform))
    pem = certificate(tmp_path, host)
    trusted = None if host == "127.0.0.1" else str(pem)
    with serving(service, pem):
        client = client_of(service, ca_file=trusted)
        assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.TLS_UNTRUSTED
    assert client.waits == []
    assert service.asked == []


def test_old_tls_is_refused(
    client_of: MakeClient, simulator: Simulator, platform: Platform
) -> None:
    """TLS below 1.2 is not offered."""
    service = Service(pccs=True)
    service.publish(simulator.collateral(platform))
    with serving(service):
        context = client_of(service).client._http._tls
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_silent_tls_peer_ends_with_the_document_s_time(
    client_of: MakeClient, key: PlatformKey
) -> None:
    """A peer that accepts and never shakes hands is left in time, its connections closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = Service(pccs=True, url=f"https://127.0.0.1:{listener.getsockname()[1]}")
        limits = replace(PATIENT, document_seconds=1.5)
        client = client_of(service, limits=limits, retries=Retries(attempts=1))
        assert refusal(FetchError, lambda: client.fetch(key, at=AT)) is Reason.FETCH_TIMEOUT
        listener.settimeout(60)
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(60)
            greeting = peer.recv(65536)
            assert greeting.startswith(b"\x16\x03")
            assert peer.recv(1) == b""
