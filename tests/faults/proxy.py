"""
A node as bad as real ones: between the relayer and Anvil, on the loopback.

Anvil is kinder than the clients people run: it takes a replacement for 0.3 % more. So the proxy
keeps their rule (10 % on both fees, or `replacement transaction underpriced`), in their words, and
misbehaves besides: it drops questions, drops answers to questions that were carried out, asks
twice, waits, waits for longer than anybody listens, fails, cuts answers short, answers other
questions, lags, names another chain, forges receipts, denies transactions and logs it has, has
another node answer that is behind, refuses what it understands, and says what is no answer at all.
Its pool is full, or full for this account, or takes no nonce whose predecessor it has not. All by a
seed; each method may have its own odds, which a test may change.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from tests.faults.odds import ACCOUNT_FULL, FULL, GAPPED, REFUSALS, UNDERPRICED, Manners, Odds

FORGED = f"0x{'f0' * 32}"
MINIMUM_RAISE_PERCENT = 110
WRONG_CHAIN = 1
SPARED = 6
"""What may go wrong and never did goes wrong at this occasion, whatever its odds."""

SEND = "eth_sendRawTransaction"

LONGEST_NUMBER = 40
"""In characters: what is longer is bytes."""

CONTROL = "proxy_control"
"""
A method the proxy answers itself: what went wrong so far, and how often.

