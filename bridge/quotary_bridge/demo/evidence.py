"""
Genuine hardware evidence for the demonstration, from a source distribution on the package index.

The quotes are not ours to redistribute, so none is committed: dcap-qvl's source distribution
carries samples (MIT), is fetched once, checked against a pinned hash, and only the named files are
read out of it. Nothing of it is built or run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["EvidenceUnavailableError", "Sample", "cache_folder", "genuine_samples"]

_REQUIREMENT = "dcap-qvl==0.7.0"
_SHA256 = "f1c442dc494a6a3ccfff587dfa22ea3a7459c90d940a3dd20d234332a025ed03"
_MAX_MEMBER_BYTES = 1 << 20  # the samples are below 32 KiB; a larger member is not one of them
_DOWNLOAD_SECONDS = 60

# Each sample's collateral is valid only for a month; these moments lie inside.
_SAMPLES = (
    ("Intel TDX, quote v4", "tdx_quote", datetime(2025, 7, 4, 10, 16, 31, tzinfo=UTC)),
    ("Intel SGX, quote v3", "sgx_quote", datetime(2025, 7, 4, 10, 28, 44, tzinfo=UTC)),
    ("Intel TDX, quote v5", "tdx_quote_td15ex", datetime(2026, 10, 23, 0, 6, 48, tzinfo=UTC)),
)


class EvidenceUnavailableError(Exception):
    """The genuine samples could not be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One genuine quote, the collateral of its time, and a moment inside its validity."""

    label: str
    quote: bytes
    collateral: bytes
    at: datetime


def cache_folder() -> Path:
    """Where fetched evidence is kept: `$XDG_CACHE_HOME/quotary`, else `~/.cache/quotary`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "quotary"


def genuine_samples(cache: Path | None = None) -> tuple[Sample, ...]:
    """
    Return the genuine samples, TDX v4 first, fetching them on first use.

    Raises `EvidenceUnavailableError` when the package index is out of reach or serves other bytes
    than the pinned ones.
    """
    folder = cache or cache_folder()
    archive = folder / "dcap_qvl-0.7.0.tar.gz"
    if not archive.is_file():
        _fetch(archive)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != _SHA256:
        archive.unlink()
        raise EvidenceUnavailableError(
            "the archive of samples does not have the pinned hash; it was removed, run again"
        )
    return _read(archive)


def _fetch(archive: Path) -> None:
    """Download the source distribution beside `archive` and move it there whole."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        command = [sys.executable, "-m", "unearth", _REQUIREMENT, "--no-binary", *_index()]
        try:
            done = subprocess.run(
                [*command, "--download", scratch],
                capture_output=True,
                text=True,
                timeout=_DOWNLOAD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EvidenceUnavailableError(
                f"the package index gave no answer within {_DOWNLOAD_SECONDS} seconds"
            ) from error
        found = list(Path(scratch).glob("*.tar.gz"))
        if done.returncode != 0 or len(found) != 1:
            lines = done.stderr.strip().splitlines()
            raise EvidenceUnavailableError(
                f"the package index did not serve {_REQUIREMENT}: "
                f"{lines[-1] if lines else 'no answer'}"
            )
        found[0].replace(archive)


def _index() -> list[str]:
    """The package index the person configured for pip, or none to use the ordinary one."""
    url = os.environ.get("PIP_INDEX_URL", "")
    if not url:
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
            capture_output=True,
            text=True,
            check=False,
        )
        url = asked.stdout.strip() if asked.returncode == 0 else ""
    return ["--index-url", url] if url else []


def _read(archive: Path) -> tuple[Sample, ...]:
    """Read the named samples out of the archive without unpacking it."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {Path(m.name).name: m for m in tar if m.isfile() and "/sample/" in m.name}

            def content(name: str) -> bytes:
                return _content(tar, members[name])

            samples = tuple(
                Sample(label, content(name), content(f"{name}_collateral.json"), at)
                for label, name, at in _SAMPLES
            )
    except (KeyError, OSError, tarfile.TarError) as error:
        raise EvidenceUnavailableError(f"the archive of genuine samples lacks {error}") from error
    return samples


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None or member.size > _MAX_MEMBER_BYTES:
        raise KeyError(member.name)
    return stream.read()
