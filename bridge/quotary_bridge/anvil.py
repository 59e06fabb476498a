"""A local chain of our own: Foundry's Anvil, started on a free port and always stopped."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Self

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import WELL_KNOWN_KEYS, Signer
from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable

__all__ = ["AnvilNode", "find_anvil"]

DEVELOPMENT_CHAIN_ID = 31337
# The hardfork with the P-256 precompile (EIP-7951).
HARDFORK = "osaka"
START_TIMEOUT_SECONDS = 30.0
START_ATTEMPTS = 5
STOP_TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 0.05
OUTPUT_SHOWN_BYTES = 500

_MACHINES: Mapping[str, str] = MappingProxyType(
    {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
)


@dataclass(frozen=True, slots=True)
class AnvilOptions:
    """
    How the chain begins and mines; `timestamp` is the genesis block's, in Unix seconds.

    `create2_deployer` has it begin with the deterministic deployer, as Anvil does by default.
    `states_kept` is of how many blocks it remembers the state, in memory: of those made last, and
    blocks that `evm_revert` took away count. By default of thousands, most of them on disk, which
    costs a long chain gigabytes and half a millisecond and more a block.
    """

    chain_id: int = DEVELOPMENT_CHAIN_ID
    timestamp: int | None = None
    block_seconds: int | None = None
    accounts: int = 10
    slots_in_an_epoch: int | None = None
    port: int | None = None
    hardfork: str = HARDFORK
    create2_deployer: bool = True
    states_kept: int | None = None

    def arguments(self, port: int, folder: Path) -> list[str]:
        """
        The command line without the program; states of blocks go to `folder`.

        By default they go to the home of Anvil's user, and stay there when it is killed.
        """
        given: dict[str, object] = {
            "--host": "127.0.0.1",
            "--port": port,
            "--chain-id": self.chain_id,
            "--hardfork": self.hardfork,
            "--accounts": self.accounts,
            "--timestamp": self.timestamp,
            "--block-time": self.block_seconds,
            "--slots-in-an-epoch": self.slots_in_an_epoch,
            "--prune-history": self.states_kept,
            "--cache-path": folder,
        }
        flat = [str(part) for item in given.items() if item[1] is not None for part in item]
        bare = [] if self.create2_deployer else ["--disable-default-create2-deployer"]
        return ["--quiet", *flat, *bare]


class _PortTakenError(RpcUnavailable):
    """Another program listens on the port."""


class AnvilNode:
    """
    An Anvil process that lives as long as its `with` block, and leaves nothing behind.

    Its accounts are Anvil's well-known ones, with 10,000 coins each; `signers` holds their keys,
    which are public knowledge. Raises `ConfigurationError` (`TOOL_MISSING`) where there is no
    Anvil, and `RpcUnavailable` where it does not come up.
    """

    def __init__(
        self,
        *,
        timestamp: int | None = None,
        chain_id: int = DEVELOPMENT_CHAIN_ID,
        block_seconds: int | None = None,
        slots_in_an_epoch: int | None = None,
        port: int | None = None,
        hardfork: str = HARDFORK,
        create2_deployer: bool = True,
        states_kept: int | None = None,
    ) -> None:
        """Nothing starts before `start` or the `with` block."""
        self._options = AnvilOptions(
            chain_id=chain_id,
            timestamp=timestamp,
            block_seconds=block_seconds,
            slots_in_an_epoch=slots_in_an_epoch,
            port=port,
            hardfork=hardfork,
            create2_deployer=create2_deployer,
            states_kept=states_kept,
        )
        self._program: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._output: IO[bytes] | None = None
        self.url = ""

    @property
    def chain_id(self) -> int:
        """The id the chain was started with."""
        return self._options.chain_id

    @property
    def chain(self) -> Chain:
        """The port to this node."""
        return Chain.at(self.url, self.chain_id)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Anvil's funded accounts."""
        keys = WELL_KNOWN_KEYS[: self._options.accounts]
        return tuple(Signer.from_key(key, self.chain_id) for key in keys)

    @property
    def pid(self) -> int | None:
        """The process id while the node runs."""
        return None if self._program is None else self._program.pid

    def start(self) -> Self:
        """Start the node and wait until it answers."""
        binary = find_anvil()
        attempts = 1 if self._options.port else START_ATTEMPTS
        for attempt in range(attempts):
            try:
                self._launch(binary, self._options.port or _free_port())
            except _PortTakenError:
                # Somebody else bound it after we found it free and before Anvil did.
                if attempt + 1 == attempts:
                    raise
            else:
                break
        return self

    def _launch(self, binary: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        # Both are closed by `stop`.
        self._folder = tempfile.TemporaryDirectory(prefix="anvil-")
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        # Its own session: a Ctrl-C meant for us must not take the chain away while we clean up.
        self._program = subprocess.Popen(
            [str(binary), *self._options.arguments(port, Path(self._folder.name))],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the node; harmless when it is not running."""
        program, self._program = self._program, None
        if program is not None and program.poll() is None:
            program.terminate()
            try:
                program.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(STOP_TIMEOUT_SECONDS)
        if self._output is not None:
            self._output.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        """Start the node."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the node, whatever happened."""
        self.stop()

    def mine(self, blocks: int = 1) -> None:
        """Mine `blocks` empty blocks at once."""
        self.chain.rpc("anvil_mine", [hex(blocks)])

    def advance_to(self, timestamp: int) -> None:
        """Mine one block at `timestamp` (Unix seconds), which lies after the newest block's."""
        self.chain.rpc("evm_setNextBlockTimestamp", [timestamp])
        self.mine()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._program is None or self._program.poll() is not None:
                break
            try:
                Chain.connect(self.url, self.chain_id, timeout_seconds=2)
            except RpcUnavailable:
                time.sleep(POLL_SECONDS)
            else:
                return
        said = self._said()
        failure = _PortTakenError if "in use" in said.lower() else RpcUnavailable
        raise failure(
            Reason.RPC_UNREACHABLE, f"Anvil did not come up at {self.url}: {said or 'no output'}"
        )

    def _said(self) -> str:
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read()[-OUTPUT_SHOWN_BYTES:].decode(errors="replace").strip()


def find_anvil() -> Path:
    """
    Return the path of an Anvil binary.

    Looked for in this order: `FOUNDRY_ANVIL`, `node_modules` of the working directory, of this
    checkout or of a folder above either, `PATH`. Raises `ConfigurationError` (`TOOL_MISSING`).
    """
    named = os.environ.get("FOUNDRY_ANVIL")
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        raise ConfigurationError(
            Reason.TOOL_MISSING,
            f"FOUNDRY_ANVIL names {named}, which is no program",
            "correct it, or unset it",
        )
    for binary in _bundled():
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("anvil")
    if found:
        return Path(found)
    raise ConfigurationError(
        Reason.TOOL_MISSING,
        "no Anvil on this machine",
        "run `make setup` in the project's root, or put Foundry's anvil on PATH",
    )


def _bundled() -> Iterator[Path]:
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    package = Path("node_modules", "@foundry-rs", f"anvil-{system}-{machine}", "bin", "anvil")
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            yield folder / package


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
