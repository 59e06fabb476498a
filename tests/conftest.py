"""Where the tests find genuine evidence, and what happens on a machine that has none."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Have Ctrl-C end tests and what they start: a shell's job in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path:
    """The folder of genuine evidence beside the project's root (`QUOTARY_SHARED` overrides it)."""
    return Path(os.environ.get("QUOTARY_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Genuine evidence; skips, saying so, where there is none, and fails in CI."""
    folder = shared_folder()
    if not (folder / "vectors" / "manifest.json").is_file():
        message = f"genuine evidence is missing: no vectors/manifest.json under {folder}"
        if os.environ.get("QUOTARY_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
