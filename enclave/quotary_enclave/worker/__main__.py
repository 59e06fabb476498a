"""
`python -m quotary_enclave.worker`: run one worker.

Prints one JSON line on stdout once it listens; logs go to stderr. A signal lets running requests
finish and then ends the program as that signal does. Exit codes: 2 usage,
6 the configuration or the model cannot be used.
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn

from quotary_enclave.keys import Address, WorkerKeys
from quotary_enclave.model import Model, ModelUnavailableError, load_advisor
from quotary_enclave.simulator import Simulator
from quotary_enclave.worker import (
    Clock,
    ConfigurationError,
    DstackGuest,
    Provenance,
    QuoteSource,
    QuoteUnavailableError,
    Vault,
    Worker,
    WorkerConfig,
    create_app,
    simulated_provenance,
    simulated_tdx,
)
from quotary_enclave.worker.dstack import DEFAULT_SOCKET

EXIT_CONFIGURATION = 6

_LOOPBACK = "127.0.0.1"
_UNUSABLE = (ConfigurationError, ModelUnavailableError, QuoteUnavailableError, OSError)


def main(arguments: Sequence[str] | None = None, load: Callable[[], Model] = load_advisor) -> int:
    """Run a worker with the model that `load` returns until it is told to stop; the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        worker, ready = _build(options, load)
        listener = _listen(options.host, options.port)
    except _UNUSABLE as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CONFIGURATION
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        create_app(worker),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=256,
        timeout_graceful_shutdown=10,
    )
    shown = f"[{host}]" if ":" in host else host
    _Server(config, ready | {"url": f"http://{shown}:{port}"}).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Announces itself on stdout once it listens."""

    def __init__(self, config: uvicorn.Config, ready: dict[str, Any]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps(self._ready, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quotary_enclave.worker", description="Run a Quotary worker."
    )
    parser.add_argument("--host", default=_LOOPBACK, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8750, help="port; 0 chooses one (%(default)s)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--dstack",
        metavar="SOCKET",
        nargs="?",
        const=DEFAULT_SOCKET,
        help="run in a dstack guest whose agent listens on SOCKET (%(const)s)",
    )
    source.add_argument(
        "--simulate",
        metavar="SEED",
        help="simulate the TEE: quotes under the test root of SEED, which prove nothing",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep identity and commitments there, sealed: a restart goes on with them",
    )
    simulation = parser.add_argument_group("simulation only")
    simulation.add_argument("--platform", default="0", help="the simulated machine (%(default)s)")
    simulation.add_argument("--identity", metavar="SEED", help="fixed keys, derived from SEED")
    simulation.add_argument("--at", type=int, metavar="UNIX", help="when it starts, Unix seconds")
    serving = parser.add_argument_group("whom it serves")
    serving.add_argument("--operator", metavar="ADDRESS", help="who is paid for its work")
    serving.add_argument("--chain-id", type=int, help="the only chain it signs for")
    serving.add_argument(
        "--oracle", action="append", default=[], metavar="ADDRESS", help="an oracle it signs for"
    )
    origin = parser.add_argument_group("where its code comes from")
    origin.add_argument("--repo-url")
    origin.add_argument("--repo-commit")
    origin.add_argument("--image-digest", metavar="sha256:HEX")
    return parser


def _build(options: argparse.Namespace, load: Callable[[], Model]) -> tuple[Worker, dict[str, Any]]:
    """The worker, and what its ready line says besides the URL."""
    if options.simulate is None and (options.identity, options.at) != (None, None):
        raise ConfigurationError("--identity and --at belong to --simulate")
    if options.identity is not None and options.state is not None:
        raise ConfigurationError("--identity and --state each give an identity: choose one")
    config = WorkerConfig(
        operator=Address(options.operator) if options.operator else None,
        chain_id=options.chain_id,
        oracles=frozenset(map(Address, options.oracle)),
        provenance=_provenance(options),
    )
    started = int(time.time()) if options.at is None else options.at  # noqa: TID251 - the edge
    model = load()
    quotes = _quotes(options, model, started)
    vault = None if options.state is None else Vault(options.state, quotes.sealing_key())
    keys = _keys(options.identity, vault)
    worker = Worker(config, model, quotes, keys=keys, clock=_clock(started), vault=vault)
    ready = {"worker": keys.result.address, "simulated": quotes.simulated, "at": started}
    return worker, ready


def _keys(identity: str | None, vault: Vault | None) -> WorkerKeys:
    if identity is not None:
        return WorkerKeys(sha256(identity.encode()).digest())
    return WorkerKeys.generate() if vault is None else vault.identity()


def _provenance(options: argparse.Namespace) -> Provenance:
    if options.simulate is not None and options.image_digest is None:
        options.image_digest = simulated_provenance().image_digest
    return Provenance(options.repo_url, options.repo_commit, options.image_digest)


def _quotes(options: argparse.Namespace, model: Model, started: int) -> QuoteSource:
    if options.simulate is None:
        return DstackGuest(options.dstack)
    at = datetime.fromtimestamp(started, UTC)
    platform = Simulator(at, seed=options.simulate.encode()).platform(options.platform)
    return simulated_tdx(platform, model)


def _clock(started: int) -> Clock:
    """Seconds since the epoch, counted on from `started` by a clock that never jumps."""
    origin = time.monotonic()
    return lambda: started + int(time.monotonic() - origin)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    sys.exit(main())
