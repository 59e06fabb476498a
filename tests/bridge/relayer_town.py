"""A chain with a real oracle, a worker that really signs, and a relayer between them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from hashlib import sha256

import httpx
from eth_account import Account
from eth_utils.crypto import keccak
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain, Log
from quotary_bridge.chain.contracts import (
    ONE_WORKER,
    Payment,
    Quorum,
    RequestParams,
    RequestTerms,
)
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.errors import BridgeError, Reason, RequestRefused
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, Bytes32, ChainId, JobKey, Result, Slot, Timestamp, job_key
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, RelayerSettings
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import Endpoint, WorkerClient, result_digest

from tests.bridge.model_parts import A_MODEL

APP = Bytes32(keccak(text="an app"))
MODEL = A_MODEL.id
LIFETIME = 3600
RELAYER = 2
FEE = 10**15

IDENTITY_PATH = "/v1/quotary/worker"

EVERYTHING = ((10**6, 10**9, 10**6, 10**9), ((ZERO_ADDRESS, 0),))
"""Quotas and tokens of an oracle that takes whatever a test asks."""

# A gate that admits everybody: returns (1, 0, 2^64 - 1), which reads as (ok, no reason, for ever)
# to `checkActive` and as (operator, proof kind None) to `requireActive`; to `requireActiveOn` a
# third word that is the worker's own, as if each had a machine to itself.
_FOR_EVER = "60015f5267ffffffffffffffff604052"
_ON = interface("WorkerRegistry").function("requireActiveOn").selector.hex()
OPEN_GATE = f"0x{_FOR_EVER}5f3560e01c63{_ON}1460225760605ff35b60043560601b60405260605ff3"


REVOKED = ("WorkerIsRevoked", "address")
"""What a gate says of a worker that was ruled out: see `closed_gate`."""


def closed_gate(error: str, *types: str) -> str:
    """Code of a gate that admits nobody, with an error whose arguments are of `types`, and zero."""
    check = interface("WorkerRegistry").function("checkActive").selector.hex()
    selector = keccak(text=f"{error}({','.join(types)})")[:4].hex()
    revert = f"63{selector}60e01b5f5260{4 + 32 * len(types):02x}5ffd"
    jump = f"5f3560e01c63{check}14"
    target = len(bytes.fromhex(f"{jump}600057{revert}"))
    return f"0x{jump}60{target:02x}57{revert}5b63{selector}60e01b60205260605ff3"


def question(
    requester: Address,
    sequence: int,
    text: bytes,
    deadline: int,
    fee: int,
    *,
    quorum: Quorum = ONE_WORKER,
) -> tuple[RequestParams, RequestTerms]:
    """What `requester` asks as request number `sequence`, and what the oracle makes of it."""
    payment = Payment(fee)
    params = RequestParams(APP, MODEL, text, 0, deadline, payment, quorum)
    commitment = Bytes32(sha256(text).digest())
    terms = RequestTerms(
        *(APP, MODEL, commitment, requester, sequence, 0, 0, deadline),
        *(replace(payment, refund_to=requester), quorum, ()),
    )
    return params, terms


@dataclass
class Worker:
    """A worker behind HTTP: it signs what `distort` leaves of an honest result."""

    key: str = f"0x{'42' * 32}"
    distort: Callable[[Result], Result] = lambda result: result
    status: int = 200
    output: bytes = b"an answer"
    asked: int = 0
    nonce: int = 0

    @property
    def address(self) -> Address:
        """Whose signature the results carry."""
        return Address(Account.from_key(self.key).address)

    def answer(self, question: httpx.Request) -> httpx.Response:
        """Answer as `POST /v1/quotary/results` does."""
        self.asked += 1
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"code": "overloaded"}})
        asked = json.loads(question.content)
        self.nonce += 1
        honest = Result(
            request_id=_word(asked["requestId"]),
            app_id=_word(asked["appId"]),
            model_id=_word(asked["modelId"]),
            weights_root=A_MODEL.weights_root,
            input_commitment=Bytes32(sha256(bytes.fromhex(asked["input"][2:])).digest()),
            output_hash=Bytes32(sha256(self.output).digest()),
            decision=Bytes32(sha256(self.output).digest()),
            round=Bytes32(bytes(32)),
            key_epoch=0,
            policy_version=0,
            worker=self.address,
            units=7,
            nonce=self.nonce,
            deadline=Timestamp(asked["deadline"]),
        )
        result = self.distort(honest)
        digest = result_digest(result, ChainId(asked["chainId"]), Address(asked["oracle"]))
        signed = Account.unsafe_sign_hash(digest, self.key)
        said = {
            "output": f"0x{self.output.hex()}",
            "result": {name: _shown(value) for name, value in _fields(result).items()},
            "signature": f"0x{bytes(signed.signature).hex()}",
        }
        return httpx.Response(200, json=said)


def client_of(**workers: Worker) -> WorkerClient:
    """A client that reaches `workers` by host name, and nobody else."""

    def _route(question: httpx.Request) -> httpx.Response:
        worker = workers.get(question.url.host)
        if worker is not None and question.url.path == IDENTITY_PATH:
            return httpx.Response(200, json={"worker": worker.address})
        if worker is None or question.url.path != "/v1/quotary/results":
            return httpx.Response(404)
        return worker.answer(question)

    return WorkerClient(httpx.MockTransport(_route))


@dataclass
class Town:
    """A node, the oracle on it, and the accounts: 0 deploys, 1 asks, 2 relays, 3 competes."""

    node: AnvilNode
    chain: Chain
    oracle: Address
    gate: Address
    deployed_at: int
    nonce_before: int = 0
    asked: int = 0
    mines: bool = True
    requests: list[bytes] = field(default_factory=list)
    terms: list[RequestTerms] = field(default_factory=list)
    events: list[Progress] = field(default_factory=list)
    afterwards: ExitStack = field(default_factory=ExitStack)

    def ask(self, text: bytes = b"a question", lifetime: int = LIFETIME) -> JobKey:
        """Make a request, mined or (with automine off) pooled; returns the job's key."""
        self.asked += 1
        sender = self.sender(1)
        params, terms = question(
            sender.address, self.asked - 1, text, self.chain.head().timestamp + lifetime, FEE
        )
        self.terms.append(terms)
        call = interface("ResultOracle").encode_call("request", [params.words()])
        raw = sender.sign(sender.request(self.oracle, call, FEE)).raw
        self.requests.append(raw)
        digest = self.chain.send_raw(raw)
        while self.mines and self.chain.receipt(digest) is None:
            time.sleep(0.005)
        return self.key(self.asked)

    def ask_instead(self, text: bytes) -> JobKey:
        """After a reorg, make another request in the place of the first; returns its job's key."""
        self.asked = 0
        self.terms.clear()
        return self.ask(text)

    def key(self, number: int) -> JobKey:
        """The job of the oracle's n-th request."""
        return job_key(ChainId(self.chain.chain_id), self.oracle, self.request_id(number))

    def request_id(self, number: int) -> Bytes32:
        """The id of the oracle's n-th request (docs/formats.md, "Result")."""
        terms = self.terms[number - 1]
        return terms.request_id(ChainId(self.chain.chain_id), self.oracle)

    def sender(self, account: int) -> Sender:
        """A person at a prompt, with one of the funded accounts."""
        return Sender(self.chain, self.node.signers[account], timeout_seconds=300)

    def deliveries(self) -> list[bytes]:
        """The request ids of every fulfilment in the chain."""
        topic = interface("ResultOracle").event("RequestFulfilled").topic
        honest = self.node.chain
        logs: tuple[Log, ...] = honest.logs([self.oracle], 0, honest.head().number, [topic])
        return [log.topics[1] for log in logs]

    def automine(self, *, on: bool) -> None:
        """Mine every transaction at once, or only when told to."""
        self.mines = on
        self.chain.rpc("evm_setAutomine", [on])

    def quiet(self) -> None:
        """Wait until everything sent is mined: the node mines a moment after it answers."""
        while self.mines and self.chain.rpc("txpool_status")["pending"] != "0x0":
            time.sleep(0.005)

    def reorg(self, depth: int) -> None:
        """Replace the newest blocks by empty ones; their transactions are forgotten."""
        self.chain.rpc("anvil_reorg", [depth, []])

    def set_gate(self, code: str) -> None:
        """Change whom the oracle takes for active."""
        self.chain.rpc("anvil_setCode", [self.gate, code])


