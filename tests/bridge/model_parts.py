"""A model that an oracle under test takes, admitted by a registry of its own."""

from __future__ import annotations

from hashlib import sha256

from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import Model, ModelRegistry
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.model import Address, Bytes32

__all__ = ["A_MODEL", "deploy_models"]

A_MODEL = Model(
    *(Bytes32(sha256(part).digest()) for part in (b"weights", b"tokenizer", b"config")),
    "a model",
    "https://example.org/licence",
)


def deploy_models(node: AnvilNode, gate: Address) -> Address:
    """Deploy a registry that admits `A_MODEL` and tells `gate` of changes; returns its address."""
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    log = _create(sender, "ChangeLog", 2)
    # A real registry of workers enrols itself; the gate is no more than a few bytes of code.
    for function in ("enrol", "enrolFollower"):
        _send_as(node, gate, log, interface("ChangeLog").encode_call(function, ()))
    governor = node.signers[0].address
    registry = _create(sender, "ModelRegistry", governor, node.signers[1].address, log)
    data = ModelRegistry(node.chain, registry).admit(A_MODEL)
    sender.send(sender.request(registry, data))
    return registry


def _create(sender: Sender, contract: str, *arguments: object) -> Address:
    creation = interface(contract).encode_creation(list(arguments))
    receipt = sender.send(sender.request(None, creation))
    if receipt.contract_address is None:
        raise RuntimeError(f"{contract} was not deployed")
    return Address(receipt.contract_address)


def _send_as(node: AnvilNode, account: Address, to: Address, data: bytes) -> None:
    chain = node.chain
    chain.rpc("anvil_setBalance", [account, hex(10**18)])
    chain.rpc("anvil_impersonateAccount", [account])
    sent = chain.rpc(
        "eth_sendTransaction", [{"from": account, "to": to, "data": f"0x{data.hex()}"}]
    )
    chain.rpc("anvil_stopImpersonatingAccount", [account])
    while (receipt := chain.receipt(bytes.fromhex(str(sent)[2:]))) is None:
        pass
    if not receipt.succeeded:
        raise RuntimeError(f"{account} was refused by {to}")
