"""What people read at a terminal fits it; what programs read stays in whole lines."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quotary.verify.explain_text import folded
from quotary_enclave.simulator import Simulator, samples
from quotary_enclave.simulator.faults import FAULTS

AT = datetime(2026, 11, 1, tzinfo=UTC)
TD = samples(Simulator(AT, seed=b"width"))["td15-v5-platform"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """An outdated platform's evidence."""
    evidence = FAULTS["platform-outdated"].deviate(TD).mint()
    (tmp_path / "quote").write_bytes(evidence.quote)
    (tmp_path / "collateral").write_text(json.dumps(evidence.collateral), encoding="utf-8")
    (tmp_path / "root").write_bytes(evidence.root_der)
    (tmp_path / "policy.toml").write_text(
        f'version = 1\n[td]\nmr_td = "{"07" * 48}"\n', encoding="utf-8"
    )
    return tmp_path


def seen(folder: Path, *arguments: str) -> list[str]:
    """The lines a terminal of 80 columns shows."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "quotary", *arguments], cwd=folder, stdout=theirs, env=environment
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    process.wait(600)
    return b"".join(chunks).decode().replace("\r\n", "\n").splitlines()


JUDGED = ("--collateral", "collateral", "--root", "root", "--at", AT.isoformat())


@pytest.mark.parametrize(
    "arguments",
    [
        ("quote", "inspect", "quote"),
        ("quote", "verify", "quote", *JUDGED, "--no-policy"),
        ("quote", "verify", "quote", *JUDGED, "--explain"),
        ("policy", "check", "policy.toml"),
        ("policy", "simulate", "policy.toml", "--quotes", "quote", *JUDGED),
        ("collateral", "age", "--file", "collateral", "--root", "root", "--at", AT.isoformat()),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_terminal_of_eighty_columns_is_enough(files: Path, arguments: tuple[str, ...]) -> None:
    """No line is longer, and none is lost."""
    lines = seen(files, *arguments)
    assert len(lines) > 1
    assert [line for line in lines if len(line) > 80] == []
    whole = subprocess.run(
        [sys.executable, "-m", "quotary", *arguments],
        cwd=files,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "".join("".join(lines).split()) == "".join(whole.split())


def test_folding() -> None:
    """Words first, long words where they must; whole lines without a width."""
    assert folded("a " * 60, 2, None) == ["a " * 60]
    assert folded("short", 2, 10) == ["short"]
    assert folded("name  " + "ab" * 30, 6, 30)[1].startswith("      ab")
    assert all(len(line) <= 26 for line in folded("x" * 200, 6, 3))
