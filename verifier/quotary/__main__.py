"""`quotary`, and `python -m quotary`: the command, which Ctrl-C ends quietly from the start."""

from __future__ import annotations

import sys

_INTERRUPTED = 130

__all__ = ["main"]


def main() -> int:
    """Run the command and return its exit code, see `quotary.cli.main`."""
    try:
        from quotary.cli import main as run  # noqa: PLC0415 (importing takes a moment, too)

        return run()
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
