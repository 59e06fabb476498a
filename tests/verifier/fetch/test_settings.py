"""Which addresses a client may be pointed at."""

from __future__ import annotations

import pytest
from quotary.errors import Reason
from quotary.fetch import CollateralService, FetchError, PckCa, PlatformKey, UpdateChannel
from quotary.tcb import TeeType


def test_intel_is_the_default() -> None:
    """Without settings, Intel's service and Intel's distribution point are asked, over TLS."""
    service = CollateralService()
    assert service.base_url.startswith("https://api.")
    assert service.root_crl_url is not None
    assert service.root_crl_url.startswith("https://certificates.")


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/",
        "https://api.trustedservices.intel.com.evil.example/",
        "https://evil.example/api.trustedservices.intel.com",
        "https://xn--api-trustedservices.intel.com/",
    ],
)
def test_hosts_off_the_list_are_refused(url: str) -> None:
    """The whole host must be on the list, exactly."""
    with pytest.raises(FetchError) as caught:
        CollateralService(base_url=url)
    assert caught.value.reason is Reason.HOST_NOT_ALLOWED


def test_distribution_point_is_held_to_the_list_too() -> None:
    """The root's list comes from an allowed host or not at all."""
    with pytest.raises(FetchError) as caught:
        CollateralService(root_crl_url="https://evil.example/root.der")
    assert caught.value.reason is Reason.HOST_NOT_ALLOWED


@pytest.mark.parametrize(
    "url",
    [
        "http://pccs.example:8081",
        "ftp://pccs.example",
        "http://10.0.0.1",
        "http://localhost.example",
    ],
)
def test_plain_http_is_for_loopback(url: str) -> None:
    """Names and addresses of other machines take https."""
    with pytest.raises(FetchError) as caught:
        CollateralService.pccs(url)
    assert caught.value.reason is Reason.TLS_REQUIRED


@pytest.mark.parametrize(
    "url", ["http://localhost:8081", "http://127.0.0.1:8081/", "http://[::1]:8081", "https://a.b"]
)
def test_pccs_addresses(url: str) -> None:
    """A PCCS serves the root's list itself, and its host is the only one allowed."""
    service = CollateralService.pccs(url)
    assert service.root_crl_url is None
    assert len(service.allowed_hosts) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pccs.example",
        "https://user:secret@api.trustedservices.intel.com",
        "https://user@api.trustedservices.intel.com",
        "https://api.trustedservices.intel.com?x=1",
        "https://api.trustedservices.intel.com#x",
        "https://api.trustedservices.intel.com\\@evil.example",
        "https://api.trustedservices.intel.com\n.evil.example",
        "https://api.trustedservices.intel.com:0",
        "https://api.trustedservices.intel.com:port",
    ],
)
def test_odd_addresses_are_refused(url: str) -> None:
    """Whatever two parsers might read differently is refused by the first."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for people
        CollateralService(base_url=url)


@pytest.mark.parametrize("text", ["standard", "early", "1", "17", "4294967295"])
def test_update_channels(text: str) -> None:
    """Two names and any number are channels."""
    assert UpdateChannel.parse(text).name == text


@pytest.mark.parametrize("text", ["", "0", "017", "-1", "late", "Early", "٣", "4294967296", "../x"])
def test_what_is_no_update_channel(text: str) -> None:
    """A channel becomes part of a path and of a query, so nothing else gets through."""
    with pytest.raises(ValueError, match="no update channel"):
        UpdateChannel.parse(text)


def test_fmspc_has_six_bytes() -> None:
    """A platform key with another FMSPC cannot be made."""
    with pytest.raises(ValueError, match="6 bytes"):
        PlatformKey(TeeType.SGX, bytes(5), PckCa.PLATFORM)


def test_api_key_cannot_break_out_of_its_header() -> None:
    """Line ends in a key would be further headers."""
    with pytest.raises(ValueError, match="API key"):
        CollateralService(api_key="key\r\nHost: evil.example")