def settings_of(town: Town, **changes: float) -> RelayerSettings:
    """Settings for a chain whose blocks come when a test says so."""
    base = RelayerSettings(
        finality_depth=4, start_block=town.deployed_at, replace_after=2, patience_seconds=60.0
    )
    return replace(base, **changes)


def relayer_of(
    town: Town,
    store: Store,
    client: WorkerClient,
    *hosts: str,
    inputs: InputFolder | None = None,
    **changes: float,
) -> Relayer:
    """A relayer on the third account that asks the workers at `hosts`."""
    return Relayer(
        town.chain,
        town.oracle,
        store,
        town.node.signers[2],
        [Endpoint(f"http://{host}") for host in hosts or ("one",)],
        settings=settings_of(town, **changes),
        listener=town.events.append,
        client=client,
        holder="a test",
        inputs=inputs,
    )


def kinds(town: Town) -> list[ProgressKind]:
    """What was told so far, in order."""
    return [event.kind for event in town.events]


def transactions(town: Town, kind: ProgressKind) -> list[object]:
    """The hashes told with every event of a kind."""
    return [event.details["transaction"] for event in town.events if event.kind is kind]


def address(town: Town) -> Address:
    """The relayer's account."""
    return town.node.signers[RELAYER].address


def slot_of(town: Town, store: Store, number: int = 1) -> Slot:
    """The nonce that the n-th request holds."""
    job = store.job(town.key(number))
    assert job is not None
    assert job.slot is not None
    return store.slot(job.slot)


