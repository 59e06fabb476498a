"""Provers: the stub, and a remote service with all its faults."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from quotary import INTEL_ROOT, QuotaryError
from quotary_bridge.errors import BridgeError, ConfigurationError, Reason
from quotary_bridge.zk import GuestInput, Job, RemoteProver, StubProver, execute
from quotary_bridge.zk.bonsai import ANSWER_BYTES_LIMIT, BonsaiClient, ProverAccount
from quotary_bridge.zk.errors import ProverUnavailable, ProvingFailed
from quotary_bridge.zk.jobs import JobFolder, JobRecord, Stage
from quotary_bridge.zk.prover import Limits

from tests.bridge.zk_service import (
    API_KEY,
    Service,
    bincode_receipt,
    body,
    drip,
    hang_up,
    serving,
    status,
)
from tests.contracts.zk_trapdoor import forged_seal, known_release
from tests.verifier.genuine import pick

IMAGE = sha256(b"guest").digest()
PROGRAM = b"\x7fELF of the tests"
Provers = Callable[..., RemoteProver]


@pytest.fixture(scope="module")
def job(shared: Path) -> Job:
    case = pick(shared, "tdx")
    at = int(case.at.timestamp())
    return Job(IMAGE, GuestInput(case.quote, case.raw, at, INTEL_ROOT.certificate.der))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service(_prove)) as started:
        yield started


@cache
def _prove(image: bytes, given: bytes) -> bytes:
    journal = execute(given)
    seal = forged_seal(image, sha256(journal).digest())
    return bincode_receipt(seal[4:], journal, known_release().parameters_digest)


@pytest.fixture
def prover(service: Service, tmp_path: Path) -> Iterator[Provers]:
    """Makes processes that share one folder of jobs, their clocks ticking a second per look."""
    clients = []

    def make(*, start: float = 1000.0, **limits: Any) -> RemoteProver:
        ticks = itertools.count(start, 1)
        account = ProverAccount(service.url, API_KEY, "3.0.3")
        clients.append(BonsaiClient(account, answer_seconds=0.5))
        return RemoteProver(
            clients[-1],
            JobFolder(tmp_path),
            PROGRAM,
            clock=lambda: next(ticks),
            limits=replace(Limits(poll_seconds=0.0), **limits),
            releases=(known_release(),),
            sleep=lambda _: None,
        )

    yield make
    for client in clients:
        client.close()


def test_the_stub_runs_the_guest_and_proves_nothing(job: Job) -> None:
    """Its journal is the guest's; its seal no verifier but the stub takes."""
    receipt = StubProver().prove(job)
    assert receipt.journal == execute(job.given.encode())
    assert receipt.is_stub
    with pytest.raises(BridgeError) as caught:
        receipt.verify()
    assert caught.value.reason is Reason.SEAL_SELECTOR_UNKNOWN


def test_a_job_is_proven(service: Service, prover: Provers, job: Job) -> None:
    """Image and input are uploaded, the session polled, the proof wrapped, fetched, verified."""
    service.polls = 3
    receipt = prover().prove(job)
    assert receipt.journal == execute(job.given.encode())
    assert receipt.verify((known_release(),)) == known_release()
    assert service.images == {IMAGE.hex(): PROGRAM}
    assert list(service.inputs.values()) == [job.given.encode()]
    assert all(key == API_KEY for _, _, key in service.requests)


def test_the_same_job_is_never_paid_twice(service: Service, prover: Provers, job: Job) -> None:
    """A second process with the same folder asks for nothing at all."""
    first = prover().prove(job)
    asked = len(service.requests)
    assert prover(start=10**6, job_seconds=10**7).prove(job) == first
    assert len(service.requests) == asked
    other = Job(sha256(b"other guest").digest(), job.given)
    prover().prove(other)
    assert service.count("POST /sessions/create") == 2


def test_refused_evidence_costs_nothing(service: Service, prover: Provers, job: Job) -> None:
    """The guest is run here first: what it refuses is never uploaded."""
    late = Job(IMAGE, replace(job.given, at=job.given.at + 10**8))
    for one in (prover(), StubProver()):
        with pytest.raises(QuotaryError):
            one.prove(late)
    assert service.requests == []


_STEPS = (
    "GET /images/upload",
    "PUT /put/images",
    "GET /inputs/upload",
    "PUT /put/inputs",
    "GET /sessions/status",
    "POST /snark/create",
    "GET /snark/status",
    "GET /get",
)


