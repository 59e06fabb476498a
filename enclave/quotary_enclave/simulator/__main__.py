"""
`python -m quotary_enclave.simulator`: write the evidence of one simulated machine into a folder.

`root.pem`, `collateral.json` and a sample `quote.bin`, for the platform that a worker started with
`--simulate SEED --platform NAME` runs on. Exit codes: 2 usage, 6 the folder cannot be written.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from quotary_enclave.simulator.samples import sample_td
from quotary_enclave.simulator.simulator import Simulator

EXIT_CONFIGURATION = 6

# Certificates and documents are dated years around it; RFC 5280 ends at 9999.
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800  # 2000-01-01, 2100-01-01


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; returns the exit code."""
    options = _parser().parse_args(arguments)
    at = int(time.time()) if options.at is None else options.at  # noqa: TID251 - the edge
    simulator = Simulator(datetime.fromtimestamp(at, UTC), seed=options.seed.encode())
    platform = simulator.platform(options.platform)
    root = load_der_x509_certificate(simulator.root_der).public_bytes(Encoding.PEM)
    collateral = json.dumps(simulator.collateral(platform, "tdx"))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "root.pem").write_bytes(root)
        (options.out / "collateral.json").write_text(collateral, encoding="utf-8")
        (options.out / "quote.bin").write_bytes(platform.quote(sample_td(simulator)))
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CONFIGURATION
    sys.stdout.write(f"{options.out}: root.pem, collateral.json, quote.bin (simulated)\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quotary_enclave.simulator",
        description="Write the root, the collateral and a sample quote of a simulated TDX machine. "
        "They prove nothing: anybody can derive the same from the seed.",
    )
    parser.add_argument("--seed", required=True, help="of the test root, as of the worker")
    parser.add_argument("--platform", default="0", help="the simulated machine (%(default)s)")
    parser.add_argument("--at", type=_moment, metavar="UNIX", help="when it is made for (now)")
    parser.add_argument(
        "--out", type=Path, default=Path("evidence"), metavar="DIR", help="(%(default)s)"
    )
    return parser


def _moment(text: str) -> int:
    moment = int(text)
    if not _EARLIEST <= moment <= _LATEST:
        raise argparse.ArgumentTypeError("give Unix seconds between 2000 and 2100")
    return moment


if __name__ == "__main__":
    sys.exit(main())
