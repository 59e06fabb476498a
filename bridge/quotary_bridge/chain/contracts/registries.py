"""The registry of admitted measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, MeasurementStatus
from quotary_bridge.chain.contracts.profiles import Profile
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Bytes32

__all__ = ["Manifest", "MeasurementRegistry"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a measured image comes from, so that anybody can rebuild and compare it."""

    source_commit: Bytes32
    build_digest: Bytes32
    source_uri: str


class MeasurementRegistry(Contract):
    """The images an app's results may come from."""

    abi_name: ClassVar[str] = "MeasurementRegistry"

    def status_of(
        self, app_id: Bytes32, measurement_id: Bytes32, at: BlockTag = "latest"
    ) -> MeasurementStatus:
        """Return what became of a measurement for an app."""
        return MeasurementStatus(self.read("statusOf", app_id, measurement_id, at=at))

    def admit(self, app_id: Bytes32, measurement_id: Bytes32, manifest: Manifest) -> bytes:
        """Return call data for the governor."""
        source = (manifest.source_commit, manifest.build_digest, manifest.source_uri)
        return self.encode("admit", app_id, measurement_id, source)

    def admit_profile(self, app_id: Bytes32, profile: Profile, manifest: Manifest) -> bytes:
        """Return call data for the governor."""
        source = (manifest.source_commit, manifest.build_digest, manifest.source_uri)
        return self.encode("admitProfile", app_id, profile.words(), source)

    def match_profile(self, app_id: Bytes32, profile: Profile, measurement: bytes) -> bytes:
        """Return call data, for anyone, that admits a measurement through an admitted profile."""
        return self.encode("matchProfile", app_id, profile.words(), measurement)

    def revoke(self, app_id: Bytes32, measurement_id: Bytes32) -> bytes:
        """Return call data for the governor or the guardian; there is no way back."""
        return self.encode("revoke", app_id, measurement_id)

    def ban(self, app_id: Bytes32, measurement_id: Bytes32) -> bytes:
        """Return call data that revokes even what was never admitted."""
        return self.encode("ban", app_id, measurement_id)
