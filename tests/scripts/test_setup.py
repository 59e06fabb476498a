"""Set-up on a machine that lacks something: one clear line, exit code 6, never a stack trace."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.1" && exit 0
exit 1
"""
NPM_SAID = """npm error code ECONNREFUSED
npm error request to http://registry.invalid/solc failed, reason: connect ECONNREFUSED
npm error     at onSocketNT (node:_http_client:904:5)
npm error     at process.processTicksAndRejections (node:internal/process:83:21) {
npm error
"""
PYTHON_SAID = """Traceback (most recent call last):
  File "<frozen runpy>", line 189, in _run_module_as_main
    raise SomethingError
ModuleNotFoundError: No module named venv
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_setup(python: str) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    assert make is not None
    return subprocess.run(
        [make, "--no-print-directory", "setup", f"PYTHON={python}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named(tmp_path: Path) -> None:
    """Its version, the one needed, and how to choose another."""
    old = tmp_path / "python"
    old.write_text(OLD)
    old.chmod(0o700)
    ran = make_setup(str(old))
    assert ran.returncode != 0
    assert ran.stderr.startswith("setup: Python 3.11 or newer is needed, this is Python 3.9.1")
    assert "PYTHON=" in ran.stderr.splitlines()[0]


def test_no_python_at_all_is_said() -> None:
    """The program asked for is not there."""
    ran = make_setup("no-such-python")
    assert ran.returncode != 0
    assert ran.stderr.startswith("setup: no-such-python is missing: install Python 3.11")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (NPM_SAID, NPM_SAID.splitlines()[:2]),
        (PYTHON_SAID, ["ModuleNotFoundError: No module named venv"]),
        ("", ["it said nothing"]),
    ],
)
def test_stack_traces_are_left_out(script: ModuleType, said: str, told: list[str]) -> None:
    """What a failed program said is repeated without the frames that help nobody."""
    assert [line.strip() for line in script.last_words(said).splitlines()] == told


def test_a_step_that_fails_says_what_to_do(script: ModuleType) -> None:
    """The advice comes first, then the program's own words."""
    command = ("/bin/sh", "-c", "echo out of order; exit 3")
    with pytest.raises(script.SetupError, match=r"step failed\. Mend it\.\n  out of order"):
        script.run("step", "Mend it.", *command)
    with pytest.raises(script.SetupError, match=r"step could not start: .*Mend it\."):
        script.run("step", "Mend it.", "/no/such/program")


def test_a_folder_that_cannot_be_written_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried there. (Root may write everywhere, but not where there is no folder.)"""
    monkeypatch.setattr(script, "ROOT", tmp_path / "nowhere")
    with pytest.raises(script.SetupError, match="cannot be written"):
        script.require_writable_root()
