"""The simulator: a test root, and platforms that give genuine-looking quotes under it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal

from quotary_enclave.simulator.keys import SeededKeys
from quotary_enclave.simulator.pck_extension import PckExtension
from quotary_enclave.simulator.pki import Pki, Role, intel_like_certificates
from quotary_enclave.simulator.platform import Platform, pck_certificate
from quotary_enclave.simulator.scenario import FieldValue

__all__ = ["Simulator"]

DEFAULT_FMSPC: Final = bytes.fromhex("51544D000000")
DEFAULT_COMPONENTS: Final = (4, 4, 2, 2, 4, 1, 0, 5) + (0,) * 8
_SEED_OCTETS: Final = 32


class Simulator:
    """
    Mints Intel DCAP evidence of full fidelity under a root of its own.

    The evidence is worth nothing to a verifier that trusts Intel's root only: the root's key is
    derived from `seed`, and every name says "Quotary Simulation". `at` is the time the evidence is
    made for; the same `at` and `seed` give the same bytes. Raises `ValueError` when `at` has no
    time zone.
    """

    def __init__(self, at: datetime, *, seed: bytes | None = None) -> None:
        """A simulation around `at`; without a `seed`, one that nobody can repeat."""
        if at.tzinfo is None:
            raise ValueError("the simulator needs a time with a time zone")
        self.at = at.astimezone(UTC).replace(microsecond=0)
        self.seed = os.urandom(_SEED_OCTETS) if seed is None else seed
        self.pki = Pki(SeededKeys(self.seed), intel_like_certificates(self.at))

    @property
    def root_der(self) -> bytes:
        """The root certificate, DER."""
        return self.pki.certificate(Role.ROOT)

    @property
    def root_key_hash(self) -> bytes:
        """SHA-256 of the root key's `x ‖ y`."""
        return hashlib.sha256(self.pki.key(Role.ROOT).public).digest()

    def platform(
        self,
        name: str = "0",
        *,
        ca: Literal["platform", "processor"] = "platform",
        fmspc: bytes = DEFAULT_FMSPC,
        components: tuple[int, ...] = DEFAULT_COMPONENTS,
        pce_svn: int = 11,
        **fields: FieldValue,
    ) -> Platform:
        """
        The machine called `name`: same name, same keys.

        `fields` are further fields of `PckExtension`. Platforms of the Platform CA get an instance
        id and a configuration (dynamic platform, cached keys, SMT), as multi-socket servers do.
        """
        role = Role.PLATFORM_CA if ca == "platform" else Role.PROCESSOR_CA
        keys = self.pki.keys
        label = f"platform/{name}"
        extension = PckExtension(
            ppid=keys.octets(f"{label}/ppid", 16),
            components=components,
            pce_svn=pce_svn,
            fmspc=fmspc,
            sgx_type=0,
        )
        if role is Role.PLATFORM_CA:
            extension = replace(
                extension,
                sgx_type=1,
                platform_instance_id=keys.octets(f"{label}/instance", 16),
                dynamic_platform=True,
                cached_keys=True,
                smt_enabled=True,
            )
        leaf = pck_certificate(role, replace(extension, **fields), self.at)
        specs = {**self.pki.specs, Role.PCK: leaf}
        return Platform(self.at, Pki(keys, specs, label))

    def collateral(
        self, platform: Platform, tee: Literal["sgx", "tdx"] = "tdx", **changes: FieldValue
    ) -> dict[str, str]:
        """
        The collateral for quotes of `platform`, in the JSON form PCCS clients exchange.

        `changes` replace fields of the `CollateralSpec`; without any, the platform is up to date.
        """
        spec = platform.collateral_spec(tdx=tee == "tdx")
        return replace(spec, **changes).mint(platform.pki)
