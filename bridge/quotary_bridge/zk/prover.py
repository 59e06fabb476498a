"""
Provers behind one port: the stub, and a remote service.

    prove(job) -> Receipt      or an error whose family says whether to try the same job again
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.zk.bonsai import BonsaiClient, Status, StatusReport
from quotary_bridge.zk.errors import ProverUnavailable, ProvingFailed
from quotary_bridge.zk.guest import GuestInput, execute
from quotary_bridge.zk.jobs import JobFolder, JobRecord, Stage
from quotary_bridge.zk.receipt import Receipt
from quotary_bridge.zk.risc_zero import RELEASES, Release
from quotary_bridge.zk.seal import seal_of
from quotary_bridge.zk.stub import stub_seal

_Answer = TypeVar("_Answer")

__all__ = ["Job", "Limits", "Prover", "RemoteProver", "StubProver"]


@dataclass(frozen=True, slots=True)
class Job:
    """One verdict to prove: the guest that is to run, and what it is to read."""

    image_id: bytes
    given: GuestInput

    @property
    def key(self) -> str:
        """The job's name: the same work has the same one, so it is never paid for twice."""
        return sha256(self.image_id + self.given.encode()).hexdigest()


class Prover(Protocol):
    """Whoever makes receipts."""

    def prove(self, job: Job) -> Receipt:
        """
        Return a receipt for the journal of `job`.

        Raises what the guest ends on (`QuotaryError`, `EvidenceRejected`), before anything is paid
        for; `Transient` where the same job may be asked for again; `Permanent` where not.
        """
        ...


class StubProver:
    """Runs the guest and proves nothing: for development chains."""

    def prove(self, job: Job) -> Receipt:
        """Return a receipt with a mock seal."""
        journal = execute(job.given.encode())
        return Receipt(job.image_id, journal, stub_seal(job.image_id, sha256(journal).digest()))


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How long and how often a remote prover is tried.

    `job_seconds` counts from the job's first start, over all its resumptions; `patience` is how
    many answers in a row may fail; `sessions` is how many times proving may be started, and paid.
    """

    job_seconds: int = 3600
    poll_seconds: float = 5.0
    patience: int = 5
    sessions: int = 2


class RemoteProver:
    """
    Proves at a service, with the state of each job on disk before the next step.

    A process that ends anywhere is continued by the next one with the same folder: nothing that was
    finished is done, or paid for, again.
    """

    def __init__(
        self,
        client: BonsaiClient,
        folder: JobFolder,
        program: bytes,
        *,
        clock: Callable[[], float],
        limits: Limits | None = None,
        releases: tuple[Release, ...] = RELEASES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`program` is the guest's ELF; `clock` gives Unix seconds; proofs are of `releases`."""
        self._client = client
        self._folder = folder
        self._program = program
        self._clock = clock
        self._limits = limits or Limits()
        self._releases = releases
        self._sleep = sleep

    def prove(self, job: Job) -> Receipt:
        """
        Return a receipt whose proof was verified here.

        Raises as `Prover.prove`: `ProverUnavailable` (`PROVER_UNREACHABLE`,
        `PROVER_BROKEN_ANSWER`, `PROVING_UNFINISHED`), `ProvingFailed` (`PROVER_REFUSED`,
        `PROVING_FAILED`, `PROVER_BROKEN_ANSWER`).
        """
        data = job.given.encode()
        journal = execute(data)
        with self._folder.lock(job.key):
            record = self._folder.read(job.key) or JobRecord(Stage.NEW, int(self._clock()))
            while record.stage is not Stage.DONE:
                self._require_time(record)
                record = self._advance(job, data, journal, record)
                self._folder.write(job.key, record)
        return Receipt(job.image_id, journal, record.seal)

    def _advance(self, job: Job, data: bytes, journal: bytes, record: JobRecord) -> JobRecord:
        """Do one step; what it returns is written before the next."""
        client = self._client
        match record.stage:
            case Stage.NEW:
                self._patiently(lambda: client.put_image(job.image_id, self._program))
                return record.at(
                    Stage.UPLOADED, input_id=self._patiently(lambda: client.put_input(data))
                )
            case Stage.UPLOADED | Stage.STARTING:
                # STARTING: a process ended between asking for a session and noting it down. That
                # session may run unseen and be charged, and so it counts.
                return self._start_session(job, record)
            case Stage.PROVING:
                report = self._wait(record, lambda: client.session(record.session_id))
                if report.status is not Status.SUCCEEDED:
                    return self._retried(record, report)
                return record.at(Stage.PROVEN)
            case Stage.PROVEN:
                snark = self._patiently(lambda: client.create_snark(record.session_id))
                return record.at(Stage.WRAPPING, snark_id=snark)
            case _:
                return self._collect(job, journal, record)

    def _start_session(self, job: Job, record: JobRecord) -> JobRecord:
        if record.sessions >= self._limits.sessions:
            raise ProvingFailed(
                Reason.PROVING_FAILED,
                f"{record.sessions} sessions were started for this job and none gave a proof",
                "ask the prover's operator, then remove the job's file to start anew",
            )
        starting = record.at(Stage.STARTING, sessions=record.sessions + 1)
        self._folder.write(job.key, starting)
        try:
            session = self._client.create_session(job.image_id, record.input_id)
        except ProvingFailed:
            # It said no: nothing was started.
            self._folder.write(job.key, record)
            raise
        return starting.at(Stage.PROVING, session_id=session)

    def _retried(self, record: JobRecord, report: StatusReport) -> JobRecord:
        """The guest was run here and wrote a journal: what failed is the prover."""
        if record.sessions < self._limits.sessions:
            return record.at(Stage.UPLOADED)
        raise ProvingFailed(
            Reason.PROVING_FAILED, f"proving ended with {report.status}: {report.detail}"
        )

    def _collect(self, job: Job, journal: bytes, record: JobRecord) -> JobRecord:
        report = self._wait(record, lambda: self._client.snark(record.snark_id))
        if report.status is not Status.SUCCEEDED:
            raise ProvingFailed(
                Reason.PROVING_FAILED, f"wrapping ended with {report.status}: {report.detail}"
            )
        where = report.output
        if where is None:
            raise ProvingFailed(
                Reason.PROVER_BROKEN_ANSWER, "the prover does not say where its receipt is"
            )
        seal = seal_of(self._patiently(lambda: self._client.download(where)))
        try:
            Receipt(job.image_id, journal, seal).verify(self._releases)
        except EvidenceRejected as error:
            raise ProvingFailed(
                Reason.PROVER_BROKEN_ANSWER, f"the prover's proof does not hold: {error.message}"
            ) from error
        return record.at(Stage.DONE, seal=seal)

    def _wait(self, record: JobRecord, ask: Callable[[], StatusReport]) -> StatusReport:
        while True:
            report = self._patiently(ask)
            if report.status is not Status.RUNNING:
                return report
            self._sleep(self._limits.poll_seconds)
            self._require_time(record)

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until there is an answer, some times."""
        for _ in range(self._limits.patience - 1):
            try:
                return ask()
            except ProverUnavailable:
                self._sleep(self._limits.poll_seconds)
        return ask()

    def _require_time(self, record: JobRecord) -> None:
        if self._clock() > record.started_at + self._limits.job_seconds:
            raise ProverUnavailable(
                Reason.PROVING_UNFINISHED,
                f"no proof {self._limits.job_seconds} s after the job was started",
                "run the same command with a longer time limit: the job goes on where it stopped",
            )
