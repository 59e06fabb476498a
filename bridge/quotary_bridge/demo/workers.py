"""Chapter 3: three TEE workers, each a program of its own, each registered by its quote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from quotary import Verdict, verify
from quotary_enclave.simulator import Platform

from quotary_bridge.chain.contracts import Binding, WorkerRegistry
from quotary_bridge.demo.failures import WorkerStartError
from quotary_bridge.demo.stage import ADVISOR_APP, SEED, Stage
from quotary_bridge.model import Address, Bytes32

__all__ = ["RunningWorker", "measurement_of", "register", "running_workers"]

_STOP_SECONDS = 15.0
_ASK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """One worker program: where it answers, its address, and the simulated machine it runs on."""

    name: str
    url: str
    address: Address
    platform: Platform


@contextmanager
def running_workers(stage: Stage, names: tuple[str, ...]) -> Iterator[tuple[RunningWorker, ...]]:
    """Start one worker program per name, all at once, and stop them at the end."""
    with ExitStack() as stack:
        programs = [(name, stack.enter_context(_program(stage, name))) for name in names]
        yield tuple(_ready(stage, name, program) for name, program in programs)


def register(stage: Stage, worker: RunningWorker, path: str) -> Verdict:
    """
    Register a worker by its quote, on one proof path.

    The worker binds its keys, this chain, the registry, the app, its operator and the registry's
    newest challenge into a fresh quote; the quote is verified before anything is submitted.
    """
    verdict, binding = _evidence(stage, worker)
    registry = WorkerRegistry(stage.chain, stage.address("WorkerRegistry"))
    proof = stage.proof(path, verdict)
    data = registry.register(stage.route(path), verdict.journal(), proof, binding)
    stage.transact(f"register worker {worker.name} ({path})", "WorkerRegistry", data)
    return verdict


def measurement_of(stage: Stage, worker: RunningWorker) -> bytes:
    """What the registry would know the worker's image by, out of a quote of its own."""
    return _evidence(stage, worker)[0].measurement_id


def _evidence(stage: Stage, worker: RunningWorker) -> tuple[Verdict, Binding]:
    registry = WorkerRegistry(stage.chain, stage.address("WorkerRegistry"))
    block = stage.chain.head().number - 1
    asked = {
        "chainId": str(stage.chain.chain_id),
        "registry": registry.address,
        "appId": "0x" + ADVISOR_APP.hex(),
        "operator": stage.sender.address,
        "challengeBlock": str(block),
        "challenge": "0x" + registry.challenge_at(block).hex(),
    }
    answer = httpx.post(f"{worker.url}/v1/quotary/register", json=asked, timeout=_ASK_SECONDS)
    answer.raise_for_status()
    document = answer.json()
    quote = bytes.fromhex(document["quote"][2:])
    collateral = stage.simulated_collateral(worker.platform)
    verdict = verify(quote, collateral, at=stage.at, root=stage.test_root)
    return verdict, _binding(document["binding"])


def _binding(document: dict[str, Any]) -> Binding:
    return Binding(
        version=int(document["version"]),
        chain_id=int(document["chainId"]),
        registry=Address(document["registry"]),
        app_id=_word(document["appId"]),
        operator=Address(document["operator"]),
        encryption_key=_word(document["encryptionKey"]),
        challenge_block=int(document["challengeBlock"]),
        challenge=_word(document["challenge"]),
    )


def _word(text: str) -> Bytes32:
    return Bytes32(bytes.fromhex(text[2:]))


@contextmanager
def _program(stage: Stage, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "quotary_enclave.worker", "--port", "0"]
    command += ["--simulate", SEED, "--platform", name, "--at", str(int(stage.at.timestamp()))]
    command += ["--chain-id", str(stage.chain.chain_id), "--operator", stage.sender.address]
    log = (stage.folder / f"worker-{name}.log").open("w+", encoding="utf-8")
    with (
        log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as program,
    ):
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                program.kill()


def _ready(stage: Stage, name: str, program: subprocess.Popen[str]) -> RunningWorker:
    line = program.stdout.readline() if program.stdout else ""
    if not line:
        said = (stage.folder / f"worker-{name}.log").read_text(encoding="utf-8").strip()
        raise WorkerStartError(f"worker {name} did not start: {said.splitlines()[-1:] or 'silent'}")
    ready = json.loads(line)
    return RunningWorker(name, ready["url"], ready["worker"], stage.simulator.platform(name))