@pytest.mark.parametrize("step", _STEPS)
def test_passing_faults_are_waited_out(
    service: Service, prover: Provers, job: Job, step: str
) -> None:
    """Four failures of any step, and the proof comes all the same, started once."""
    service.faults[step] = [status(500), status(429), hang_up, drip]
    prover(patience=5).prove(job)
    assert service.faults[step] == []
    assert service.count("POST /sessions/create") == 1


@pytest.mark.parametrize("step", _STEPS)
def test_a_job_goes_on_where_it_stopped(
    service: Service, prover: Provers, job: Job, step: str
) -> None:
    """A service that is down for long ends the process; the next one starts no second session."""
    service.faults[step] = [status(502)] * 3
    with pytest.raises(ProverUnavailable) as caught:
        prover(patience=3).prove(job)
    assert caught.value.reason is Reason.PROVER_UNREACHABLE
    prover(patience=3).prove(job)
    assert service.count("POST /sessions/create") == 1


def test_a_session_of_unknown_fate_counts(service: Service, prover: Provers, job: Job) -> None:
    """The answer to starting a session was lost: it may be charged, so starts are bounded."""
    service.faults["POST /sessions/create"] = [hang_up, hang_up, hang_up]
    for _ in range(2):
        with pytest.raises(ProverUnavailable):
            prover().prove(job)
    with pytest.raises(ProvingFailed) as caught:
        prover().prove(job)
    assert caught.value.reason is Reason.PROVING_FAILED
    assert service.count("POST /sessions/create") == 2


def test_a_refused_start_costs_no_try(service: Service, prover: Provers, job: Job) -> None:
    """Out of quota today, it may be started tomorrow."""
    service.faults["POST /sessions/create"] = [status(402, b"quota\x07 used up")] * 5
    for _ in range(5):
        with pytest.raises(ProvingFailed) as caught:
            prover().prove(job)
        assert caught.value.reason is Reason.PROVER_REFUSED
        assert "quota? used up" in caught.value.message
    prover().prove(job)


@pytest.mark.parametrize("outcome", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_proving_that_fails_is_tried_again_once(
    service: Service, prover: Provers, job: Job, outcome: str
) -> None:
    """And then it is an error that says what the service said."""
    service.outcome = outcome
    with pytest.raises(ProvingFailed) as caught:
        prover().prove(job)
    assert caught.value.reason is Reason.PROVING_FAILED
    assert outcome in caught.value.message
    assert "out of cycles" in caught.value.message
    assert service.count("POST /sessions/create") == 2


def test_a_job_is_bounded_over_all_its_resumptions(
    service: Service, prover: Provers, job: Job
) -> None:
    """The time counts from the first start; with more of it the job goes on."""
    service.polls = 50
    for start in (1000.0, 1010.0):
        with pytest.raises(ProverUnavailable) as caught:
            prover(start=start, job_seconds=20).prove(job)
        assert caught.value.reason is Reason.PROVING_UNFINISHED
    prover(start=1030.0, job_seconds=1000).prove(job)
    assert service.count("POST /sessions/create") == 1


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("GET /images/upload", b"not JSON"),
        ("GET /images/upload", b"[]"),
        ("GET /images/upload", b'{"url": 7}'),
        ("GET /images/upload", b'{"url": "file:///etc/passwd"}'),
        ("GET /images/upload", b'{"url": "//elsewhere"}'),
        ("GET /inputs/upload", b'{"url": "http://127.0.0.1:1/"}'),
        ("POST /sessions/create", b'{"uuid": ""}'),
        ("POST /sessions/create", json.dumps({"uuid": "x" * 1000}).encode()),
        ("GET /sessions/status", b'{"status": "DANCING"}'),
        ("GET /sessions/status", b"[" * 50_000),
        ("GET /sessions/status", b" " * (ANSWER_BYTES_LIMIT + 1)),
        ("GET /snark/status", b'{"status": "SUCCEEDED", "output": "gopher://x"}'),
    ],
)
def test_broken_answers_have_a_reason(
    service: Service, prover: Provers, job: Job, step: str, answer: bytes
) -> None:
    """No answer of a service is believed, and none raises anything but our errors."""
    service.faults[step] = [body(answer)] * 50
    with pytest.raises(ProverUnavailable) as caught:
        prover(patience=2).prove(job)
    assert caught.value.reason is Reason.PROVER_BROKEN_ANSWER


