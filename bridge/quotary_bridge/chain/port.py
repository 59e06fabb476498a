"""
The one door to a chain.

Everything the bridge asks of a node goes through `Chain`, so that every request has a timeout,
every answer is parsed once, and every failure is one of `quotary_bridge.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from eth_typing import URI
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from quotary_bridge.chain.faults import ALREADY_KNOWN, classify
from quotary_bridge.chain.records import (
    Block,
    BlockTag,
    Log,
    Receipt,
    block_from,
    log_from,
    quantity,
    receipt_from,
)
from quotary_bridge.chain.reverts import decode_revert, revert_data
from quotary_bridge.errors import (
    BlockNotFound,
    ConfigurationError,
    Reason,
    RequestRefused,
    RpcUnavailable,
    WrongChain,
)
from quotary_bridge.model import Address, Fees, Wei

__all__ = ["Chain", "TransactionRequest"]

DEFAULT_TIMEOUT_SECONDS = 15.0
Json = Any
"""What JSON-RPC answers: its shape is known only after it was parsed."""

# A stuck proxy must not hold a cycle: connecting is quick or it is hopeless.
CONNECT_TIMEOUT_SECONDS = 5.0
# Room for the base fee to rise 12.5 % a block for six blocks before the transaction stalls.
BASE_FEE_HEADROOM = 2
# Where a node cannot suggest a tip: one gwei has been enough on every public chain for years.
FALLBACK_PRIORITY_FEE = 10**9


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """A call or transaction not yet signed; `to` is None for a contract creation."""

    sender: Address
    to: Address | None
    data: bytes = b""
    value: int = 0


class Chain:
    """
    A node of one chain.

    Safe to use from several threads. Nothing is asked before the first method is called; the node's
    chain id is compared before anything else and again by every `send_raw`.
    """

    def __init__(self, web3: Web3, expected_chain_id: int | None = None) -> None:
        """Use a Web3 object of the caller's; timeouts are then the caller's too."""
        self._web3 = web3
        self._expected = expected_chain_id
        self._checked = False

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
        connect_seconds = min(CONNECT_TIMEOUT_SECONDS, timeout_seconds)
        provider = HTTPProvider(
            URI(url),
            request_kwargs={
                "timeout": (connect_seconds, timeout_seconds),
                # A signed transaction goes to the address given, and nowhere else.
                "allow_redirects": False,
                **_proxies(url),
            },
            # Retrying is the caller's decision: it knows which step is safe to repeat.
            exception_retry_configuration=None,
        )
        return cls(Web3(provider), expected_chain_id)

    def __repr__(self) -> str:
        """Without the URL's path and credentials."""
        return f"Chain({self.endpoint}, chain id {self._expected})"

    @property
    def web3(self) -> Web3:
        """The Web3 object beneath, for what this port does not offer."""
        return self._web3

    @property
    def endpoint(self) -> str:
        """Scheme, host and port of the node: paths and credentials of RPC URLs are secrets."""
        parts = urlsplit(str(getattr(self._web3.provider, "endpoint_uri", "")))
        return (
            f"{parts.scheme}://{parts.hostname}:{parts.port}"
            if parts.port
            else (f"{parts.scheme}://{parts.hostname}")
        )

    @property
    def chain_id(self) -> int:
        """The chain's id: the expected one, or what the node said when it was first asked."""
        if self._expected is None:
            self.check()
        return cast(int, self._expected)

    def check(self) -> None:
        """Ask the node for its chain id; raises `WrongChain` where it is not the expected one."""
        found = quantity(self._request("eth_chainId"))
        if self._expected is None:
            self._expected = found
        if found != self._expected:
            raise WrongChain(
                Reason.WRONG_CHAIN,
                f"{self.endpoint} serves chain {found}, not {self._expected}",
                "correct --rpc-url or --chain-id",
            )
        self._checked = True

    def block(self, at: BlockTag = "latest") -> Block:
        """Return a block by number or tag; raises `BlockNotFound` where the node has none."""
        answer = self.rpc("eth_getBlockByNumber", [_tag(at), False])
        if answer is None:
            raise BlockNotFound(Reason.BLOCK_NOT_FOUND, f"the node has no block {at}")
        return block_from(answer)

    def head(self) -> Block:
        """Return the newest block the node knows."""
        return self.block("latest")

    def nonce(self, address: Address, at: BlockTag = "latest") -> int:
        """Return how many transactions of `address` are mined (or also pooled: "pending")."""
        return self._quantity("eth_getTransactionCount", [address, _tag(at)])

    def balance(self, address: Address, at: BlockTag = "latest") -> int:
        """Return the balance of `address` in wei."""
        return self._quantity("eth_getBalance", [address, _tag(at)])

    def code(self, address: Address, at: BlockTag = "latest") -> bytes:
        """Return the run-time code at `address`, empty where there is none."""
        return self._bytes("eth_getCode", [address, _tag(at)])

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
            "fromBlock": _tag(from_block),
            "toBlock": _tag(to_block),
            "topics": [_topic(topic) for topic in topics],
        }
        answer = self.rpc("eth_getLogs", [query])
        if not isinstance(answer, list):
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent no list of logs")
        return tuple(log_from(entry) for entry in answer)

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
        answer = self.rpc("eth_getTransactionReceipt", [_hex(transaction_hash)])
        return None if answer is None else receipt_from(answer)

    def knows(self, transaction_hash: bytes) -> bool:
        """Whether the node has the transaction, mined or in its pool."""
        return self.rpc("eth_getTransactionByHash", [_hex(transaction_hash)]) is not None

    def send_raw(self, raw: bytes) -> bytes:
        """
        Broadcast signed bytes and return the transaction's hash.

        Idempotent: bytes the pool already has are a success. Raises `FeeTooLow`, `PoolFull`,
        `NonceAhead`, `InsufficientFunds` or `RpcUnavailable` (send the same bytes again later),
        `NonceUsed` (look for a receipt of every attempt), `TransactionRefused`.
        """
        expected = bytes(Web3.keccak(raw))
        self.check()
        answer = self._exchange("eth_sendRawTransaction", [_hex(raw)])
        if "error" in answer:
            code, message, _ = _error_of(answer)
            if not any(phrase in message.lower() for phrase in ALREADY_KNOWN):
                raise classify("eth_sendRawTransaction", code, message)
        elif answer.get("result") != _hex(expected):
            raise RpcUnavailable(
                Reason.RPC_BROKEN_ANSWER, "the node confirmed another transaction than the one sent"
            )
        return expected

    def call(self, request: TransactionRequest, at: BlockTag = "latest") -> bytes:
        """
        Return what `request` would return if it were executed on top of block `at`.

        Raises `ContractError`, with the custom error decoded, where it reverts.
        """
        return self._bytes("eth_call", [_call_of(request), _tag(at)])

    def estimate_gas(self, request: TransactionRequest, at: BlockTag = "latest") -> int:
        """Return the gas that `request` needs; raises `ContractError` where it reverts."""
        return self._quantity("eth_estimateGas", [_call_of(request), _tag(at)])

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

    def rpc(self, method: str, parameters: Sequence[Any] = ()) -> Json:
        """Ask the node for anything; raises the errors of this package, never another's."""
        if not self._checked and method != "eth_chainId":
            self.check()
        return self._request(method, parameters)

    def _request(self, method: str, parameters: Sequence[Any] = ()) -> Json:
        answer = self._exchange(method, parameters)
        if "error" not in answer:
            return answer["result"]
        code, message, data = _error_of(answer)
        reverted = revert_data(code, message, data)
        if reverted is not None and method in ("eth_call", "eth_estimateGas"):
            raise decode_revert(reverted)
        raise classify(method, code, message)

    def _exchange(self, method: str, parameters: Sequence[Any]) -> Mapping[str, Any]:
        try:
            answer: Any = self._web3.provider.make_request(RPCEndpoint(method), list(parameters))
        except requests.Timeout:
            raise RpcUnavailable(
                Reason.RPC_TIMEOUT, f"{self.endpoint} did not answer {method} in time"
            ) from None
        except requests.HTTPError as error:
            raise self._http_error(method, error) from None
        except requests.ConnectionError:
            # The cause names the whole URL, which may hold an access key: it is not kept.
            raise RpcUnavailable(
                Reason.RPC_UNREACHABLE,
                f"nobody answers at {self.endpoint}",
                "start the node, or correct --rpc-url or ETH_RPC_URL",
            ) from None
        except (requests.RequestException, ValueError, TypeError, RecursionError):
            raise self._broken(method) from None
        if not isinstance(answer, Mapping) or ("result" in answer) == ("error" in answer):
            raise self._broken(method)
        return answer

    def _http_error(self, method: str, error: requests.HTTPError) -> RpcUnavailable:
        status = error.response.status_code if error.response is not None else 0
        limited = status == requests.codes.too_many_requests
        return RpcUnavailable(
            Reason.RPC_RATE_LIMITED if limited else Reason.RPC_INTERNAL,
            f"{self.endpoint} answered {method} with HTTP status {status}",
            "" if limited else "check the access key and path of the RPC URL",
        )

    def _broken(self, method: str) -> RpcUnavailable:
        return RpcUnavailable(
            Reason.RPC_BROKEN_ANSWER, f"{self.endpoint} answered {method} with no JSON-RPC"
        )

    def _quantity(self, method: str, parameters: Sequence[Any]) -> int:
        answer = self.rpc(method, parameters)
        try:
            return quantity(answer)
        except (ValueError, TypeError):
            raise self._broken(method) from None

    def _bytes(self, method: str, parameters: Sequence[Any]) -> bytes:
        answer = self.rpc(method, parameters)
        try:
            return bytes.fromhex(answer.removeprefix("0x"))
        except (ValueError, AttributeError, TypeError):
            raise self._broken(method) from None


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what finds out that it is none.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _proxies(url: str) -> dict[str, Any]:
    """A proxy that the environment names cannot reach our own loopback, so it is not asked to."""
    if urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost"):
        return {"proxies": {"http": None, "https": None, "all": None}}
    return {}


def _error_of(answer: Mapping[str, Any]) -> tuple[int, str, object]:
    error = answer["error"]
    if not isinstance(error, Mapping):
        return 0, str(error), None
    code = error.get("code")
    return (code if isinstance(code, int) else 0), str(error.get("message", "")), error.get("data")


def _call_of(request: TransactionRequest) -> dict[str, str]:
    call = {"from": request.sender, "data": _hex(request.data), "value": hex(request.value)}
    return call if request.to is None else {**call, "to": request.to}


def _tag(at: BlockTag) -> str:
    return hex(at) if isinstance(at, int) else at


def _topic(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if topic is None:
        return None
    return _hex(topic) if isinstance(topic, bytes) else [_hex(choice) for choice in topic]


def _hex(raw: bytes) -> str:
    return f"0x{raw.hex()}"
