"""
Collateral on disk: verified before it is filed, checked again when it is read, and never older.

    <folder>/<root>/<tee>/<fmspc>/<ca>/<channel>.json

One file holds all documents of a platform family on one update channel, so they can never be of
different fetches. A file is replaced whole, under a lock: a crash leaves the old one or the new.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.collateral._json import parse_object
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch.settings import UpdateChannel
from quotary.fetch.targets import PckCa, PlatformKey
from quotary.tcb import TeeType
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, unix_seconds

__all__ = ["CacheEntry", "CollateralCache"]

_SCHEMA_VERSION: Final = 1
_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".tmp"
_MAX_ENTRY_BYTES: Final = 2 * MAX_COLLATERAL_BYTES
_FIELDS: Final = frozenset({"schema_version", "sha256", "fetched_at", "collateral"})


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One file of the cache: verified as of `fetched_at`, which may be long ago."""

    key: PlatformKey
    channel: UpdateChannel
    fetched_at: datetime
    raw: RawCollateral
    collateral: Collateral


class CollateralCache:
    """
    A folder of collateral under one trusted root.

    Many processes may share it. Reading never trusts the disk: every entry is verified again.
    """

    def __init__(self, folder: Path, *, root: TrustRoot = INTEL_ROOT) -> None:
        """Use `folder`, which is made when something is first stored."""
        self._root = root
        # Collateral of a test root must never be found by a client that trusts Intel's.
        self._folder = folder.absolute() / root.key_hash.hex()[:16]

    def path(self, key: PlatformKey, channel: UpdateChannel) -> Path:
        """
        Return where an entry lies, or would lie.

        Raises `CollateralError` with `PATH_ESCAPE` when links lead out of the cache's folder.
        """
        path = self._folder / key.tee / key.fmspc.hex() / key.ca / f"{channel.name}{_SUFFIX}"
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise CollateralError(
                Reason.PATH_ESCAPE,
                "cache entry",
                expected=f"a file under {self._folder}",
                found=str(path.resolve()),
            )
        return path

    def load(self, key: PlatformKey, channel: UpdateChannel) -> CacheEntry:
        """
        Return the entry, stale or not.

        Raises `CollateralError`: `CACHE_EMPTY` when there is none, `CACHE_DAMAGED` when the file is
        not what was written.
        """
        path = self.path(key, channel)
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_ENTRY_BYTES + 1)
        except FileNotFoundError as error:
            raise CollateralError(
                Reason.CACHE_EMPTY, str(key), expected="an entry", found="none"
            ) from error
        try:
            return self._parse(key, channel, data)
        except (QuotaryError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise CollateralError(
                Reason.CACHE_DAMAGED,
                str(key),
                expected="the entry as written",
                found=ascii(str(error)),
            ) from error

    def fresh(
        self, key: PlatformKey, channel: UpdateChannel, *, at: datetime, margin: timedelta
    ) -> CacheEntry | None:
        """Return the entry if it is sound, valid at `at` and for `margin` after it, else None."""
        try:
            entry = self.load(key, channel)
        except CollateralError as error:
            if error.reason in (Reason.CACHE_EMPTY, Reason.CACHE_DAMAGED):
                return None
            raise
        start, end = unix_seconds(at), unix_seconds(at + margin)
        valid = entry.collateral.valid_from <= start and end <= entry.collateral.valid_until
        return entry if valid else None

    def store(
        self, key: PlatformKey, channel: UpdateChannel, raw: RawCollateral, *, at: datetime
    ) -> CacheEntry:
        """
        Verify `raw` at `at` and file it.

        Raises `CollateralError` with `COLLATERAL_ROLLBACK` when any document is older than the one
        filed: a lower evaluation or CRL number, or an earlier date. The filed entry then stays.
        """
        collateral = Collateral.verify(raw, self._root, at=at)
        _require_same_platform(key, collateral)
        path = self.path(key, channel)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            try:
                _require_not_older(self.load(key, channel).collateral, collateral)
            except CollateralError as error:
                if error.reason not in (Reason.CACHE_EMPTY, Reason.CACHE_DAMAGED):
                    raise
            moment = datetime.fromtimestamp(unix_seconds(at), UTC)
            _replace(path, _encode(raw, moment))
        return CacheEntry(key, channel, moment, raw, collateral)

    def entries(self) -> Iterator[tuple[PlatformKey, UpdateChannel]]:
        """Yield what is filed, in order of path. Files that are no entries are passed over."""
        for path in sorted(self._folder.glob(f"*/*/*/*{_SUFFIX}")):
            tee, fmspc, ca = path.relative_to(self._folder).parts[:3]
            with suppress(ValueError, KeyError):
                key = PlatformKey(TeeType[tee.upper()], bytes.fromhex(fmspc), PckCa(ca))
                yield key, UpdateChannel.parse(path.name.removesuffix(_SUFFIX))

    def _parse(self, key: PlatformKey, channel: UpdateChannel, data: bytes) -> CacheEntry:
        if len(data) > _MAX_ENTRY_BYTES:
            raise ValueError("longer than any entry")
        envelope = parse_object(data.decode(), "cache entry")
        if set(envelope) != _FIELDS:
            raise ValueError("not the fields of an entry")
        if envelope["schema_version"] != _SCHEMA_VERSION:
            raise ValueError("another version")
        text = envelope["collateral"]
        if sha256(text.encode()).hexdigest() != envelope["sha256"]:
            raise ValueError("the digest does not fit")
        fetched_at = datetime.fromisoformat(envelope["fetched_at"])
        raw = RawCollateral.from_json(text)
        collateral = Collateral.verify(raw, self._root, at=fetched_at)
        _require_same_platform(key, collateral)
        return CacheEntry(key, channel, fetched_at, raw, collateral)


def _encode(raw: RawCollateral, fetched_at: datetime) -> bytes:
    text = raw.to_json()
    envelope = {
        "schema_version": _SCHEMA_VERSION,
        "fetched_at": fetched_at.isoformat(),
        "sha256": sha256(text.encode()).hexdigest(),
        "collateral": text,
    }
    return json.dumps(envelope, indent=1).encode()


def _require_same_platform(key: PlatformKey, collateral: Collateral) -> None:
    info = collateral.tcb_info
    if info.fmspc != key.fmspc:
        raise CollateralError(
            Reason.FMSPC_MISMATCH, "tcb_info", expected=key.fmspc.hex(), found=info.fmspc.hex()
        )
    if info.tee_type is not key.tee_type:
        raise CollateralError(
            Reason.COLLATERAL_TYPE_MISMATCH,
            "tcb_info",
            expected=key.tee_type.name,
            found=info.tee_type.name,
        )
    if f" {key.ca.value.title()} CA" not in collateral.pck_ca.common_name:
        raise CollateralError(
            Reason.CRL_ISSUER_MISMATCH,
            "pck_crl",
            expected=f"the list of the {key.ca} CA",
            found=collateral.pck_ca.common_name,
        )


def _require_not_older(filed: Collateral, new: Collateral) -> None:
    """Refuse `new` if any mark of it is below the filed one's."""
    marks: tuple[tuple[str, Callable[[Collateral], int]], ...] = (
        ("tcb_info.tcbEvaluationDataNumber", lambda c: c.tcb_info.evaluation_number),
        ("tcb_info.issueDate", lambda c: c.tcb_info.issue_date),
        ("qe_identity.tcbEvaluationDataNumber", lambda c: c.qe_identity.evaluation_number),
        ("qe_identity.issueDate", lambda c: c.qe_identity.issue_date),
        ("root_ca_crl.number", lambda c: c.root_crl.number),
        ("root_ca_crl.thisUpdate", lambda c: c.root_crl.this_update),
        ("pck_crl.number", lambda c: c.pck_crl.number),
        ("pck_crl.thisUpdate", lambda c: c.pck_crl.this_update),
    )
    for item, mark in marks:
        if mark(new) < mark(filed):
            raise CollateralError(
                Reason.COLLATERAL_ROLLBACK,
                item,
                expected=f"at least {mark(filed)}",
                found=str(mark(new)),
            )


def _replace(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a crash at any moment leaves the old file or the new one."""
    for leftover in path.parent.glob(f".{path.name}.*{_TEMPORARY}"):
        leftover.unlink(missing_ok=True)
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=_TEMPORARY, dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where folders can be opened at all."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; the system lets go of it if the process dies."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ModuleNotFoundError:
        yield
        return
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
