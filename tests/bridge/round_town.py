"""Workers of rounds, honest and not, behind HTTP, and requests that several must answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import httpx
from eth_account import Account
from eth_utils.crypto import keccak
from quotary_bridge.chain.contracts import Payment, Quorum, RequestParams, RequestTerms
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Address, Bytes32, ChainId, JobKey, Result, Timestamp
from quotary_bridge.relayer import Relayer
from quotary_bridge.relayer.exchanges import Exchanges, Heard
from quotary_bridge.relayer.progress import Listener
from quotary_bridge.relayer.rounds import Rounds
from quotary_bridge.rounds import commitment_of
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import Endpoint, WorkerClient, result_digest

from tests.bridge.model_parts import A_MODEL
from tests.bridge.relayer_town import APP, FEE, LIFETIME, MODEL, Town, _fields, _shown, settings_of

TWO_OF_THREE = Quorum(2, 3)
THREE_OF_FIVE = Quorum(3, 5)
PATIENCE_SECONDS = 300.0
"""What nobody waits for unless something is wrong."""

STALL_SECONDS = 600.0
"""Longer than any test: who stalls is let go when the test ends."""

ROUND_SECONDS = 600.0
"""Longer than a busy machine takes for an honest answer."""


@dataclass
class Member:
    """
    One worker of rounds, which misbehaves as its `manner` says.

    honest; dead (refuses connections); stalls (commits and then reveals nothing), mute (does not
    even commit); lies (another answer, consistently); swaps (reveals another answer than it
    committed to); equivocates (signs a new answer whenever asked); copies (commits to what it saw
    another one commit to); tarries (lies, and reveals only when it is `over`).
    """

    name: str
    manner: str = "honest"
    output: bytes = b"an answer"
    decision: bytes | None = None
    claims: Address | None = None
    asked: int = 0
    revealed: int = 0
    refused: int = 0
    seen: list[bytes] = field(default_factory=list)
    stall_seconds: float = STALL_SECONDS
    over: threading.Event = field(default_factory=threading.Event)
    holding: list[None] = field(default_factory=list)
    _kept: dict[bytes, Result] = field(default_factory=dict)
    _shown_to: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key it signs with."""
        return f"0x{keccak(text=self.name).hex()}"

    @property
    def address(self) -> Address:
        """Who it says it is."""
        return self.claims or Address(Account.from_key(self.key).address)

    def answer(self, question: httpx.Request) -> httpx.Response:
        """Answer as a worker does."""
        self.asked += 1
        if self.manner == "dead":
            raise httpx.ConnectError("nobody listens")
        path = question.url.path
        if path.endswith("/worker"):
            return httpx.Response(200, json={"worker": self.address})
        asked = json.loads(question.content)
        if path.endswith("/commitments"):
            return self._commit(asked)
        if path.endswith("/reveals"):
            return self._reveal(asked)
        return httpx.Response(404)

    def _commit(self, asked: dict[str, Any]) -> httpx.Response:
        if self.manner == "mute":
            return self._stall()
        terms = RequestTerms.decode(bytes.fromhex(asked["terms"][2:]))
        request_id = terms.request_id(ChainId(asked["chainId"]), Address(asked["oracle"]))
        if self.showed(request_id):
            return httpx.Response(409, json={"error": {"code": "already_revealed"}})
        said = self.keep(request_id, self._result(request_id, terms))
        commitment = commitment_of(said)
        if self.manner == "copies" and self.seen:
            commitment = Bytes32(self.seen[0])
        self.seen.append(commitment)
        return httpx.Response(
            200, json={"worker": self.address, "commitment": f"0x{commitment.hex()}"}
        )

    def _reveal(self, asked: dict[str, Any]) -> httpx.Response:
        self.revealed += 1
        if self.manner == "stalls":
            return self._stall()
        if self.manner == "tarries":
            self.over.wait(self.stall_seconds)
        commitments = [bytes.fromhex(each[2:]) for each in asked["round"]]
        closed = keccak(b"".join(commitments))
        request_id = bytes.fromhex(asked["requestId"][2:])
        if not self.shows(request_id, closed):
            self.refused += 1
            return httpx.Response(409, json={"error": {"code": "already_revealed"}})
        kept = self.kept(request_id)
        if kept is None:
            return httpx.Response(404, json={"error": {"code": "not_committed"}})
        said, output = replace(kept, round=Bytes32(closed)), self.output
        if self.manner in ("swaps", "equivocates"):
            output = b"other" if self.manner == "swaps" else b"other %d" % self.revealed
            said = self._saying(said, output)
        digest = result_digest(said, ChainId(asked["chainId"]), Address(asked["oracle"]))
        signed = Account.unsafe_sign_hash(digest, self.key)
        document = {
            "output": f"0x{output.hex()}",
            "result": {name: _shown(value) for name, value in _fields(said).items()},
            "signature": f"0x{bytes(signed.signature).hex()}",
        }
        return httpx.Response(200, json=document)

    def _stall(self) -> httpx.Response:
        self.holding.append(None)
        self.over.wait(self.stall_seconds)
        self.holding.pop()
        return httpx.Response(503)

    def keep(self, request_id: bytes, said: Result) -> Result:
        """Remember what was committed to; returns what counts: whatever came first."""
        return self._kept.setdefault(request_id, said)

    def kept(self, request_id: bytes) -> Result | None:
        """What was committed to."""
        return self._kept.get(request_id)

    def showed(self, request_id: bytes) -> bool:
        """Whether the answer to a request was shown to a round."""
        return request_id in self._shown_to

    def shows(self, request_id: bytes, closed: bytes) -> bool:
        """Whether the answer to a request may be shown to a round: to one it may."""
        return self._shown_to.setdefault(request_id, closed) == closed

    def _result(self, request_id: bytes, terms: RequestTerms) -> Result:
        honest = Result(
            request_id=Bytes32(request_id),
            app_id=terms.app_id,
            model_id=terms.model_id,
            weights_root=A_MODEL.weights_root,
            input_commitment=terms.input_commitment,
            output_hash=Bytes32(bytes(32)),
            decision=Bytes32(bytes(32)),
            round=Bytes32(bytes(32)),
            key_epoch=0,
            policy_version=0,
            worker=self.address,
            units=7,
            nonce=int.from_bytes(keccak(request_id + self.name.encode())),
            deadline=Timestamp(terms.deadline),
        )
        return self._saying(honest, self.output)

    def _saying(self, said: Result, output: bytes) -> Result:
        digest = Bytes32(sha256(output).digest())
        decided = digest if self.decision is None else Bytes32(self.decision)
        return replace(said, output_hash=digest, decision=decided)


