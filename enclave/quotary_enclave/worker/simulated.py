"""A TDX guest without a TEE: quotes minted by the simulator, measurements of this very code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from quotary_enclave.model import Model
from quotary_enclave.simulator import Platform, TdReport
from quotary_enclave.worker.config import Provenance
from quotary_enclave.worker.guest import GuestMeasurements, replay
from quotary_enclave.worker.quotes import QuoteEvidence, require_bound

__all__ = ["SimulatedTdx", "code_digest", "compose_for", "simulated_provenance", "simulated_tdx"]

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def code_digest(folder: Path = _PACKAGE) -> bytes:
    """
    SHA-256 over names and contents of the Python files in `folder`.

    Stands for the digest of the container image: other code gives another measurement.
    """
    total = sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(sha256(path.read_bytes()).digest())
    return total.digest()


def compose_for(image: bytes, weights: Iterable[bytes]) -> str:
    """The deployment manifest of a worker: its image by digest, and the weights it serves."""
    roots = ",".join(root.hex() for root in weights)
    service = f"services:\n  worker:\n    image: quotary-worker@sha256:{image.hex()}\n"
    manifest = {
        "manifest_version": 2,
        "name": "quotary-worker (simulated)",
        "runner": "docker-compose",
        "docker_compose_file": f"{service}    environment:\n      WEIGHTS: {roots}\n",
    }
    return json.dumps(manifest, separators=(",", ":"))


class SimulatedTdx:
    """
    A `QuoteSource` over a simulated platform.

    Its evidence passes every rule that genuine evidence passes, under the simulator's root only,
    and its event log replays to the quote's registers.
    """

    simulated: Final = True

    def __init__(self, platform: Platform, measurements: GuestMeasurements) -> None:
        """A guest with `measurements` on `platform`."""
        self.platform = platform
        self.measurements = measurements
        self._rtmrs = replay(measurements.events())

    def quote(self, report_data: bytes) -> QuoteEvidence:
        """A version 4 TDX quote over `report_data`. Never raises for 64 bytes."""
        report = TdReport(mr_td=self.measurements.mr_td, rtmrs=self._rtmrs, report_data=report_data)
        quote = self.platform.quote(report)
        require_bound(quote, report_data)
        return QuoteEvidence(
            quote,
            self.measurements.event_log(),
            self.measurements.vm_config(),
            self.measurements.app_compose,
            {
                "app_id": self.measurements.app_id.hex(),
                "instance_id": self.measurements.instance_id.hex(),
                "simulated": True,
            },
        )

    def sealing_key(self) -> bytes:
        """A key of the simulated machine: known to whoever knows the simulator's seed."""
        label = f"sealing/{self.platform.pck.ppid.hex()}"
        return self.platform.pki.keys.octets(label, 32)


def simulated_tdx(platform: Platform, model: Model) -> SimulatedTdx:
    """A guest on `platform` that measures this package's code and `model`'s weights."""
    compose = compose_for(code_digest(), (model.weights_root,))
    return SimulatedTdx(platform, GuestMeasurements(compose))


def simulated_provenance() -> Provenance:
    """The image that `simulated_tdx` measures, for reports that claim it."""
    return Provenance(image_digest=f"sha256:{code_digest().hex()}")
