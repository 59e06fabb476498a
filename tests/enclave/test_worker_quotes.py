"""Quotes come from a TEE, simulated or genuine, with evidence that replays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256, sha384
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import dcap_qvl
import pytest
from quotary_enclave.worker import (
    ConfigurationError,
    DstackGuest,
    QuoteUnavailableError,
    WorkerConfig,
    simulated_tdx,
)
from quotary_enclave.worker.simulated import code_digest

from tests.enclave.worker_parts import (
    NOW,
    CountingModel,
    make_worker,
    report_data_of,
    simulator,
)

REPORT_DATA = bytes(range(64))


def replayed(event_log: str) -> list[bytes]:
    """The four registers, computed from the published rule alone."""
    registers = [bytes(48)] * 4
    for event in json.loads(event_log):
        text = b":".join(
            (
                event["event_type"].to_bytes(4, "little"),
                event["event"].encode(),
                bytes.fromhex(event["event_payload"]),
            )
        )
        assert sha384(text).hexdigest() == event["digest"]
        index = event["imr"]
        registers[index] = sha384(registers[index] + bytes.fromhex(event["digest"])).digest()
    return registers


def test_a_simulated_quote_verifies_under_its_root_and_replays() -> None:
    """Another verifier accepts it, and the log is the one behind the registers."""
    simulation = simulator()
    platform = simulation.platform()
    evidence = simulated_tdx(platform, CountingModel()).quote(REPORT_DATA)
    collateral = dcap_qvl.QuoteCollateralV3.from_json(
        json.dumps(simulation.collateral(platform, "tdx"))
    )
    verdict = dcap_qvl.verify_with_root_ca(evidence.quote, collateral, simulation.root_der, NOW)
    assert verdict.status == "UpToDate"
    assert report_data_of(evidence.quote) == REPORT_DATA
    assert evidence.quote[48 + 328 : 48 + 520] == b"".join(replayed(evidence.event_log))


def test_the_compose_file_is_measured() -> None:
    """The manifest hashes to the compose hash, names the code by digest, and the weights."""
    model = CountingModel()
    evidence = simulated_tdx(simulator().platform(), model).quote(REPORT_DATA)
    assert evidence.app_compose is not None
    events = {event["event"]: event["event_payload"] for event in json.loads(evidence.event_log)}
    assert events["compose-hash"] == sha256(evidence.app_compose.encode()).hexdigest()
    assert events["app-id"] == events["compose-hash"][:40]
    assert f"@sha256:{code_digest().hex()}" in evidence.app_compose
    assert model.weights_root.hex() in evidence.app_compose


def test_other_code_has_another_measurement(tmp_path: Path) -> None:
    """A changed byte, a renamed file and a new file each change the digest."""
    (tmp_path / "a.py").write_text("x = 1\n")
    digests = [code_digest(tmp_path)]
    (tmp_path / "a.py").write_text("x = 2\n")
    digests.append(code_digest(tmp_path))
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    digests.append(code_digest(tmp_path))
    (tmp_path / "c.py").touch()
    digests.append(code_digest(tmp_path))
    assert len(set(digests)) == 4


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """One thread per connection."""

    daemon_threads = True


@contextmanager
def agent(path: Path, answers: dict[str, Any]) -> Iterator[list[tuple[str, Any]]]:
    """A guest agent on a Unix socket that answers each method with a fixed status and body."""
    asked: list[tuple[str, Any]] = []

    class Agent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, json.loads(body)))
            status, answer = answers.get(self.path, (404, {"error": "no such method"}))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    with UnixServer(str(path), Agent) as server:
        # BaseHTTPRequestHandler wants an address with two parts; a Unix peer has none.
        server.get_request = lambda: (server.socket.accept()[0], ("unix", 0))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def genuine_answers(shared: Path) -> tuple[bytes, dict[str, Any]]:
    """A genuine agent's answer to GetQuote, and the report data it was asked for."""
    answer = json.loads((shared / "vectors/dstack/quote-report.json").read_text())
    return bytes.fromhex(answer["report_data"]), answer