def members(*manners: str) -> list[Member]:
    """One worker per manner; liars tell a story of their own; copiers see what all commit to."""
    seen: list[bytes] = []
    found = []
    for number, manner in enumerate(manners):
        output = b"lie %d" % number if manner in ("lies", "tarries") else b"an answer"
        found.append(Member(f"member{number}", manner, output, seen=seen))
    return found


def client_of(workers: Sequence[Member]) -> WorkerClient:
    """A client that reaches `workers` by their names, and nobody else."""
    by_name = {worker.name: worker for worker in workers}

    def _route(question: httpx.Request) -> httpx.Response:
        worker = by_name.get(question.url.host)
        return httpx.Response(404) if worker is None else worker.answer(question)

    return WorkerClient(httpx.MockTransport(_route))


def endpoints_of(workers: Sequence[Member]) -> list[Endpoint]:
    """Where they answer, and who they are."""
    return [Endpoint(f"http://{worker.name}", worker.address) for worker in workers]


def conductor(
    town: Town,
    store: Store,
    workers: Sequence[Member],
    account: int = 2,
    *,
    endpoints: Sequence[Endpoint] | None = None,
    listener: Listener | None = None,
    inputs: InputFolder | None = None,
    **changes: float,
) -> Relayer:
    """
    A relayer that asks `workers`.

    However slow the machine, nobody honest takes too long: a round's time is over once all that it
    waits for are workers that stall, unless `changes` say how many `round_seconds` it has.
    """
    for worker in workers:
        town.afterwards.callback(worker.over.set)
    settings = {"round_seconds": ROUND_SECONDS, "patience_seconds": 3.0, **changes}
    relayer = Relayer(
        town.chain,
        town.oracle,
        store,
        town.node.signers[account],
        endpoints_of(workers) if endpoints is None else endpoints,
        settings=settings_of(town, **settings),
        listener=listener or town.events.append,
        client=client_of(workers),
        holder=f"a test with account {account}",
        inputs=inputs,
    )
    if "round_seconds" not in changes:
        relayer._rounds._floor._exchanges = Impatient(relayer._rounds, workers)
    return relayer


class Impatient(Exchanges):
    """Has the time of every round pass at once where nobody but stalling workers is waited for."""

    def __init__(self, rounds: Rounds, workers: Sequence[Member]) -> None:
        """Watch `workers` for `rounds`."""
        super().__init__()
        self._rounds = rounds
        self._workers = workers

    def hear(self, seconds: float) -> list[Heard]:
        """Return what came; where nothing is to come in time, let the time be over."""
        found = super().hear(seconds)
        stalling = sum(len(worker.holding) for worker in self._workers)
        if not found and self._out and len(self._out) == stalling:
            for table in self._rounds._tables.values():
                table.since -= ROUND_SECONDS
        return found


def cycle_until(relayer: Relayer, town: Town, happened: Callable[[], bool]) -> None:
    """Run cycles, however fast, until something happened that takes a thread its time."""
    end_at = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end_at
        relayer.tick()
        town.node.mine()


def question_of(
    requester: Address, sequence: int, quorum: Quorum, deadline: int, **more: Any
) -> tuple[RequestParams, RequestTerms]:
    """What `requester` asks as request number `sequence`, and what the oracle makes of it."""
    text = b"question %d" % sequence
    workers, reserved = more.get("workers", ()), more.get("reserved_until", 0)
    payment = Payment(FEE)
    params = RequestParams(
        *(APP, MODEL, text, 0, deadline, payment, quorum, workers, reserved),
    )
    commitment = Bytes32(sha256(text).digest())
    terms = RequestTerms(
        *(APP, MODEL, commitment, requester, sequence, 0, reserved, deadline),
        *(replace(payment, refund_to=requester), quorum, workers),
    )
    return params, terms


def ask_several(
    town: Town, quorum: Quorum = TWO_OF_THREE, lifetime: int = LIFETIME, **more: Any
) -> JobKey:
    """Make a request that several workers must answer; returns the job's key."""
    sender = town.sender(1)
    deadline = town.chain.head().timestamp + lifetime
    params, terms = question_of(sender.address, town.asked, quorum, deadline, **more)
    town.asked += 1
    town.terms.append(terms)
    call = interface("ResultOracle").encode_call("request", [params.words()])
    sender.send(sender.request(town.oracle, call, FEE))
    return town.key(town.asked)
