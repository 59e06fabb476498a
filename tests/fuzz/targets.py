"""All targets by name, with their corpora."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.fuzz.evidence_targets import EVIDENCE_TARGETS
from tests.fuzz.target import Target
from tests.fuzz.workload_targets import WORKLOAD_TARGETS

__all__ = ["CORPUS", "REGRESSIONS", "TARGETS", "corpus", "kept", "regressions"]

TARGETS: Final = MappingProxyType(
    {target.name: target for target in (*EVIDENCE_TARGETS, *WORKLOAD_TARGETS)}
)
_HERE: Final = Path(__file__).resolve().parent
CORPUS: Final = _HERE / "corpus"
"""Inputs that reached something new once; made by the fuzzer from simulated evidence."""
REGRESSIONS: Final = _HERE / "regressions"
"""Every input that ever made something else than our errors come out, by target."""


def corpus(target: Target) -> list[bytes]:
    """Seeds made now, and inputs kept from earlier runs."""
    return [*target.seeds(), *(data for _, data in kept(CORPUS, target))]


def regressions(target: Target) -> list[tuple[str, bytes]]:
    """Name and content of every regression."""
    return list(kept(REGRESSIONS, target))


def kept(folder: Path, target: Target) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files under `folder` for `target`."""
    place = folder / target.name
    paths = sorted(place.iterdir()) if place.is_dir() else []
    return ((path.name, path.read_bytes()) for path in paths)
