"""
Proving jobs on disk: what was done of each, so that another process can go on with it.

One JSON file per job, replaced as a whole; one process at a time works on a job.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["JobFolder", "JobRecord", "Stage"]

_TEXTS = ("input_id", "session_id", "snark_id")


class Stage(StrEnum):
    """How far a job is. It only moves on, but for a session that is started again."""

    NEW = "new"
    UPLOADED = "uploaded"
    STARTING = "starting"
    PROVING = "proving"
    PROVEN = "proven"
    WRAPPING = "wrapping"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """
    One job's state.

    `started_at` in Unix seconds; `sessions` counts how often proving was started; the ids are the
    service's own; `seal` is there when the job is done.
    """

    stage: Stage
    started_at: int
    sessions: int = 0
    input_id: str = ""
    session_id: str = ""
    snark_id: str = ""
    seal: bytes = b""

    def at(self, stage: Stage, **changes: Any) -> JobRecord:  # noqa: ANN401 (fields of this class)
        """Return the record at another stage."""
        return replace(self, stage=stage, **changes)


class JobFolder:
    """A folder of jobs, created when it is first written to."""

    def __init__(self, path: Path) -> None:
        """Keep jobs in `path`."""
        self._path = path

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """
        Hold the job with this key for this process.

        Raises `ConfigurationError` where another process works on it, or the folder is not ours to
        write to.
        """
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigurationError(
                    Reason.CONFIGURATION_INVALID,
                    "another process works on this very job",
                    "wait for it, or end it",
                ) from error
            yield
        finally:
            os.close(handle)

    def read(self, key: str) -> JobRecord | None:
        """Return what is known of a job, or None; raises `ConfigurationError` for a broken file."""
        try:
            text = self._file(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(error) from error
        try:
            return _record(json.loads(text))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigurationError(
                Reason.FILE_UNREADABLE,
                f"{self._file(key)} is not a job's record",
                "remove it to start the job anew",
            ) from error

    def write(self, key: str, record: JobRecord) -> None:
        """Replace what is known of a job; on disk when this returns."""
        values = {**asdict(record), "seal": record.seal.hex()}
        draft = self._path / f"{key}.new"
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(json.dumps(values, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file(key))
        except OSError as error:
            raise self._unusable(error) from error

    def _file(self, key: str) -> Path:
        return self._path / f"{key}.json"

    def _unusable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"the folder of proving jobs {self._path} cannot be used ({type(error).__name__})",
            "give another one",
        )


def _record(values: dict[str, Any]) -> JobRecord:
    numbers = {name: values[name] for name in ("started_at", "sessions")}
    texts = {name: values[name] for name in _TEXTS}
    if not all(type(number) is int and number >= 0 for number in numbers.values()):
        raise ValueError("not a number")
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("not a text")
    return JobRecord(Stage(values["stage"]), **numbers, **texts, seal=bytes.fromhex(values["seal"]))