@pytest.mark.parametrize("broken", range(7))
def test_a_proof_that_does_not_hold_is_refused(
    service: Service, prover: Provers, job: Job, broken: int
) -> None:
    """Of another journal, guest or release, mock, cut short or no proof at all."""
    journal = execute(job.given.encode())
    digest, parameters = sha256(journal).digest(), known_release().parameters_digest
    genuine = forged_seal(IMAGE, digest)[4:]
    receipt = (
        bincode_receipt(forged_seal(IMAGE, sha256(b"").digest())[4:], journal, parameters),
        bincode_receipt(forged_seal(bytes(32), digest)[4:], journal, parameters),
        bincode_receipt(genuine, journal, bytes(32)),
        bincode_receipt(genuine, journal, parameters, variant=3),
        bincode_receipt(genuine[:-1], journal, parameters),
        b"",
        bytes(1000),
    )[broken]
    service.prove = lambda *_: receipt
    with pytest.raises(ProvingFailed) as caught:
        prover().prove(job)
    assert caught.value.reason is Reason.PROVER_BROKEN_ANSWER


def test_a_service_that_does_not_say_where_its_receipt_is(
    service: Service, prover: Provers, job: Job
) -> None:
    """A success without a result is none."""
    service.faults["GET /snark/status"] = [body(b'{"status": "SUCCEEDED"}')]
    with pytest.raises(ProvingFailed) as caught:
        prover().prove(job)
    assert caught.value.reason is Reason.PROVER_BROKEN_ANSWER


def test_the_key_stays_at_home() -> None:
    """Where the service lets us upload to another host, that host does not see the API key."""
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("x-api-key")))
        return httpx.Response(200, content=iter([b'{"url": "https://store.example/put"}']))

    account = ProverAccount("https://prover.example", API_KEY, "3.0.3")
    BonsaiClient(account, httpx.MockTransport(answer)).put_image(IMAGE, PROGRAM)
    assert seen == [("prover.example", API_KEY), ("store.example", None)]
    assert API_KEY not in repr(account)


def test_encryption_is_not_left() -> None:
    """A service reached by https cannot send us to plain http."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=iter([b'{"url": "http://store.example/put"}']))
    )
    client = BonsaiClient(ProverAccount("https://prover.example", "k", "3.0.3"), transport)
    with pytest.raises(ProverUnavailable) as caught:
        client.put_image(IMAGE, PROGRAM)
    assert caught.value.reason is Reason.PROVER_BROKEN_ANSWER


def test_redirects_are_not_followed() -> None:
    """Only the configured address is asked."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(
            302, headers={"location": "https://elsewhere.example"}, content=iter([b""])
        )
    )
    client = BonsaiClient(ProverAccount("https://prover.example", "k", "3.0.3"), transport)
    with pytest.raises(ProvingFailed) as caught:
        client.put_image(IMAGE, PROGRAM)
    assert caught.value.reason is Reason.PROVER_REFUSED


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("prover.example", "k"),
        ("ftp://prover.example", "k"),
        ("https://user:secret@prover.example", "k"),
        ("https://prover.example?x=1", "k"),
        ("https://prover.example#x", "k"),
        ("https://prover.example", ""),
        ("https://prover.example", "k\nx-evil: 1"),
    ],
)
def test_accounts_that_are_none(url: str, key: str) -> None:
    """Refused before anything is sent, without showing what was given."""
    with pytest.raises(ConfigurationError) as caught:
        ProverAccount(url, key, "3.0.3")
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
    assert "secret" not in str(caught.value)


def test_one_process_at_a_time_works_on_a_job(tmp_path: Path) -> None:
    """Two would start two sessions."""
    folder = JobFolder(tmp_path)
    with folder.lock("a"):
        with pytest.raises(ConfigurationError), JobFolder(tmp_path).lock("a"):
            pass
        with folder.lock("b"):
            pass
    with folder.lock("a"):
        pass


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"stage": "new"}', "[" * 100_000, '{"stage": "x", "started_at": 1}'],
)
def test_a_broken_record_is_named(tmp_path: Path, text: str) -> None:
    """It is never taken for no record: that would pay again."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        JobFolder(tmp_path).read("a")
    assert caught.value.reason is Reason.FILE_UNREADABLE


def test_records_are_read_back_whole(tmp_path: Path) -> None:
    """Every field survives, and a folder that is no folder is named."""
    folder = JobFolder(tmp_path / "new")
    record = JobRecord(Stage.DONE, 7, 2, "input", "session", "snark", b"seal")
    with folder.lock("a"):
        assert folder.read("a") is None
        folder.write("a", record)
    assert folder.read("a") == record
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError), JobFolder(tmp_path / "file").lock("a"):
        pass
