"""Pin every Python package by version and hash in requirements/*.txt (see `make lock`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
COMPILE = (
    *("-m", "uv", "pip", "compile", "--universal", "--generate-hashes", "--quiet", "--upgrade"),
    *("--no-emit-index-url", "--no-header", "--no-annotate", "--python-version", "3.11"),
)


def pin(output: str, *arguments: str) -> None:
    """Resolve what `arguments` name into requirements/`output`."""
    command = [sys.executable, *COMPILE, *arguments, "-o", str(REQUIREMENTS / output)]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Write all lock files; the weights and Node stand alone: their own requirements stay out."""
    pin("dev.txt", "--extra", "demo", "--group", "dev", "pyproject.toml")
    for name in ("fuzz", "model", "node"):
        pin(f"{name}.txt", "--no-deps", f"requirements/{name}.in")
    pin("analysis.txt", "requirements/analysis.in")


if __name__ == "__main__":
    main()