def test_the_dstack_agent_is_asked_as_it_expects(shared: Path, tmp_path: Path) -> None:
    """A genuine answer comes through whole, with the compose file out of `Info`."""
    report_data, answer = genuine_answers(shared)
    info = {"app_id": "ab", "tcb_info": json.dumps({"app_compose": '{"name": "x"}'})}
    answers = {"/GetQuote": (200, answer), "/Info": (200, info)}
    with agent(tmp_path / "dstack.sock", answers) as asked:
        evidence = DstackGuest(str(tmp_path / "dstack.sock")).quote(report_data)
    assert asked[0] == ("/GetQuote", {"report_data": report_data.hex()})
    assert evidence.quote.hex() == answer["quote"]
    assert json.loads(evidence.event_log) == json.loads(answer["event_log"])
    assert json.loads(evidence.vm_config)["os_image_hash"]
    assert evidence.app_compose == '{"name": "x"}'


def test_an_event_log_sent_as_json_becomes_text(shared: Path, tmp_path: Path) -> None:
    """Both forms that agents send mean the same."""
    report_data, answer = genuine_answers(shared)
    answer["event_log"] = json.loads(answer["event_log"])
    answers = {"/GetQuote": (200, answer), "/Info": (200, {"tcb_info": {"app_compose": "c"}})}
    with agent(tmp_path / "dstack.sock", answers):
        evidence = DstackGuest(str(tmp_path / "dstack.sock")).quote(report_data)
    assert json.loads(evidence.event_log) == answer["event_log"]
    assert evidence.app_compose == "c"


@pytest.mark.parametrize(
    "reply",
    [
        (500, {"error": "no TEE"}),
        (200, b"not json"),
        (200, b"[" * 100_000),
        (200, []),
        (200, {}),
        (200, {"quote": "zz", "event_log": "[]"}),
        (200, {"quote": "00" * 700, "event_log": "not json"}),
        (200, {"quote": "00" * 700, "event_log": "[]"}),
        (200, {"quote": None, "event_log": []}),
    ],
)
def test_a_bad_answer_is_no_quote(tmp_path: Path, reply: tuple[int, Any]) -> None:
    """Refusals, rubbish, and a quote over other report data raise the one error."""
    answers = {"/GetQuote": reply, "/Info": (200, {})}
    with (
        agent(tmp_path / "dstack.sock", answers),
        pytest.raises(QuoteUnavailableError),
    ):
        DstackGuest(str(tmp_path / "dstack.sock")).quote(REPORT_DATA)


def test_the_dstack_agent_gives_each_instance_a_key_of_its_own(tmp_path: Path) -> None:
    """The path names the instance: what all instances of an app share would be no identity."""
    key = {"key": "ab" * 32, "signature_chain": []}
    answers = {"/Info": (200, {"instance_id": "cd" * 20}), "/GetKey": (200, key)}
    with agent(tmp_path / "dstack.sock", answers) as asked:
        assert DstackGuest(str(tmp_path / "dstack.sock")).sealing_key() == b"\xab" * 32
    path = f"quotary/1/vault/{'cd' * 20}"
    assert asked[1] == ("/GetKey", {"path": path, "purpose": "sealing"})


@pytest.mark.parametrize(
    ("info", "key"),
    [
        ({}, {"key": "ab" * 32}),
        ({"instance_id": ""}, {"key": "ab" * 32}),
        ({"instance_id": "cd"}, {}),
        ({"instance_id": "cd"}, {"key": "ab" * 31}),
        ({"instance_id": "cd"}, {"key": "zz"}),
    ],
)
def test_a_key_of_no_instance_or_none_at_all_seals_nothing(
    tmp_path: Path, info: dict[str, str], key: dict[str, str]
) -> None:
    """Rather no vault than one that others open."""
    answers = {"/Info": (200, info), "/GetKey": (200, key)}
    with (
        agent(tmp_path / "dstack.sock", answers),
        pytest.raises(QuoteUnavailableError),
    ):
        DstackGuest(str(tmp_path / "dstack.sock")).sealing_key()


def test_no_agent_is_no_quote(tmp_path: Path) -> None:
    """A missing socket is reported, not raised through."""
    with pytest.raises(QuoteUnavailableError):
        DstackGuest(str(tmp_path / "absent.sock")).quote(REPORT_DATA)


def test_real_hardware_needs_an_operator(tmp_path: Path) -> None:
    """Otherwise the first to ask for a quote would be paid for the machine's work."""
    guest = DstackGuest(str(tmp_path / "absent.sock"))
    with pytest.raises(ConfigurationError):
        make_worker(WorkerConfig(), quotes=guest)
