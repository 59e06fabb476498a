"""`quotary doctor`: what this machine has, what it lacks, and what to do about that."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from quotary.cli.output import ExitCode

from quotary_bridge.anvil import find_anvil
from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import keystore_folder
from quotary_bridge.chain.deployment import Deployment, record_path
from quotary_bridge.chain.interface import error_catalogue
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import add_chain_flags, add_output_flags
from quotary_bridge.config import Settings
from quotary_bridge.errors import BridgeError, ConfigurationError, RpcUnavailable

__all__ = ["register"]

_OLDEST_PYTHON = (3, 11)
_PROGRAM_SECONDS = 10
_EXTRAS = {
    "bridge": ("web3", "eth_account", "sqlalchemy", "structlog", "httpx"),
    "enclave": ("starlette", "uvicorn", "rfc8785"),
    "model": ("numpy", "safetensors", "tokenizers"),
    "demo": ("unearth",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `needed` for the commands themselves, not for development only."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = False


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what this machine has and lacks",
        description="Look at everything Quotary can use. Exit code 6 where something that every "
        "command needs is missing; what only development needs does not count.",
        epilog="example: quotary doctor --rpc-url http://127.0.0.1:8545",
    )
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_doctor)


@command
def _doctor(args: Namespace) -> int:
    findings = [*_machine(), *_extras(), _contracts(), _keystores(), _evidence(), *_chain(args)]
    healthy = all(finding.ok for finding in findings if finding.needed)
    rows = [
        {
            "name": finding.name,
            "ok": finding.ok,
            "needed": finding.needed,
            "found": finding.found,
            "remedy": "" if finding.ok else finding.remedy,
        }
        for finding in findings
    ]
    lines = [
        f"{'ok     ' if finding.ok else 'missing'}  {finding.name:<18} {finding.found}"
        + ("" if finding.ok or not finding.remedy else f"\n         {'':<18} -> {finding.remedy}")
        for finding in findings
    ]
    answer(args, {"healthy": healthy, "findings": rows}, "\n".join(lines))
    return ExitCode.OK if healthy else ExitCode.CONFIGURATION


def _machine() -> Iterator[Finding]:
    modern = sys.version_info[:2] >= _OLDEST_PYTHON
    yield Finding("python", modern, platform.python_version(), "install 3.11 or newer", needed=True)
    yield _program(
        "node", lambda: shutil.which("node"), "install Node.js; only development needs it"
    )
    yield _program("anvil", lambda: str(find_anvil()), "run `make setup` in the project's root")
    bundled = Path("node_modules", "@foundry-rs")
    forge = next(iter(sorted(bundled.glob("forge-*/bin/forge"))), None)
    yield _program(
        "forge",
        lambda: str(forge) if forge else shutil.which("forge"),
        "run `make setup` in the project's root",
    )
    yield _program(
        "solc wrapper",
        lambda: str(wrapper) if (wrapper := Path("toolchain", "solc")).is_file() else None,
        "run in a checkout of the project: only compiling contracts needs it",
    )


def _program(name: str, locate: Callable[[], str | None], remedy: str) -> Finding:
    try:
        path = locate()
    except ConfigurationError as error:
        return Finding(name, ok=False, found=error.message, remedy=error.remedy)
    if path is None:
        return Finding(name, ok=False, found="not found", remedy=remedy)
    try:
        said = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            name, ok=False, found=f"does not run ({type(error).__name__})", remedy=remedy
        )
    lines = [line for line in said.stdout.splitlines() if line.strip()]
    if said.returncode != 0 or not lines:
        return Finding(name, ok=False, found="does not run", remedy=remedy)
    shown = next((line for line in lines if "ersion" in line), lines[0])
    return Finding(name, ok=True, found=shown.strip())


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        yield Finding(
            f"extra {extra}",
            not missing,
            f"lacks {', '.join(missing)}" if missing else "installed",
            f"pip install 'quotary[{extra}]'",
            needed=extra == "bridge",
        )


def _contracts() -> Finding:
    count = len(error_catalogue())
    try:
        found = f"quotary {version('quotary')}, {count} contract errors known"
    except PackageNotFoundError:
        found = f"run from a checkout, {count} contract errors known"
    return Finding("contracts", count > 0, found, "install the package anew", needed=True)


def _keystores() -> Finding:
    folder = keystore_folder()
    remedy = "make one with: cast wallet new ~/.foundry/keystores NAME"
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return Finding("keystores", ok=False, found=f"no folder {folder}", remedy=remedy)
    opened = [path.name for path in files if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if opened:
        found = f"open to others, and therefore refused: {', '.join(sorted(opened))}"
        return Finding("keystores", ok=False, found=found, remedy=f"chmod 600 {folder}/*")
    return Finding("keystores", bool(files), f"{len(files)} in {folder}", remedy)


def _evidence() -> Finding:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "quotary"
    count = len(list(folder.glob("*"))) if folder.is_dir() else 0
    found = f"{count} files in {folder}" if count else f"nothing in {folder}"
    return Finding("evidence cache", count > 0, found, "the demonstration fetches it when it runs")


def _chain(args: Namespace) -> Iterator[Finding]:
    settings = Settings.of(
        os.environ, rpc_url=args.rpc_url, chain_id=args.chain_id, deployments=args.deployments
    )
    try:
        chain = Chain.connect(settings.rpc_url, settings.chain_id, timeout_seconds=5)
        head = chain.head()
    except BridgeError as error:
        remedy = error.remedy
        if isinstance(error, RpcUnavailable):
            remedy = "start a node (anvil --hardfork osaka), or name one with --rpc-url"
        yield Finding("chain", ok=False, found=error.message, remedy=remedy)
        return
    yield Finding("chain", ok=True, found=f"chain {chain.chain_id} at block {head.number}")
    try:
        record = Deployment.load(settings.deployments, chain.chain_id)
        record.check(chain)
    except BridgeError as error:
        yield Finding("deployment", ok=False, found=error.message, remedy=error.remedy)
    else:
        path = record_path(settings.deployments, chain.chain_id)
        yield Finding("deployment", ok=True, found=f"{len(record.contracts)} contracts, {path}")
