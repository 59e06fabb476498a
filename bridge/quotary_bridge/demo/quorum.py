"""
Chapter 6: three of five workers must agree, while one lies, one is killed, and so is the relayer.

Everything is a process of its own, and everything that dies dies of SIGKILL. One worker is held up
until both deaths have happened, so that they fall into the middle of the round every time.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic

from eth_account import Account
from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts import (
    Payment,
    Quorum,
    RequestCreated,
    RequestParams,
    ResultOracle,
    decode_event,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.demo.answers import QUESTION
from quotary_bridge.demo.failures import NotDeliveredError
from quotary_bridge.demo.stage import ADVISOR_APP, Stage, demonstration_model
from quotary_bridge.demo.workers import RunningWorker
from quotary_bridge.model import Bytes32
from quotary_bridge.relayer import ProgressKind

__all__ = ["agree_and_survive"]

_THREE_OF_FIVE = Quorum(results=3, seats=5)
_FEE = 3 * 10**15
_LIFETIME_SECONDS = 3600
_ETHER = 10**18
_SLOW, _LIAR, _VICTIM = 0, 3, 4
_ROUND_SECONDS = 90.0
"""Five models at once take their time on a small machine; whoever is dead is not waited for."""

_SOONER_SECONDS = 120.0
_MINE_SECONDS = 0.3
_STOP_SECONDS = 10.0
# The account of the relayer's process. Everybody can derive its key: this chain is thrown away.
_KEY = keccak(text="quotary demonstration relayer")
_FULFILLED = interface("ResultOracle").event("RequestFulfilled").topic


@dataclass
class _Relayer:
    """One `quotary relay run`, and the lines it has printed."""

    process: subprocess.Popen[str]
    lines: SimpleQueue[str] = field(default_factory=SimpleQueue)

    def read(self) -> None:
        """Pass every line on; runs in a thread."""
        for line in self.process.stdout or ():
            self.lines.put(line)


def agree_and_survive(stage: Stage, workers: Sequence[RunningWorker]) -> None:
    """Ask, kill a worker and the relayer in the middle, go on, and show what came of it."""
    report = stage.report
    account = Account.from_key(_KEY).address
    stage.chain.rpc("anvil_setBalance", [account, hex(_ETHER)])
    _held_up(workers[_SLOW])
    try:
        request_id = _ask(stage)
        with _relayer(stage, workers) as first:
            report.remark("relayer: a process of its own; five workers have to commit first")
            _await(stage, first, ProgressKind.WORKER_COMMITTED, len(workers) - 1)
            report.remark("four have committed, to nobody's knowledge; one is slow")
            _kill(workers[_VICTIM].process)
            report.remark(f"worker {workers[_VICTIM].name}: killed, with its answer untold")
            _kill(first.process)
            report.remark("relayer: killed as well (kill -9); its record is what is left")
    finally:
        workers[_SLOW].process.send_signal(signal.SIGCONT)
    with _relayer(stage, workers) as second:
        report.remark("relayer: started again; the slow worker commits, and the round is closed")
        _await(stage, second, ProgressKind.ROUND_CLOSED)
        _await(stage, second, ProgressKind.ROUND_AGREED)
        report.remark("relayer: three agree, one does not, one is dead; one transaction")
        _await(stage, second, ProgressKind.FINAL)
        report.remark("relayer: final; the one that lied is reported by its own signature")
        _await(stage, second, ProgressKind.FINAL)
    _show(stage, request_id, workers)


def _ask(stage: Stage) -> Bytes32:
    params = RequestParams(
        app_id=Bytes32(ADVISOR_APP),
        model_id=Bytes32(demonstration_model().id),
        input=QUESTION.encode(),
        callback_gas_limit=0,
        deadline=stage.chain.head().timestamp + _LIFETIME_SECONDS,
        payment=Payment(_FEE),
        quorum=_THREE_OF_FIVE,
    )
    data = ResultOracle(stage.chain, stage.address("ResultOracle")).request(params)
    receipt = stage.transact("ask for three of five", "ResultOracle", data, _FEE)
    events = (decode_event(log) for log in receipt.logs)
    return next(event for event in events if isinstance(event, RequestCreated)).request_id


def _held_up(worker: RunningWorker) -> None:
    worker.process.send_signal(signal.SIGSTOP)


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(_STOP_SECONDS)


@contextmanager
def _relayer(stage: Stage, workers: Sequence[RunningWorker]) -> Iterator[_Relayer]:
    """Run `quotary relay run` on the one record; ask it to finish at the end, where it lives."""
    command = [sys.executable, "-m", "quotary", "relay", "run", "--private-key", f"0x{_KEY.hex()}"]
    command += ["--rpc-url", stage.node.url, "--deployments", str(stage.folder)]
    command += ["--database", str(stage.folder / "rounds.sqlite")]
    command += ["--finality", "2", "--poll", "0.1", "--round-seconds", str(_ROUND_SECONDS)]
    for worker in workers:
        command += ["--worker", f"{worker.url}={worker.address}"]
    log = (stage.folder / "relayer.log").open("a", encoding="utf-8")
    with (
        log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        running = _Relayer(process)
        reader = threading.Thread(target=running.read, daemon=True)
        reader.start()
        try:
            yield running
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join(_STOP_SECONDS)


def _await(stage: Stage, running: _Relayer, kind: ProgressKind, times: int = 1) -> None:
    """Read on until something has happened so often; the chain goes on meanwhile."""
    end, mined = monotonic() + _SOONER_SECONDS, monotonic()
    while times:
        if monotonic() > end or running.process.poll() is not None:
            said = (stage.folder / "relayer.log").read_text(encoding="utf-8").splitlines()
            raise NotDeliveredError(f"no {kind.value} of the relayer: {said[-1:] or 'silent'}")
        if monotonic() - mined > _MINE_SECONDS:
            stage.node.mine()
            mined = monotonic()
        try:
            line = running.lines.get(timeout=_MINE_SECONDS)
        except Empty:
            continue
        _tell_mined(stage, line)
        times -= f" {kind.value} " in line


def _tell_mined(stage: Stage, line: str) -> None:
    if f" {ProgressKind.MINED.value} " not in line:
        return
    told = dict(part.split("=", 1) for part in line.split() if "=" in part)
    receipt = stage.chain.receipt(bytes.fromhex(told["transaction"][2:]))
    if receipt is None:
        return
    fulfilled = any(log.topics[0] == _FULFILLED for log in receipt.logs)
    what = "relay what three agree on" if fulfilled else "report the worker that lied"
    stage.report.sent(what, receipt.transaction_hash, receipt.gas_used)


def _show(stage: Stage, request_id: Bytes32, workers: Sequence[RunningWorker]) -> None:
    report, contract = stage.report, ResultOracle(stage.chain, stage.address("ResultOracle"))
    head = stage.chain.head()
    landed = stage.chain.logs([contract.address], 0, head.number, [_FULFILLED, request_id])
    event = decode_event(landed[0]) if landed else None
    output = getattr(event, "output", b"").decode()
    report.fact("answers on the chain", str(len(landed)), exact=len(landed))
    report.fact("decided", output, note="by three of five")
    liar = workers[_LIAR]
    until = contract.probation_of(liar.address)
    days = (until - head.timestamp + 43_200) // 86_400
    report.fact(
        f"worker {liar.name}",
        f"on probation for {days} days",
        note="its own signature convicts it",
        exact={"address": liar.address, "until": until},
    )
