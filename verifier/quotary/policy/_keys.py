"""Reading a policy file key by key: types, units and names, each complaint with its key path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["PolicyFileError", "Section"]

_MAX_LIST: Final = 4096
_MAX_NUMBER: Final = 1 << 32


class PolicyFileError(ValueError):
    """A policy file is not one; `path` is the key at fault, `problem` what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        """Name the key and the problem."""
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Section:
    """One table of a policy file. Each key is taken once; `finish` refuses what is left."""

    def __init__(self, value: object, path: str) -> None:
        """Read the table at `path`; raises `PolicyFileError` when it is none."""
        if not isinstance(value, Mapping):
            raise PolicyFileError(path, f"expected a table, found {_kind(value)}")
        self._left = dict(value)
        self._path = path

    def __contains__(self, key: object) -> bool:
        """Whether `key` is there, and not yet taken."""
        return key in self._left

    def path(self, key: str) -> str:
        """The key's path from the top of the file."""
        return f"{self._path}.{key}" if self._path else key

    def section(self, key: str) -> Section:
        """Take a table; an absent one is empty."""
        return Section(self._left.pop(key, {}), self.path(key))

    @property
    def left(self) -> tuple[str, ...]:
        """The keys that have not been taken."""
        return tuple(self._left)

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"expected true or false, found {_kind(value)}")
        return value

    def number(self, key: str, default: int | None, most: int = _MAX_NUMBER) -> int | None:
        """Take a whole number from 0 to `most`."""
        if key not in self._left:
            return default
        value = self._left.pop(key)
        if type(value) is not int or not 0 <= value <= most:
            raise self.wrong(key, f"expected a whole number from 0 to {most}, found {value!r:.40}")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Take a list of texts, or one text; None when absent."""
        if key not in self._left:
            return None
        value = self._left.pop(key)
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or len(texts) > _MAX_LIST:
            raise self.wrong(key, f"expected a list of texts, found {_kind(value)}")
        for index, text in enumerate(texts):
            if not isinstance(text, str) or not text:
                raise self.wrong(f"{key}[{index}]", f"expected a text, found {_kind(text)}")
        return tuple(texts)

    def names(self, key: str, known: Mapping[str, object]) -> tuple[str, ...] | None:
        """Take a list of names out of `known`."""
        texts = self.texts(key)
        for index, text in enumerate(texts or ()):
            if text not in known:
                choice = ", ".join(known)
                raise self.wrong(f"{key}[{index}]", f"expected one of {choice}, found {text!r:.40}")
        return texts

    def octets(self, key: str, length: int) -> frozenset[bytes] | None:
        """Take a list of byte strings in hex, each of `length` bytes; None when absent."""
        texts = self.texts(key)
        if texts is None:
            return None
        values = set()
        for index, text in enumerate(texts):
            try:
                value = bytes.fromhex(text)
            except ValueError:
                value = b""
            if len(value) != length or not text.isalnum():
                raise self.wrong(
                    f"{key}[{index}]", f"expected {length} bytes as {2 * length} hex digits"
                )
            values.add(value)
        return frozenset(values)

    def finish(self, known: str) -> None:
        """Raise when a key is left that nobody took; `known` lists those there are."""
        for key in self._left:
            raise PolicyFileError(self.path(str(key)), f"unknown key; known are {known}")

    def wrong(self, key: str, problem: str) -> PolicyFileError:
        """Return the complaint about `key`."""
        return PolicyFileError(self.path(key), problem)


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
