"""Contracts put on a chain of our own, called and paid for as anybody would."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.interface import interface
from quotary_bridge.zk.groth16 import Groth16Key

__all__ = ["Contract", "deploy", "key_argument", "transact"]

GAS_LIMIT = 1 << 24
RECEIPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract by its exported ABI."""

    node: AnvilNode
    name: str
    address: str

    def call(self, function: str, *arguments: Any, gas: int = GAS_LIMIT) -> Any:
        """Ask, without a transaction; raises `ContractError` where it reverts."""
        data = interface(self.name).encode_call(function, arguments)
        request = {"to": self.address, "data": f"0x{data.hex()}", "gas": hex(gas)}
        answer = self.node.chain.rpc("eth_call", [request, "latest"])
        assert isinstance(answer, str)
        return interface(self.name).decode_result(function, bytes.fromhex(answer[2:]))

    def raw(self, signature: str, *arguments: Any) -> bytes:
        """Ask by a signature, where a name has several; the bytes of the answer."""
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = keccak(text=signature)[:4] + encode(types, arguments)
        request = {"to": self.address, "data": f"0x{data.hex()}", "gas": hex(GAS_LIMIT)}
        answer = self.node.chain.rpc("eth_call", [request, "latest"])
        assert isinstance(answer, str)
        return bytes.fromhex(answer[2:])

    def send(self, function: str, *arguments: Any, sender: int = 0) -> int:
        """Send, and return the gas of the transaction; raises `ContractError` as `call`."""
        data = interface(self.name).encode_call(function, arguments)
        return transact(self.node, {"to": self.address, "data": f"0x{data.hex()}"}, sender)[0]


def deploy(node: AnvilNode, name: str, *arguments: Any) -> Contract:
    """Create a contract; raises `ContractError` where its constructor reverts."""
    data = interface(name).encode_creation(arguments)
    _, address = transact(node, {"data": f"0x{data.hex()}"}, 0)
    return Contract(node, name, address)


def transact(node: AnvilNode, request: dict[str, str], sender: int) -> tuple[int, str]:
    """Return the gas a transaction used and the address it created, if any."""
    request = {**request, "from": node.signers[sender].address, "gas": hex(GAS_LIMIT)}
    node.chain.rpc("eth_call", [request, "latest"])
    hashed = node.chain.rpc("eth_sendTransaction", [request])
    deadline = time.monotonic() + RECEIPT_SECONDS
    while time.monotonic() < deadline:
        receipt = node.chain.rpc("eth_getTransactionReceipt", [hashed])
        if isinstance(receipt, dict):
            assert receipt["status"] == "0x1", receipt
            return int(receipt["gasUsed"], 16), str(receipt["contractAddress"])
        time.sleep(0.01)
    raise AssertionError(f"no receipt within {RECEIPT_SECONDS} seconds")


def key_argument(key: Groth16Key) -> tuple[Any, ...]:
    """A verification key as the constructors take it."""
    return astuple(key)
