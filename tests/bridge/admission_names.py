"""Who and what random histories of admission are about."""

from __future__ import annotations

from eth_utils.crypto import keccak
from quotary import TcbStatus
from quotary_bridge.model import Bytes32

from tests.bridge.admission_requests import address_of_worker

GENESIS = 1_790_000_000
DAY = 86_400
APPS = tuple(Bytes32(keccak(text=f"app {number}")) for number in range(2))
EVERY_APP = bytes(32)
MEASUREMENTS = tuple(bytes([0, 0, 0, 0x10, number]) + bytes(443) for number in range(3))
PLATFORMS = tuple(keccak(text=f"platform {number}") for number in range(24))
FMSPCS = tuple(bytes.fromhex(text) for text in ("50806f000000", "90c06f000000", "00606a000000"))
WORKERS = tuple(address_of_worker(number) for number in range(24))
STATUSES = tuple(status for status in TcbStatus if status is not TcbStatus.REVOKED)
GOVERNOR, GUARDIAN, STRANGER = 0, 1, 9
MEMBERS = (3, 4)
MANIFEST = (b"\1" * 32, b"\2" * 32, "https://example.org/source")
GAS = hex(2**23)


def home_of(number: int) -> bytes:
    """The platform of worker `number`: a third share theirs with another of their app."""
    return PLATFORMS[number % (2 * len(APPS)) if number % 3 == 0 else number]
