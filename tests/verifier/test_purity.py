"""The verifier needs `cryptography` and nothing else, and does no I/O."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERIFIER = Path(__file__).resolve().parents[2] / "verifier"

PROBE = """
import sys
import quotary, quotary.binding
loaded = set(sys.modules)
import quotary.cli
outside = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(" ".join(sorted(name for name in outside if not name.startswith("_"))))
print(" ".join(sorted({"socket", "logging", "asyncio", "urllib.request"} & loaded)))
"""


def test_importing_the_verifier_imports_no_other_package() -> None:
    """Neither the bridge's dependencies nor sockets are loaded by the base install."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{PROBE}"],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": str(VERIFIER)},
    )
    outside, forbidden = done.stdout.splitlines()
    assert set(outside.split()) <= {"cryptography", "quotary", "cffi"}
    assert forbidden == ""
