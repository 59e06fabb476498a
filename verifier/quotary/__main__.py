"""`python -m quotary` is `quotary`."""

from __future__ import annotations

import sys

from quotary.cli import main

if __name__ == "__main__":
    sys.exit(main())
