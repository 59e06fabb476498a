"""
What a worker needs again after a restart, on a disk that belongs to its host.

Everything is sealed (AES-256-GCM) under a key that the TEE gives to this program alone, and under
the name it is kept by: the host can neither read nor change it, nor put one thing in another's
place.

Warning: the host can put back what was there before, or nothing, and can run a copy. So nothing may
rest on what is *not* here any more; `rounds` says what that means for answers.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from quotary_enclave.keys import SEED_BYTES, WorkerKeys
from quotary_enclave.worker.errors import ConfigurationError, RefusalError, WorkerReason
from quotary_enclave.worker.memory import full

__all__ = ["Vault"]

ENTRIES_LIMIT: Final = 1 << 16
"""Entries of use at once; one is as long as an answer, and a few hundred bytes."""

_LABEL: Final = b"quotary/1 worker vault aes-256-gcm"
_IDENTITY: Final = "identity.sealed"
_ENTRIES: Final = "*.entry"
_LOCK: Final = "lock"
_NONCE_BYTES: Final = 12


class Vault:
    """
    Sealed entries in a folder, each with the last second (Unix time) that it is of use.

    A worker's identity is one of them, so that it is the same worker after a restart. One program
    at a time has a vault: two with one identity would contradict each other.
    """

    def __init__(self, folder: Path, sealing_key: bytes) -> None:
        """
        Open the vault in `folder`, made where there is none.

        Raises `ConfigurationError` where the folder cannot be used, or another program uses it.
        """
        self._folder = folder
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(sealing_key)
        self._cipher = AESGCM(key)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._count = sum(1 for _ in folder.glob(_ENTRIES))
            self._lock = _locked(folder / _LOCK)
        except BlockingIOError as error:
            raise ConfigurationError(f"another worker uses {folder}") from error
        except OSError as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let another program have it."""
        os.close(self._lock)

    def identity(self) -> WorkerKeys:
        """
        The keys of the worker whose vault this is, new ones in a new vault.

        Raises `ConfigurationError` where another TEE sealed them, or the host changed them.
        """
        try:
            seed = self._read(_IDENTITY)
            if seed is None:
                seed = secrets.token_bytes(SEED_BYTES)
                self._write(_IDENTITY, seed)
        except InvalidTag as error:
            raise ConfigurationError(
                f"{self._folder} was sealed by another TEE, or changed since"
            ) from error
        except OSError as error:
            raise self._unusable(error) from error
        return WorkerKeys(seed)

    def get(self, name: bytes) -> bytes | None:
        """
        The entry called `name`, None where there is none.

        Raises `RefusalError(STATE_UNAVAILABLE)` where it cannot be read, or is not what was put.
        """
        try:
            return self._read(_file(name))
        except (InvalidTag, OSError) as error:
            raise _unavailable() from error

    def put(self, name: bytes, content: bytes, until: int, now: int) -> None:
        """
        Keep `content` as the entry called `name`: it is on the disk when this returns.

        Raises `RefusalError`: `STATE_UNAVAILABLE` where the disk takes nothing, `OVERLOADED` where
        at `now` too much is still of use.
        """
        file = _file(name)
        try:
            if not (self._folder / file).exists():
                self._make_room(now)
                self._count += 1
            self._write(file, content)
            # Open to the host, who could as well delete the file.
            os.utime(self._folder / file, (until, until))
        except OSError as error:
            raise _unavailable() from error

    def _make_room(self, now: int) -> None:
        if self._count < ENTRIES_LIMIT:
            return
        for path in self._folder.glob(_ENTRIES):
            if path.stat().st_mtime < now:
                path.unlink()
        self._count = sum(1 for _ in self._folder.glob(_ENTRIES))
        if self._count >= ENTRIES_LIMIT:
            raise full(self._count)

    def _read(self, file: str) -> bytes | None:
        try:
            sealed = (self._folder / file).read_bytes()
        except FileNotFoundError:
            return None
        if len(sealed) < _NONCE_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], file.encode())

    def _write(self, file: str, content: bytes) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content, file.encode())
        draft = self._folder / f"{file}.new"
        with draft.open("wb") as opened:
            opened.write(sealed)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(self._folder / file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _unusable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"{self._folder} cannot be used: {error.strerror}")


def _locked(path: Path) -> int:
    """Return the open lock file at `path`; raises `BlockingIOError` where another one holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Whatever ends the program ends its hold.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _file(name: bytes) -> str:
    return f"{sha256(name).hexdigest()}.entry"


def _unavailable() -> RefusalError:
    detail = "what is kept of this request cannot be read or written"
    return RefusalError(WorkerReason.STATE_UNAVAILABLE, detail, 503)
