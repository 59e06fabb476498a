"""Profiles: many measurements that are admitted as one (docs/formats.md, "Profiles")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from eth_utils.crypto import keccak
from quotary import TeeType

from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.model import Bytes32
from quotary_bridge.words import encode_words

__all__ = ["FIELDS", "RESERVED", "Profile", "profile_from"]

_TYPE_HASH: Final = keccak(b"Profile(uint8 teeType,uint16 minSvn,bytes mask,bytes value)")

FIELDS: Mapping[TeeType, Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        TeeType.SGX: {
            "miscselect": (0, 4),
            "isvextprodid": (16, 16),
            "attributes": (32, 16),
            "mrenclave": (48, 32),
            "mrsigner": (112, 32),
            "configid": (176, 64),
            "isvprodid": (240, 2),
            "isvsvn": (242, 2),
            "configsvn": (244, 2),
            "isvfamilyid": (288, 16),
        },
        TeeType.TDX: {
            "td_attributes": (0, 8),
            "xfam": (8, 8),
            "mrtd": (16, 48),
            "mrconfigid": (64, 48),
            "mrowner": (112, 48),
            "mrownerconfig": (160, 48),
            "rtmr0": (208, 48),
            "rtmr1": (256, 48),
            "rtmr2": (304, 48),
            "rtmr3": (352, 48),
            "mrservicetd": (400, 48),
        },
    }
)
"""Offset and length of each field in a measurement, in bytes."""

RESERVED: Mapping[TeeType, tuple[tuple[int, int], ...]] = MappingProxyType(
    {TeeType.SGX: ((4, 12), (80, 32), (144, 32), (246, 42)), TeeType.TDX: ()}
)
"""Places that no field has."""

_ISVSVN_AT, _ISVSVN_END = 242, 244


@dataclass(frozen=True, slots=True)
class Profile:
    """
    What a measurement must be: `value` where `mask` has bits, anything elsewhere.

    `min_svn` is the least ISVSVN of an enclave, 0 for none.
    """

    tee_type: TeeType
    min_svn: int
    mask: bytes
    value: bytes

    @property
    def id(self) -> Bytes32:
        """The one hash that the registry knows the profile by."""
        parts = (int(self.tee_type), self.min_svn, keccak(self.mask), keccak(self.value))
        return Bytes32(keccak(encode_words(_TYPE_HASH, *parts)))

    @property
    def open_fields(self) -> tuple[str, ...]:
        """The fields of which the profile leaves any bit open: its wildcards."""
        places = FIELDS[self.tee_type].items()
        return tuple(
            name
            for name, (offset, length) in places
            if self.mask[offset : offset + length] != b"\xff" * length
        )

    def mismatch(self, tee_type: TeeType, measurement: bytes) -> str | None:
        """Return the first field that is not as the profile says, None where all are."""
        if tee_type is not self.tee_type or len(measurement) != len(self.mask):
            return "tee_type"
        for at, (found, mask, value) in enumerate(
            zip(measurement, self.mask, self.value, strict=True)
        ):
            if found & mask != value:
                return _field_at(tee_type, at)
        svn = int.from_bytes(measurement[_ISVSVN_AT:_ISVSVN_END], "little")
        return "isvsvn" if self.min_svn and svn < self.min_svn else None

    def words(self) -> tuple[int, int, bytes, bytes]:
        """Return the profile as the ABI takes it."""
        return (int(self.tee_type), self.min_svn, self.mask, self.value)


def profile_from(record: AbiValue) -> Profile:
    """Return a profile as the ABI has it."""
    return Profile(TeeType(record["teeType"]), record["minSvn"], record["mask"], record["value"])


def _field_at(tee_type: TeeType, at: int) -> str:
    places = FIELDS[tee_type].items()
    found = (name for name, (offset, length) in places if offset <= at < offset + length)
    return next(found, "reserved")
