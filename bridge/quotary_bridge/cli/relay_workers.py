"""
The file that `quotary relay run --workers` names: one worker a line, read again when it changes.

What cannot be read while the relayer runs is told in the log and changes nothing: a file that is
just being written must not leave a relayer without workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from quotary_bridge.cli.options import address, read_file
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.workers import Endpoint, WorkerPool

__all__ = ["WorkersFile", "endpoint"]

_ADDRESS_CHARACTERS = 42
_FILE_BYTES = 256 * 1024

_Stamp = tuple[int, int, int]


class WorkersFile:
    """
    The workers that a file names, beside those in `beside`.

    Calling it returns them where the file is another one since it was last read, else None.
    """

    def __init__(self, path: Path, beside: Sequence[Endpoint]) -> None:
        """Read it; raises `ConfigurationError` where it cannot be read, or names nobody."""
        self._path = path
        self._beside = tuple(beside)
        self._stamp = self._look()
        self.workers = self._read()

    def __call__(self) -> Sequence[Endpoint] | None:
        """Return who the workers are from now on, None where that is as before."""
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        log = structlog.get_logger("quotary.relayer")
        try:
            found = self._read()
        except ConfigurationError as error:
            log.warning("workers_unchanged", reason=error.reason.value, detail=str(error))
            return None
        before, self.workers = self.workers, found
        log.info(
            "workers_changed",
            added=[each.name for each in found if each not in before],
            removed=[each.name for each in before if each not in found],
        )
        return found

    def _look(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[Endpoint, ...]:
        text = read_file(str(self._path), _FILE_BYTES).decode(errors="replace")
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        named = tuple(endpoint(line) for line in lines if line)
        if not named:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"{self._path} names no worker",
                "write one a line, as URL or URL=ADDRESS; stop the relayer to have none",
            )
        found = (*self._beside, *named)
        WorkerPool(found)
        return found


def endpoint(text: str) -> Endpoint:
    """Parse a worker, `URL` or `URL=ADDRESS`; raises `ConfigurationError`."""
    url, separator, known = text.rpartition("=")
    if not separator or len(known) != _ADDRESS_CHARACTERS:
        return Endpoint(text)
    try:
        return Endpoint(url, address(known))
    except Exception as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID, str(error), "name a worker as URL or URL=ADDRESS"
        ) from None
