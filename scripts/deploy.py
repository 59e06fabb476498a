"""
Deploy from a checkout: `quotary deploy`, for operators who keep their runs beside the sources.

    python scripts/deploy.py plan|run|check|verify …

There is no logic here: this and the command are two doors to `quotary_bridge.deploy`.
"""

from __future__ import annotations

import sys

from quotary.cli import main

if __name__ == "__main__":
    sys.exit(main(["deploy", *sys.argv[1:]]))
