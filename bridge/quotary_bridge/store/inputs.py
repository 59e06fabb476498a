"""
Inputs that are kept off the chain, in a folder: a request has their SHA-256, a relayer needs them.

A file is called by the hash of what it holds. So whoever puts it there need not be believed, and it
is hashed again when it is read. Nothing of an input stands anywhere else: not in the record, not in
a log, not in what the API shows.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Bytes32

__all__ = ["INPUT_BYTES_LIMIT", "InputFolder", "InputRefusal", "InputRefusedError"]

INPUT_BYTES_LIMIT: Final = 64 * 1024
"""What workers take (`quotary_enclave.worker.Limits.input_bytes`)."""

INPUTS_LIMIT: Final = 4096
"""A quarter of a gigabyte."""

KEPT_SECONDS: Final = 31 * 24 * 3600
"""A request lives for 30 days at most; what was handed in for it is of no use after that."""

_NAME: Final = re.compile(r"[0-9a-f]{64}")


class InputRefusal(StrEnum):
    """Why an input is not taken."""

    TOO_LARGE = "InputTooLarge"
    WRONG = "WrongInput"
    FULL = "InputsFull"


class InputRefusedError(Exception):
    """An input that is not taken; `reason` is stable."""

    def __init__(self, reason: InputRefusal, detail: str) -> None:
        """Say `reason`; nothing of the input is in `detail`."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class InputFolder:
    """Inputs by their commitments. Safe across threads, and across programs on one folder."""

    def __init__(self, folder: Path, now: float | None = None) -> None:
        """Use `folder`, made where there is none; removes what is past use at `now`, Unix time."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep(time.time() if now is None else now)  # noqa: TID251 (ages of files)
        except OSError as error:
            raise ConfigurationError(
                Reason.FILE_UNREADABLE,
                f"the folder {folder} of inputs cannot be used: {error.strerror}",
                "name another folder with --inputs",
            ) from error

    def put(self, commitment: Bytes32, content: bytes) -> bool:
        """Keep `content`; returns whether it is new. Raises `InputRefusedError`, and `OSError`."""
        if len(content) > INPUT_BYTES_LIMIT:
            detail = f"{len(content)} bytes, at most {INPUT_BYTES_LIMIT}"
            raise InputRefusedError(InputRefusal.TOO_LARGE, detail)
        found = sha256(content).hexdigest()
        if found != commitment.hex():
            detail = f"the input has SHA-256 0x{found}, not 0x{commitment.hex()}"
            raise InputRefusedError(InputRefusal.WRONG, detail)
        if self.has(commitment):
            return False
        if len(self.commitments()) >= INPUTS_LIMIT:
            raise InputRefusedError(InputRefusal.FULL, f"{INPUTS_LIMIT} inputs are kept already")
        path = self._folder / found
        # Nobody else's: two who hand in the same input at once each finish what they began.
        draft = path.with_name(f"{found}.{secrets.token_hex(8)}.new")
        with open(draft, "wb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return True

    def get(self, commitment: Bytes32) -> bytes | None:
        """Return the input, None where it is not here or what is here has another hash."""
        try:
            with (self._folder / commitment.hex()).open("rb") as file:
                content = file.read(INPUT_BYTES_LIMIT + 1)
        except OSError:
            return None
        return content if sha256(content).digest() == commitment else None

    def has(self, commitment: Bytes32) -> bool:
        """Whether there is a file for it; what it holds is seen by `get`."""
        return (self._folder / commitment.hex()).is_file()

    def commitments(self) -> frozenset[Bytes32]:
        """Return of which inputs there are files; none where the folder cannot be read."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError:
            return frozenset()
        return frozenset(Bytes32(bytes.fromhex(name)) for name in names if _NAME.fullmatch(name))

    def _sweep(self, now: float) -> None:
        for path in self._folder.iterdir():
            whole = _NAME.fullmatch(path.name.partition(".")[0])
            if whole and path.stat().st_mtime < now - KEPT_SECONDS:
                path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
