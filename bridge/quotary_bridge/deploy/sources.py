"""The contracts compiled anew from a checkout: what a deployment is verified against."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from quotary_bridge.deploy.verify import Build
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["compile_sources"]

# The checkout's own program, so that what is compiled is what the project exports.
_PROGRAM = Path("scripts", "export_abi.py")
# soljson takes a minute or two on a slow machine.
_TIMEOUT_SECONDS = 1800


def compile_sources(checkout: Path) -> Build:
    """
    Compile the contracts of a checkout with its own pinned compiler; nothing is downloaded.

    Raises `ConfigurationError` (`TOOL_MISSING`) where the folder is no checkout, or its toolchain
    is not set up.
    """
    program = (checkout / _PROGRAM).resolve()
    if not program.is_file():
        raise ConfigurationError(
            Reason.TOOL_MISSING,
            f"{checkout} holds no sources of the contracts",
            "run in a checkout of the version that was deployed, or name one with --sources",
        )
    try:
        ran = subprocess.run(
            [sys.executable, str(program), "--print"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
        files = json.loads(ran.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise ConfigurationError(
            Reason.TOOL_MISSING,
            f"the contracts do not compile: {said[-1] if said else type(error).__name__}",
            "run `make setup` in the checkout",
        ) from None
    return {name.removesuffix(".json"): document for name, document in files.items()}
