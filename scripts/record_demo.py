"""
Write what `make demo` prints into the README, or check that what stands there is current.

Hashes, addresses, gas and durations differ from run to run (keys and times are fresh); they are
masked for the comparison, and everything else must be equal.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN = "<!-- recording:begin (written by scripts/record_demo.py; CI checks that it is current) -->"
END = "<!-- recording:end -->"
_MASKED = (
    (re.compile(r"(?:0x)?[0-9a-fA-F]{8,}…?"), "#"),
    (re.compile(r"[0-9,]+ gas"), "# gas"),
    (re.compile(r"took +\d+ s"), "took # s"),
    (re.compile(r" +"), " "),
)


def masked(text: str) -> list[str]:
    """Return the lines of a recording without what differs from run to run."""
    for pattern, mark in _MASKED:
        text = pattern.sub(mark, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def recorded(readme: str) -> str:
    """Return the recording that stands in the README."""
    return readme[readme.index(BEGIN) + len(BEGIN) : readme.index(END)]


def with_recording(readme: str, recording: str) -> str:
    """Return the README with another recording."""
    head, tail = readme[: readme.index(BEGIN) + len(BEGIN)], readme[readme.index(END) :]
    return f"{head}\n\n```text\n{recording.strip()}\n```\n\n{tail}"


def record() -> str:
    """Run the demonstration and return what it prints."""
    command = [sys.executable, "-m", "quotary", "demo", "--plain"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the demonstration failed:\n{done.stderr}{done.stdout}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def main() -> int:
    """Write, or with `--check` compare; return 1 where the README is not current."""
    readme = README.read_text(encoding="utf-8")
    recording = record()
    if "--check" not in sys.argv[1:]:
        README.write_text(with_recording(readme, recording), encoding="utf-8")
        return 0
    stale = masked(recorded(readme).replace("```text", "").replace("```", "")) != masked(recording)
    if stale:
        print("README.md: the recording of the demo is not current: scripts/record_demo.py")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
