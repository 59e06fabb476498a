"""The certificate all trust starts from, pinned by its bytes."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from quotary._ecdsa import PublicKey
from quotary.errors import QuotaryError, Reason, VerificationError
from quotary.x509 import Certificate, Role, require_issued, require_role, split_pem

__all__ = ["INTEL_ROOT", "TrustRoot"]

_ITEM: Final = "trusted root"


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """
    A root certificate the caller decided to trust.

    Chains must end at these very bytes: a root is recognised by identity, never by its name.
    """

    certificate: Certificate

    @classmethod
    def from_certificate(cls, data: bytes) -> TrustRoot:
        """
        Trust one self-signed root certificate, DER or PEM. Raises `QuotaryError`.

        Warning: everything below this certificate is believed. Outside of tests and simulators only
        `INTEL_ROOT` makes sense.
        """
        der = data if data[:1] == b"\x30" else split_pem(data, _ITEM, 1)[0]
        certificate = Certificate.parse(der, _ITEM)
        require_role(certificate, Role.ROOT, _ITEM)
        require_issued(certificate, certificate, _ITEM)
        return cls(certificate)

    @property
    def key(self) -> PublicKey:
        """The root's public key, loaded."""
        return self.certificate.key

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of x ‖ y: the name contracts and journals know this root by."""
        return self.certificate.key_hash

    def require_pinned(
        self, der: bytes, item: str, error: type[QuotaryError] = VerificationError
    ) -> None:
        """Raise `error` unless `der` is this root, byte for byte."""
        if der != self.certificate.der:
            raise error(
                Reason.ROOT_NOT_PINNED,
                item,
                expected=f"root {sha256(self.certificate.der).hexdigest()}",
                found=sha256(der).hexdigest(),
            )


# Intel SGX Root CA, 2018-05-21 to 2049-12-31, SHA-256 of the DER 44a0196b…fab674d3 (Intel PCS).
INTEL_ROOT: Final = TrustRoot.from_certificate(
    b64decode(
        "MIICjzCCAjSgAwIBAgIUImUM1lqdNInzg7SVUr9QGzknBqwwCgYIKoZIzj0EAwIwaDEaMBgGA1UEAwwRSW50ZWwgU0dY"
        "IFJvb3QgQ0ExGjAYBgNVBAoMEUludGVsIENvcnBvcmF0aW9uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwC"
        "Q0ExCzAJBgNVBAYTAlVTMB4XDTE4MDUyMTEwNDUxMFoXDTQ5MTIzMTIzNTk1OVowaDEaMBgGA1UEAwwRSW50ZWwgU0dY"
        "IFJvb3QgQ0ExGjAYBgNVBAoMEUludGVsIENvcnBvcmF0aW9uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwC"
        "Q0ExCzAJBgNVBAYTAlVTMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC6nEwMDIYZOj/iPWsCzaEKi71OiOSLRFhWGj"
        "bnBVJfVnkY4u3IjkDYYL0MxO4mqsyYjlBalTVYxFP2sJBK5zlKOBuzCBuDAfBgNVHSMEGDAWgBQiZQzWWp00ifODtJVS"
        "v1AbOScGrDBSBgNVHR8ESzBJMEegRaBDhkFodHRwczovL2NlcnRpZmljYXRlcy50cnVzdGVkc2VydmljZXMuaW50ZWwu"
        "Y29tL0ludGVsU0dYUm9vdENBLmRlcjAdBgNVHQ4EFgQUImUM1lqdNInzg7SVUr9QGzknBqwwDgYDVR0PAQH/BAQDAgEG"
        "MBIGA1UdEwEB/wQIMAYBAf8CAQEwCgYIKoZIzj0EAwIDSQAwRgIhAOW/5QkR+S9CiSDcNoowLuPRLsWGf/Yi7GSX94Bg"
        "wTwgAiEA4J0lrHoMs+Xo5o/sX6O9QWxHRAvZUGOdRQ7cvqRXaqI="
    )
)
"""Intel SGX Root CA."""