With a method and odds as parameters, they are that method's from now on.
"""

CONNECTIONS = "proxy_connections"
"""Another: when each client came, by the monotonic clock of this machine."""


class _HungUpError(Exception):
    """The connection ends here, as if the node had gone."""


class _Proxy:
    """What runs in the proxy's own process."""

    def __init__(self, upstream: str, manners: Manners) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._manners = manners
        self._changed: dict[str, Odds] = {}
        self._chance = random.Random(manners.seed)
        self._pooled: dict[tuple[str, int], tuple[int, int, str]] = {}
        self._used: dict[str, int] = {}
        self._done: Counter[str] = Counter()
        self._spared: Counter[str] = Counter()
        self._came: list[float] = []
        self._lied_about: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it, or the proxy's mood, hangs up."""
        self._came.append(time.monotonic())
        upstream = await asyncio.open_connection(self._host, self._port)
        try:
            while (body := await _read(reader)) is not None:
                writer.write(await self._answer(json.loads(body[1]), upstream))
                await writer.drain()
        except (_HungUpError, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            upstream[1].close()

    async def _answer(self, asked: Any, upstream: Any) -> bytes:
        first = asked[0] if isinstance(asked, list) else asked
        if first["method"] in (CONTROL, CONNECTIONS):
            return _http(200, {**_head(first), "result": self._own(first)})
        odds = self._changed.get(first["method"]) or self._manners.of(first["method"])
        if self._happens("drop_question", odds.drop_question):
            raise _HungUpError
        await self._wait(odds)
        for name, status in (("server_error", 500), ("rate_limit", 429)):
            if self._happens(name, getattr(odds, name)):
                return _http(status, {"error": "try again later"})
        if self._happens("ask_twice", odds.ask_twice):
            await self._forward(asked, upstream)
        many = asked if isinstance(asked, list) else [asked]
        if _asks_for_the_head(many[0]) and self._happens("stale_head", odds.stale_head):
            many = [await self._asked_late(many[0], upstream)]
        answers = await self._answers(many, odds, upstream)
        if self._happens("drop_answer", odds.drop_answer):
            raise _HungUpError
        said = [self._twisted(*pair, odds) for pair in zip(many, answers, strict=True)]
        self._garble(said, odds)
        whole = _http(200, said if isinstance(asked, list) else said[0])
        if self._happens("cut_short", odds.cut_short):
            head, _, content = whole.partition(b"\r\n\r\n")
            return _framed(200, content[: len(content) // 2]) if head else whole
        return whole

    def _own(self, asked: Mapping[str, Any]) -> Any:
        if asked["method"] == CONNECTIONS:
            return self._came[:-1]
        self._change(*asked["params"])
        return dict(self._done)

    async def _wait(self, odds: Odds) -> None:
        if self._happens("delay", odds.delay):
            await asyncio.sleep(self._chance.random() * odds.seconds)
        if self._happens("hangs", odds.hangs):
            await asyncio.sleep(odds.hang_seconds)

    async def _asked_late(self, question: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """The question for the head as a node answers it that is some blocks behind."""
        head = await self._head_of(question, upstream)
        behind = max(0, head - self._chance.randint(1, self._manners.lag))
        return {**question, "params": [hex(behind), False]}

    async def _answers(self, many: list[Any], odds: Odds, upstream: Any) -> list[dict[str, Any]]:
        """What the node says, or one that takes no such question, or one that is behind."""
        if self._happens("refused", odds.refused):
            code, message = self._chance.choice(REFUSALS)
            return [{**_head(q), "error": {"code": code, "message": message}} for q in many]
        answers = await self._forward(many, upstream)
        if not _asks_for_logs(many[0]) or not self._happens("stale_logs", odds.stale_logs):
            return answers
        newest = await self._head_of(many[0], upstream) - self._manners.lag
        return [
            await self._of_older(question, answer, newest, upstream)
            for question, answer in zip(many, answers, strict=True)
        ]

    async def _of_older(
        self, question: Mapping[str, Any], answer: dict[str, Any], newest: int, upstream: Any
    ) -> dict[str, Any]:
        """An answer about logs as a node gives it that knows no block above `newest`."""
        digest = question["params"][0].get("blockHash")
        if digest is None or "error" in answer:
            return _without_newer(answer, newest)
        asked = {**question, "method": "eth_getBlockByHash", "params": [digest, False]}
        block = (await self._forward([asked], upstream))[0]["result"]
        if int(block["number"], 16) <= newest:
            return answer
        return {**_head(question), "error": {"code": -32000, "message": "unknown block"}}

    async def _head_of(self, question: Mapping[str, Any], upstream: Any) -> int:
        asked = {**question, "method": "eth_blockNumber", "params": []}
        return int((await self._forward([asked], upstream))[0]["result"], 16)

    def _change(self, method: str | None = None, odds: Mapping[str, float] | None = None) -> None:
        if method is not None:
            self._changed[method] = Odds(**(odds or {}))

    async def _forward(self, asked: Any, upstream: Any) -> list[dict[str, Any]]:
        """Ask the node what the pool's rules allow, and refuse the rest in its place."""
        many = asked if isinstance(asked, list) else [asked]
        if many[0]["method"] == SEND and self._manners.of(SEND).nonce_gap:
            await self._count(many[0], upstream)
        refusals = {index: self._refusal(question) for index, question in enumerate(many)}
        allowed = [q for index, q in enumerate(many) if refusals[index] is None]
        reader, writer = upstream
        answers: list[dict[str, Any]] = []
        if allowed:
            content = json.dumps(allowed).encode()
            writer.write(
                b"POST / HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(content) + content
            )
            await writer.drain()
            found = await _read(reader)
            if found is None:
                raise _HungUpError
            answers = json.loads(found[1])
        turn = iter(answers)
        return [
            next(turn) if refusals[index] is None else {**_head(question), **refusals[index]}
            for index, question in enumerate(many)
        ]

    async def _count(self, question: Mapping[str, Any], upstream: Any) -> None:
        """Learn how many nonces of the sender are used: those need not have come through here."""
        sender, _, _ = _offer(question["params"][0])
        asked = {**question, "method": "eth_getTransactionCount", "params": [sender, "latest"]}
        self._used[sender] = int((await self._forward([asked], upstream))[0]["result"], 16)

    def _refusal(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a strict pool says to a transaction that it does not take."""
        if question["method"] != SEND:
            return None
        raw = question["params"][0]
        sender, nonce, fees = _offer(raw)
        words = self._mood(question["method"]) or self._rule(sender, nonce, fees, raw)
        if words is None:
            self._pooled[sender, nonce] = (*fees, raw)
            return None
        return {"error": {"code": -32000, "message": self._chance.choice(words)}}

    def _mood(self, method: str) -> tuple[str, ...] | None:
        odds = self._manners.of(method)
        if self._happens("pool_full", odds.pool_full):
            return FULL
        return ACCOUNT_FULL if self._happens("account_full", odds.account_full) else None

    def _rule(
        self, sender: str, nonce: int, fees: tuple[int, int], raw: str
    ) -> tuple[str, ...] | None:
        odds = self._manners.of(SEND)
        before = self._pooled.get((sender, nonce))
        if before is not None and before[2] != raw:
            enough = all(
                new * 100 >= old * MINIMUM_RAISE_PERCENT
                for new, old in zip(fees, before, strict=False)
            )
            self._done["underpriced"] += not enough
            return None if enough else UNDERPRICED
        gapped = nonce > self._used.get(sender, nonce) and (sender, nonce - 1) not in self._pooled
        if not (odds.nonce_gap and gapped):
            return None
        self._done["nonce_gap"] += 1
        return GAPPED

    def _twisted(
        self, question: Mapping[str, Any], answer: dict[str, Any], odds: Odds
    ) -> dict[str, Any]:
        method, result = question["method"], answer.get("result")
        if self._happens("wrong_id", odds.wrong_id):
            answer = {**answer, "id": 10**9}
        if _asks_for_logs(question) and self._happens("no_logs", odds.no_logs):
            answer = {**_head(question), "result": []}
        if method == "eth_chainId" and self._happens("wrong_chain", odds.wrong_chain):
            answer = {**answer, "result": hex(WRONG_CHAIN)}
        if method == "eth_getTransactionReceipt" and isinstance(result, dict):
            answer = {**answer, "result": self._receipt(result, odds)}
        if method == "eth_getTransactionByHash" and self._happens("denied", odds.denied):
            answer = {**answer, "result": None}
        return answer

    def _receipt(self, told: dict[str, Any], odds: Odds) -> dict[str, Any] | None:
        """A receipt as it is, forged, or denied; of each one's end it lies once at most."""
        if self._happens("denied", odds.denied):
            return None
        if self._happens("forged_receipt", odds.forged_receipt):
            return {**told, "blockHash": FORGED}
        if self._happens("forged_number", odds.forged_number):
            number = int(told["blockNumber"], 16) + self._chance.choice((-1, 1, 2))
            return {**told, "blockNumber": hex(number)}
        digest = told["transactionHash"]
        if digest not in self._lied_about and self._happens("forged_status", odds.forged_status):
            self._lied_about.add(digest)
            return {**told, "status": "0x0" if told["status"] == "0x1" else "0x1"}
        return told

    def _garble(self, said: list[dict[str, Any]], odds: Odds) -> None:
        """Break one answer of an exchange."""
        place = self._chance.randrange(len(said))
        if "result" in said[place] and self._happens("garbled", odds.garbled):
            broken = _garbled(said[place]["result"], self._chance)
            said[place] = {**said[place], "result": broken}

    def _happens(self, name: str, chance: float) -> bool:
        if chance <= 0:
            return False
        self._spared[name] += 1
        # How many exchanges there are depends on the machine; that each fault occurs must not.
        due = name not in self._done and self._spared[name] >= SPARED
        happens = self._chance.random() < chance or due
        if happens:
            self._done[name] += 1
        return happens


def _asks_for_the_head(question: Mapping[str, Any]) -> bool:
    return bool(question["method"] == "eth_getBlockByNumber" and question["params"][0] == "latest")


def _asks_for_logs(question: Mapping[str, Any]) -> bool:
    return bool(question["method"] == "eth_getLogs")


def _without_newer(answer: dict[str, Any], newest: int) -> dict[str, Any]:
    """An answer about logs as a node gives it that knows no block above `newest`."""
    if "error" in answer:
        return answer
    known = [log for log in answer["result"] if int(log["blockNumber"], 16) <= newest]
    return {**answer, "result": known}


def _garbled(said: Any, chance: random.Random) -> Any:
    """An answer of the wrong shape: a part is missing, of another type, cut, or there twice."""
    if isinstance(said, dict) and said and chance.random() < 0.9:
        name = chance.choice(list(said))
        part = _garbled(said[name], chance)
        return {key: part if key == name else said[key] for key in said if key != name or part}
    if isinstance(said, list) and said and chance.random() < 0.9:
        place = chance.randrange(len(said))
        if chance.random() < 0.5:
            return [*said, said[place]]
        return [*said[:place], _garbled(said[place], chance), *said[place + 1 :]]
    # A number that is cut is another number, and that would be a lie.
    cut = said[:-1] if isinstance(said, str) and len(said) > LONGEST_NUMBER else "x"
    odd = (None, {}, [], "", "0x", "0xzz", 5, -1, True, cut)
    return chance.choice(odd)


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return head, await reader.readexactly(lengths[0])


def _http(status: int, content: object) -> bytes:
    return _framed(status, json.dumps(content).encode())


def _framed(status: int, content: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (status, len(content))
        + content
    )


def _head(question: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": question["id"]}


def _offer(raw: str) -> tuple[str, int, tuple[int, int]]:
    """Who sends, under which nonce, for which fees."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    fees = int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])
    return Account.recover_transaction(raw), int(fields["nonce"]), fees


def _run(upstream: str, manners: Manners, port: Any) -> None:
    async def _serve() -> None:
        server = await asyncio.start_server(
            _Proxy(upstream, manners).serve, "127.0.0.1", 0, limit=1 << 24
        )
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(_serve())


def behave(url: str, method: str, **odds: float) -> None:
    """Give a method of the proxy at `url` other odds from now on; with none it is honest."""
    question = {"jsonrpc": "2.0", "id": 1, "method": CONTROL, "params": [method, odds]}
    requests.post(url, json=question, timeout=300).raise_for_status()


@contextmanager
def proxied(upstream: str, manners: Manners) -> Iterator[str]:
    """Run a proxy in front of `upstream` in a process of its own; yields its URL."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(upstream, manners, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()
