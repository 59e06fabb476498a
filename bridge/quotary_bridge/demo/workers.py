"""Chapter 4: five TEE workers, each a program of its own, each registered by its quote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from quotary import DEFAULT, Verdict
from quotary_enclave.simulator import Platform

from quotary_bridge.chain.contracts import WorkerRegistry
from quotary_bridge.demo.failures import WorkerStartError
from quotary_bridge.demo.stage import ADVISOR_APP, SEED, Stage
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import (
    Application,
    Registration,
    ask_for_quote,
    verify_registration,
)

__all__ = ["RunningWorker", "measurement_of", "register", "running_workers"]

_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """One worker program: where it answers, its address, and the simulated machine it runs on."""

    name: str
    url: str
    address: Address
    platform: Platform
    process: subprocess.Popen[str]


@contextmanager
def running_workers(
    stage: Stage, names: tuple[str, ...], liar: str
) -> Iterator[tuple[RunningWorker, ...]]:
    """
    Start one worker program per name, all at once, and stop them at the end.

    The one called `liar` is a program that turns its model's answers around.
    """
    with ExitStack() as stack:
        programs = [
            (name, stack.enter_context(_program(stage, name, lies=name == liar))) for name in names
        ]
        yield tuple(_ready(stage, name, program) for name, program in programs)


def register(stage: Stage, worker: RunningWorker, path: str) -> Verdict:
    """
    Register a worker by its quote, on one proof path.

    The worker binds its keys, this chain, the registry, the app, its operator and the registry's
    newest challenge into a fresh quote; the quote is verified before anything is submitted.
    """
    registration, verdict = _evidence(stage, worker)
    registry = WorkerRegistry(stage.chain, stage.address("WorkerRegistry"))
    proof = stage.proof(path, verdict)
    data = registry.register(stage.route(path), verdict.journal(), proof, registration.binding)
    stage.transact(f"register worker {worker.name} ({path})", "WorkerRegistry", data)
    return verdict


def measurement_of(stage: Stage, worker: RunningWorker) -> bytes:
    """What the registry would know the worker's image by, out of a quote of its own."""
    return _evidence(stage, worker)[1].measurement_id


def _evidence(stage: Stage, worker: RunningWorker) -> tuple[Registration, Verdict]:
    registry = stage.address("WorkerRegistry")
    application = Application(registry, Bytes32(ADVISOR_APP), stage.sender.address)
    registration = ask_for_quote(worker.url, application, stage.chain)
    verdict = verify_registration(
        registration,
        stage.raw_simulated_collateral(worker.platform),
        policy=DEFAULT,
        at=stage.at,
        root=stage.test_root,
    )
    return registration, verdict


@contextmanager
def _program(stage: Stage, name: str, *, lies: bool) -> Iterator[subprocess.Popen[str]]:
    module = "quotary_bridge.demo.liar" if lies else "quotary_enclave.worker"
    command = [sys.executable, "-m", module, "--port", "0"]
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
    platform = stage.simulator.platform(name)
    return RunningWorker(name, ready["url"], ready["worker"], platform, program)