def require_all_final(town: Town, store: Store, requests: int = 1) -> None:
    """Every request answered once on the chain, every job final, every nonce accounted for."""
    expected = [town.request_id(number) for number in range(1, requests + 1)]
    assert sorted(town.deliveries()) == sorted(expected)
    for number in range(1, requests + 1):
        job = store.job(town.key(number))
        assert job is not None
        assert job.state is JobState.FINAL
    assert store.unresolved_slots(ChainId(town.chain.chain_id), address(town)) == ()


class OneByOne(Chain):
    """A node for tests that say, by `send_raw`, what becomes of every single transaction."""

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """Broadcast one after the other."""
        return [self._outcome(raw) for raw in raws]

    def _outcome(self, raw: bytes) -> BridgeError | None:
        try:
            self.send_raw(raw)
        except BridgeError as error:
            return error
        return None


class Narrow(Chain):
    """A node that answers about the logs of three blocks at a time."""

    def logs(
        self,
        addresses: Sequence[Address],
        from_block: int,
        to_block: int,
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> tuple[Log, ...]:
        """Answer, or refuse."""
        if to_block - from_block >= 3:
            raise RequestRefused(Reason.REQUEST_REFUSED, "block range too wide")
        return super().logs(addresses, from_block, to_block, topics)


def through(town: Town, kind: type[Chain]) -> Town:
    """Make everybody in town use another kind of node."""
    town.chain = kind(town.chain.web3, town.chain.chain_id)
    return town


def _word(text: str) -> Bytes32:
    return Bytes32(bytes.fromhex(text[2:]))


def _fields(result: Result) -> dict[str, bytes | int | str]:
    return {
        "requestId": result.request_id,
        "appId": result.app_id,
        "modelId": result.model_id,
        "weightsRoot": result.weights_root,
        "inputCommitment": result.input_commitment,
        "outputHash": result.output_hash,
        "decision": result.decision,
        "round": result.round,
        "keyEpoch": result.key_epoch,
        "policyVersion": result.policy_version,
        "worker": result.worker,
        "units": result.units,
        "nonce": str(result.nonce),
        "deadline": result.deadline,
    }


def _shown(value: bytes | int | str) -> str | int:
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def drive(relayer: Relayer, town: Town, cycles: int = 14) -> None:
    """Run cycles, one block apart, until no job can move any more."""
    for _ in range(cycles):
        if relayer.tick().idle:
            return
        town.node.mine()
