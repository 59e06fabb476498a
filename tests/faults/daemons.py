"""
Kill the real daemon: `quotary relay run` as people start it, behind a node that misbehaves.

Lives of forked relayers, in `campaign`, begin where a process has long started. Here every life is
an interpreter of its own, with the command line, the start-up checks and the logs that operators
have, and its first step is to find out what the one before it left.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import requests
from eth_utils.crypto import keccak
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import ChainId, Timestamp
from quotary_bridge.store import Store

from tests.bridge.relayer_town import Worker
from tests.faults.campaign import CANARY, RelayerDefectError
from tests.faults.chaos import Chaos, Weather
from tests.faults.odds import Manners, Odds
from tests.faults.plans import Record
from tests.faults.proxy import CONNECTIONS, proxied
from tests.faults.verdict import judge
from tests.faults.world import RELAYER, ROOT, World

FINALITY_DEPTH = 6
TOKEN = "canary-of-the-api-5f2b81"
STEP_SECONDS = 0.02
"""How long the harness rests between two things that happen on the chain."""

OPEN_REQUESTS = 5
AT_START = 0.25
"""The share of lives that end while they start, by the clock; the rest end at what they do."""

START_SECONDS = 1.5
MOST_LINES = 16
END_SECONDS = 900.0
"""Far more than the last life needs on a machine that does much else."""

BLOCKS = Weather(mine=0.5, reorg=0.02, reinclude=0.02, give_back=0.02, drop=0.02, fees=0.02)

MISBEHAVIOUR = Odds(
    drop_question=0.004,
    drop_answer=0.004,
    ask_twice=0.02,
    delay=0.02,
    server_error=0.004,
    rate_limit=0.004,
    cut_short=0.004,
    wrong_id=0.004,
    stale_head=0.02,
    forged_receipt=0.02,
    denied=0.02,
)
"""Mild, so that most cycles come to an end; and each of these happens in any case."""

UNREACHED = 3
"""How a daemon ends that the node failed while it started: whoever keeps it starts it again."""


class Daemons:
    """One daemon after the other, on one store and one chain."""

    def __init__(self, world: World, folder: Path, url: str, worker: str, seed: int) -> None:
        """Everything they leave goes to `folder`; the node is at `url`."""
        self._world = world
        self._folder = folder
        self._worker = worker
        self._url = url
        self._seed = seed
        self._chance = random.Random(f"{seed} of daemons")
        self._chaos = Chaos(world.chain, f"{seed} of blocks", world.strangers, BLOCKS)
        self._answered = self._before = 0
        self.log = folder / "daemon.log"
        self.database = folder / "store.sqlite"
        (folder / "token").write_text(f"{TOKEN}\n")
        _record(world).save(folder / "deployments")

    def run(self, kills: int) -> Record:
        """Kill so many, let one more finish, and judge."""
        lives, began = Record(self._seed), time.monotonic()
        while lives.kills < kills:
            starting = self._chance.random() < AT_START
            with self._daemon() as daemon:
                launched = time.monotonic()
                if starting:
                    self._live_until(launched + self._chance.uniform(0, START_SECONDS))
                else:
                    self._live_through(daemon, self._chance.randint(1, MOST_LINES))
                ended = self._ended_by_itself(daemon)
            lives.kills += not ended
            lives.died_at["while it starts" if starting else "at work"] += not ended
            lives.first_questions += self._first_question(launched)
        while True:
            with self._daemon() as daemon:
                if self._finishes(daemon):
                    break
        lives.seconds = time.monotonic() - began
        secrets = (CANARY, TOKEN, bytes(self._world.signers[RELAYER]._account.key).hex())
        lives.verdict = judge(self._world, self.database, self.log, secrets, FINALITY_DEPTH)
        return lives

    def _ended_by_itself(self, daemon: subprocess.Popen[bytes]) -> bool:
        """Whether the node failed it while it started; raises where it ended in another way."""
        code = daemon.poll()
        if code is not None and (code != UNREACHED or b" listening " in self._said()):
            raise RelayerDefectError(f"ended with {code}:\n{self._said()[-4_000:].decode()}")
        return code is not None

    def _said(self) -> bytes:
        """What the newest life has written."""
        with self.log.open("rb") as told:
            told.seek(self._before)
            return told.read()

    @contextmanager
    def _daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start one; it is killed where it still lives at the end."""
        key = bytes(self._world.signers[RELAYER]._account.key).hex()
        command = [
            *(sys.executable, "-m", "quotary", "relay", "run", "--json", "-vv"),
            *("--database", self.database, "--deployments", self._folder / "deployments"),
            *("--rpc-url", self._url.replace("http://", f"http://someone:{CANARY}@")),
            *("--private-key", f"0x{key}", "--worker", self._worker, "--poll", "0.05"),
            *("--finality", str(FINALITY_DEPTH), "--replace-after", "2"),
            *("--listen", "127.0.0.1:0", "--token-file", self._folder / "token"),
        ]
        path = os.pathsep.join(str(ROOT / part) for part in ("verifier", "bridge", "enclave"))
        with self.log.open("ab") as out:
            self._before = out.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONPATH": path},
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _step(self) -> None:
        """Let something happen on the chain, and have somebody ask where too little is open."""
        self._chaos.disturb()
        if len(self._world.requests) - self._answered < OPEN_REQUESTS:
            self._world.ask()
        elif self._chance.random() < 0.1:
            self._answered = len(set(self._world.answers()))
        time.sleep(STEP_SECONDS)

    def _live_until(self, moment: float) -> None:
        while time.monotonic() < moment:
            self._step()

    def _live_through(self, daemon: subprocess.Popen[bytes], lines: int) -> None:
        """Until the daemon has said so many things more: about what it did, then."""
        with self.log.open("rb") as told:
            told.seek(0, os.SEEK_END)
            heard, end = 0, time.monotonic() + END_SECONDS
            while heard < lines and daemon.poll() is None and time.monotonic() < end:
                heard += told.read().count(b"\n")
                self._step()

    def _finishes(self, daemon: subprocess.Popen[bytes]) -> bool:
        """Let it bring all to its end and stop; False where it did not start."""
        end = time.monotonic() + END_SECONDS
        while not self._all_final() and time.monotonic() < end and daemon.poll() is None:
            self._chaos.mine()
            time.sleep(STEP_SECONDS)
        if self._ended_by_itself(daemon):
            return False
        daemon.terminate()
        code = daemon.wait(END_SECONDS)
        if code != 0:
            raise RelayerDefectError(f"told to stop, it ended with {code}")
        return True

    def _all_final(self) -> bool:
        try:
            store = Store.open_existing(self.database, lambda: Timestamp(1_000))
        except ConfigurationError:
            # No life has come so far as to make it.
            return False
        with closing(store):
            counts = store.counts(ChainId(self._world.chain_id), self._world.oracle)
            return counts[JobState.FINAL] >= len(self._world.requests)

    def _first_question(self, launched: float) -> list[float]:
        """How long after its launch the newest life first asked the node; nothing if never."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": CONNECTIONS, "params": []}
        moments = requests.post(self._url, json=asked, timeout=300).json()["result"]
        return [moment - launched for moment in moments if moment > launched][:1]


def daemons_killed(world: World, folder: Path, seed: int, kills: int) -> Record:
    """Kill the daemon so many times in `world`, behind a node that misbehaves."""
    with ExitStack() as stack:
        url = stack.enter_context(proxied(world.node.url, Manners(seed, MISBEHAVIOUR)))
        worker = stack.enter_context(_served(Worker()))
        return Daemons(world, folder, url, worker, seed).run(kills)


def _record(world: World) -> Deployment:
    """What a deployer would have written down of the only contract that counts here."""
    chain = world.chain
    code = bytes.fromhex(chain.rpc("eth_getCode", [world.oracle, "latest"])[2:])
    genesis = chain.rpc("eth_getBlockByNumber", ["0x0", False])["hash"]
    oracle = Deployed(
        "ResultOracle",
        world.oracle,
        {},
        bytes(32),
        bytes(32),
        None,
        world.deployed_at,
        keccak(code),
    )
    return Deployment(
        chain_id=world.chain_id,
        genesis=bytes.fromhex(genesis[2:]),
        deployer=world.requester,
        parameters={},
        contracts={"ResultOracle": oracle},
    )


@contextmanager
def _served(worker: Worker) -> Iterator[str]:
    """Serve `worker` over HTTP, in threads of this process; yields its URL."""

    class _Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = httpx.Request("POST", f"http://one{self.path}", content=self.rfile.read(length))
            answer = worker.answer(asked)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            # Whoever asked may have been killed meanwhile.
            with suppress(ConnectionError):
                self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
