"""
The one door to a chain.

Everything the bridge asks of a node goes through `Chain`, so that every request has a timeout,
every answer is parsed once, and every failure is one of `quotary_bridge.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from web3 import Web3

from quotary_bridge.chain.faults import ALREADY_KNOWN, classify
from quotary_bridge.chain.line import Line
from quotary_bridge.chain.questions import (
    TransactionRequest,
    call_of,
    hexadecimal,
    tag,
    topic_filter,
)
from quotary_bridge.chain.records import (
    Block,
    BlockTag,
    Log,
    Mined,
    Receipt,
    block_from,
    log_from,
    mined_from,
    receipt_from,
)
from quotary_bridge.chain.transactions import transaction_hash
from quotary_bridge.chain.transport import JsonRpcProvider
from quotary_bridge.chain.wire import Json, error_of
from quotary_bridge.errors import (
    BlockNotFound,
    BridgeError,
    ConfigurationError,
    ContractError,
    Reason,
    RequestRefused,
    RpcUnavailable,
)
from quotary_bridge.model import Address, Fees, Wei

__all__ = ["Chain", "TransactionRequest"]

DEFAULT_TIMEOUT_SECONDS = 15.0
# Room for the base fee to rise 12.5 % a block for six blocks before the transaction stalls.
BASE_FEE_HEADROOM = 2
# Where a node cannot suggest a tip: one gwei has been enough on every public chain for years.
FALLBACK_PRIORITY_FEE = 10**9


class Chain(Line):
    """
    A node of one chain.

    Safe to use from several threads. Nothing is asked before the first method is called; the node's
    chain id is compared before anything else and again by every `send_raw`.
    """

    @classmethod
    def connect(
        cls,
        url: str,
        expected_chain_id: int | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Chain:
        """
        Return the chain behind the RPC at `url`, after asking for its id.

        Raises `ConfigurationError` where `url` is none, `RpcUnavailable` where nobody answers,
        `WrongChain` where another chain does.
        """
        chain = cls.at(url, expected_chain_id, timeout_seconds)
        chain.check()
        return chain

    @classmethod
    def at(
        cls,
        url: str,
        expected_chain_id: int | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Chain:
        """Like `connect`, but ask nothing yet: the daemon starts before its node does."""
        if not _is_http(url):
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                "the RPC URL is not an http:// or https:// URL",
                "give one with --rpc-url or ETH_RPC_URL",
            )
        provider = JsonRpcProvider(url, timeout_seconds)
        return cls(Web3(provider), expected_chain_id)

    def __repr__(self) -> str:
        """Without the URL's path and credentials."""
        return f"Chain({self.endpoint}, chain id {self._expected})"

    def choose(self) -> None:
        """Choose the node to ask until the next choice; one node alone leaves none."""

    def set_aside(self) -> None:
        """Note that the node failed, or lags, so that another one is chosen, where there is one."""

    def doubts(self, number: int, digest: bytes) -> Mapping[str, str]:  # noqa: ARG002 (one node)
        """Return why other nodes do not confirm a block, by node; nothing where they do."""
        return {}

    def block(self, at: BlockTag = "latest") -> Block:
        """Return a block by number or tag; raises `BlockNotFound` where the node has none."""
        answer = self.rpc("eth_getBlockByNumber", [tag(at), False])
        if answer is None:
            raise BlockNotFound(Reason.BLOCK_NOT_FOUND, f"the node has no block {at}")
        return block_from(answer)

    def blocks(self, numbers: Sequence[int]) -> list[Block | None]:
        """Return many blocks, None where the node has no such block."""
        calls = [("eth_getBlockByNumber", [tag(number), False]) for number in numbers]
        return [
            None
            if answer is None or isinstance(answer, BlockNotFound)
            else block_from(_or_raise(answer))
            for answer in self.ask_many(calls)
        ]

    def block_hashes(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the hashes of many blocks, None where the node has no such block."""
        return [None if block is None else block.hash for block in self.blocks(numbers)]

    def head(self) -> Block:
        """Return the newest block the node knows."""
        return self.block("latest")

    def nonce(self, address: Address, at: BlockTag = "latest") -> int:
        """Return how many transactions of `address` are mined (or also pooled: "pending")."""
        return self._quantity("eth_getTransactionCount", [address, tag(at)])

    def balance(self, address: Address, at: BlockTag = "latest") -> int:
        """Return the balance of `address` in wei."""
        return self._quantity("eth_getBalance", [address, tag(at)])

    def code(self, address: Address, at: BlockTag = "latest") -> bytes:
        """Return the run-time code at `address`, empty where there is none."""
        return self._bytes("eth_getCode", [address, tag(at)])

    def logs(
        self,
        addresses: Sequence[Address],
        from_block: int,
        to_block: int,
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> tuple[Log, ...]:
        """
        Return the logs of `addresses` in the blocks from `from_block` to `to_block`, both included.

        Raises `RequestRefused` where the node finds the range too wide.
        """
        query = {
            "address": list(addresses),
            "fromBlock": tag(from_block),
            "toBlock": tag(to_block),
            "topics": [topic_filter(topic) for topic in topics],
        }
        return _logs(self.rpc("eth_getLogs", [query]))

    def logs_of(
        self,
        blocks: Sequence[bytes],
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[tuple[Log, ...] | BridgeError]:
        """
        Return the logs of `addresses` in each of many blocks, which are given by their hashes.

        What a node says that does not know a block, or does not answer for single blocks, stands,
        unraised, in its place.
        """
        wanted = [topic_filter(topic) for topic in topics]
        queries = [
            {"address": list(addresses), "blockHash": hexadecimal(digest), "topics": wanted}
            for digest in blocks
        ]
        answers = self.ask_many([("eth_getLogs", [query]) for query in queries])
        return [each if isinstance(each, BridgeError) else _logs(each) for each in answers]

    def all_logs(
        self,
        addresses: Sequence[Address],
        from_block: int,
        to_block: int,
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> tuple[Log, ...]:
        """Like `logs`, in as many questions as the node's limits ask for."""
        try:
            return self.logs(addresses, from_block, to_block, topics)
        except RequestRefused:
            if to_block <= from_block:
                raise
        middle = (from_block + to_block) // 2
        return (
            *self.all_logs(addresses, from_block, middle, topics),
            *self.all_logs(addresses, middle + 1, to_block, topics),
        )

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, or None while (or once again) the transaction is not mined."""
        return self.receipts([transaction_hash])[0]

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return the receipts of many transactions, in their order."""
        calls = [
            ("eth_getTransactionReceipt", [hexadecimal(digest)]) for digest in transaction_hashes
        ]
        answers = [_or_raise(answer) for answer in self.ask_many(calls)]
        return [None if answer is None else receipt_from(answer) for answer in answers]

    def mined(self, transaction_hashes: Sequence[bytes]) -> list[Mined | None]:
        """Like `receipts`, without all that only some need: costs, logs, contracts."""
        calls = [
            ("eth_getTransactionReceipt", [hexadecimal(digest)]) for digest in transaction_hashes
        ]
        answers = [_or_raise(answer) for answer in self.ask_many(calls)]
        return [None if answer is None else mined_from(answer) for answer in answers]

    def known(self, transaction_hashes: Sequence[bytes]) -> list[bool]:
        """Whether the node has each of the transactions, mined or in its pool."""
        calls = [
            ("eth_getTransactionByHash", [hexadecimal(digest)]) for digest in transaction_hashes
        ]
        return [_or_raise(answer) is not None for answer in self.ask_many(calls)]

    def knows(self, transaction_hash: bytes) -> bool:
        """Whether the node has the transaction, mined or in its pool."""
        return self.known([transaction_hash])[0]

    def send_raw(self, raw: bytes) -> bytes:
        """
        Broadcast signed bytes and return the transaction's hash.

        Idempotent: bytes the pool already has are a success. Raises `FeeTooLow`, `PoolFull`,
        `NonceAhead`, `InsufficientFunds` or `RpcUnavailable` (send the same bytes again later),
        `NonceUsed` (look for a receipt of every attempt), `TransactionRefused`.
        """
        self.check()
        return _sent(raw, self._wire.answer("eth_sendRawTransaction", [hexadecimal(raw)]))

    def send_many(self, raws: Sequence[bytes]) -> list[BridgeError | None]:
        """
        Broadcast signed bytes in order, in as few exchanges as it takes.

        Returns, for each, None where the pool has it now, or else (never raised) what `send_raw`
        would have raised. Raises `RpcUnavailable` where it is unknown which were taken.
        """
        self.check()
        calls = [("eth_sendRawTransaction", [hexadecimal(raw)]) for raw in raws]
        outcomes: list[BridgeError | None] = []
        for raw, answer in zip(raws, self._wire.answers(calls), strict=True):
            try:
                _sent(raw, answer)
            except BridgeError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        return outcomes

    def call(self, request: TransactionRequest, at: BlockTag = "latest") -> bytes:
        """
        Return what `request` would return if it were executed on top of block `at`.

        Raises `ContractError`, with the custom error decoded, where it reverts.
        """
        return self._bytes("eth_call", [call_of(request), tag(at)])

    def estimate_gas(self, request: TransactionRequest, at: BlockTag = "latest") -> int:
        """Return the gas that `request` needs; raises `ContractError` where it reverts."""
        return self._quantity("eth_estimateGas", [call_of(request), tag(at)])

    def calls(
        self, requests: Sequence[TransactionRequest], at: BlockTag
    ) -> list[bytes | ContractError]:
        """Like `call` for many; where one reverts, its `ContractError` stands in its place."""
        calls = [("eth_call", [call_of(request), tag(at)]) for request in requests]
        answers = [_or_reverted(answer) for answer in self.ask_many(calls)]
        return [
            answer if isinstance(answer, ContractError) else self._bytes_of("eth_call", answer)
            for answer in answers
        ]

    def estimates(
        self, requests: Sequence[TransactionRequest], at: BlockTag
    ) -> list[int | ContractError]:
        """Like `estimate_gas` for many; where one reverts, its `ContractError` stands there."""
        calls = [("eth_estimateGas", [call_of(request), tag(at)]) for request in requests]
        answers = [_or_reverted(answer) for answer in self.ask_many(calls)]
        return [
            answer
            if isinstance(answer, ContractError)
            else self._quantity_of("eth_estimateGas", answer)
            for answer in answers
        ]

    def simulate(self, request: TransactionRequest) -> int:
        """
        Execute `request` without sending it, and return the gas it needs.

        Raises `ContractError` where it reverts. The call goes first: nodes lose revert data of
        estimates more often than that of calls.
        """
        self.call(request, "latest")
        return self.estimate_gas(request, "latest")

    def fees(self) -> Fees:
        """Return EIP-1559 fees that get a transaction mined soon."""
        base = self.head().base_fee
        if base is None:
            price = self._quantity("eth_gasPrice", [])
            return Fees(max_fee=Wei(price), max_priority_fee=Wei(price))
        try:
            tip = self._quantity("eth_maxPriorityFeePerGas", [])
        except RequestRefused:
            tip = FALLBACK_PRIORITY_FEE
        return Fees(Wei(base * BASE_FEE_HEADROOM + tip), Wei(tip))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what finds out that it is none.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _logs(answer: Json) -> tuple[Log, ...]:
    if not isinstance(answer, list):
        raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent no list of logs")
    return tuple(log_from(entry) for entry in answer)


def _or_raise(answer: Json | BridgeError) -> Json:
    if isinstance(answer, BridgeError):
        raise answer
    return answer


def _or_reverted(answer: Json | BridgeError) -> Json | ContractError:
    return answer if isinstance(answer, ContractError) else _or_raise(answer)


def _sent(raw: bytes, answer: Mapping[str, Any]) -> bytes:
    expected = transaction_hash(raw)
    if "error" in answer:
        code, message, _ = error_of(answer)
        if not any(phrase in message.lower() for phrase in ALREADY_KNOWN):
            raise classify("eth_sendRawTransaction", code, message)
    elif answer.get("result") != hexadecimal(expected):
        raise RpcUnavailable(
            Reason.RPC_BROKEN_ANSWER, "the node confirmed another transaction than the one sent"
        )
    return expected
