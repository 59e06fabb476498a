"""Where collateral is fetched from and how much patience and memory that may cost: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from quotary.errors import Reason
from quotary.fetch.errors import FetchError

__all__ = [
    "INTEL_PCS_URL",
    "INTEL_ROOT_CRL_URL",
    "CollateralService",
    "Limits",
    "Retries",
    "UpdateChannel",
]

INTEL_PCS_URL: Final = "https://api.trustedservices.intel.com"
INTEL_ROOT_CRL_URL: Final = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
"""The root's CRL distribution point. It is fixed here, never read from a certificate."""

_INTEL_HOSTS: Final = frozenset(
    {"api.trustedservices.intel.com", "certificates.trustedservices.intel.com"}
)
_MAX_EVALUATION_NUMBER: Final = 0xFFFFFFFF


class _Update(StrEnum):
    STANDARD = "standard"
    EARLY = "early"


@dataclass(frozen=True, slots=True)
class UpdateChannel:
    """
    Which TCB evaluation to ask for: standard, early, or the one with a number (PCS v4).

    Standard collateral gives operators time to update after a TCB recovery; early collateral tells
    the truth at once. `UpdateChannel.parse("17")` asks for evaluation 17.
    """

    name: str = _Update.STANDARD.value

    def __post_init__(self) -> None:
        """Refuse what is no channel with `ValueError`."""
        if self.name in tuple(_Update):
            return
        canonical = (
            self.name.isascii() and self.name.isdigit() and self.name == self.name.lstrip("0")
        )
        if not canonical or int(self.name) > _MAX_EVALUATION_NUMBER:
            raise ValueError(f"no update channel: {self.name!r} (standard, early or a number)")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `standard`, `early` or a TCB evaluation data number; raises `ValueError`."""
        return cls(text)

    @property
    def evaluation_number(self) -> int | None:
        """The number asked for, None on a named channel."""
        return int(self.name) if self.name.isdigit() else None

    @property
    def query(self) -> tuple[str, str]:
        """The query parameter that asks for the channel; the PCS takes one of the two only."""
        if self.evaluation_number is None:
            return ("update", self.name)
        return ("tcbEvaluationDataNumber", self.name)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds in seconds and bytes; every one of them ends in an error, never in a cut document.

    `document_seconds` bounds one answer from the connection's start to its last byte, however
    slowly the bytes drip; `total_seconds` bounds a whole call with its retries.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 15.0
    document_seconds: float = 30.0
    total_seconds: float = 120.0
    json_bytes: int = 256 * 1024
    crl_bytes: int = 2 * 1024 * 1024
    certificate_bytes: int = 16 * 1024

    def __post_init__(self) -> None:
        """Refuse bounds that are none with `ValueError`."""
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above zero")


@dataclass(frozen=True, slots=True)
class Retries:
    """
    How often to ask again after a lost connection, 429 or a 5xx, and how long to wait.

    The wait doubles from `first_wait` up to `longest_wait`; a Retry-After header may lengthen it up
    to `longest_wait`. `attempts` counts the first one too.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 20.0

    def __post_init__(self) -> None:
        """Refuse less than one attempt and negative waits with `ValueError`."""
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < self.first_wait:
            raise ValueError("retries need one attempt or more, and waits of zero or more")

    def wait(self, failures: int, asked: float | None) -> float:
        """Return the seconds to wait after the given number of failures."""
        doubled = self.first_wait * 2.0 ** min(failures - 1, 32)
        return min(max(doubled, asked or 0.0), self.longest_wait)


@dataclass(frozen=True, slots=True)
class CollateralService:
    """
    A PCS or PCCS, and what a client may do there.

    `root_crl_url` is where the root's revocation list lies; None asks the service's own
    `rootcacrl`, which PCCS have and Intel's service has not. No other host than `allowed_hosts` is
    ever connected to. `ca_file` names a PEM file of authorities for the service's certificate, in
    place of the public ones. `api_key` goes to `base_url`'s host only.

    Raises `FetchError` (`TLS_REQUIRED`, `HOST_NOT_ALLOWED`) or `ValueError` for addresses no client
    should use.
    """

    base_url: str = INTEL_PCS_URL
    root_crl_url: str | None = INTEL_ROOT_CRL_URL
    allowed_hosts: frozenset[str] = _INTEL_HOSTS
    channel: UpdateChannel = UpdateChannel()
    limits: Limits = Limits()
    retries: Retries = Retries()
    ca_file: str | None = None
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check both addresses once, so that no request needs to."""
        self._require_address(self.base_url, "base_url")
        if self.root_crl_url is not None:
            self._require_address(self.root_crl_url, "root_crl_url")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("an API key is printable ASCII")

    @classmethod
    def pccs(
        cls,
        base_url: str,
        *,
        channel: UpdateChannel = UpdateChannel(),
        limits: Limits = Limits(),
        retries: Retries = Retries(),
        ca_file: str | None = None,
        api_key: str | None = None,
    ) -> Self:
        """
        Name the PCCS at `base_url`, whose host is thereby allowed.

        Warning: give an address an operator chose, never one that came with a request.
        """
        return cls(
            base_url=base_url,
            root_crl_url=None,
            allowed_hosts=frozenset({_split(base_url).hostname or ""}),
            channel=channel,
            limits=limits,
            retries=retries,
            ca_file=ca_file,
            api_key=api_key,
        )

    def _require_address(self, url: str, item: str) -> None:
        parts = _split(url)
        host = parts.hostname
        if not host or parts.username is not None or parts.query or parts.fragment:
            raise ValueError(f"{item} is a plain address like {INTEL_PCS_URL}")
        if host not in self.allowed_hosts:
            raise FetchError(
                Reason.HOST_NOT_ALLOWED,
                item,
                expected=" or ".join(sorted(self.allowed_hosts)),
                found=ascii(host),
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
            raise FetchError(
                Reason.TLS_REQUIRED, item, expected="https", found=ascii(f"{parts.scheme}://{host}")
            )


def _split(url: str) -> SplitResult:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("an address is printable ASCII without spaces")
    parts = urlsplit(url)
    if parts.port == 0:
        raise ValueError("port 0 is no port")
    return parts


def _is_loopback(host: str) -> bool:
    """Whether `host` is this machine; names but `localhost` are not, whatever they resolve to."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
