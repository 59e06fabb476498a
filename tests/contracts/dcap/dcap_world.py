"""A local chain with the contracts of `contracts/src/dcap`, driven at the time of the evidence."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from eth_abi import decode
from eth_abi import encode as encode_values
from eth_utils.abi import collapse_if_tuple
from quotary import INTEL_ROOT, RawCollateral, TrustRoot
from quotary.collateral import TcbInfo
from quotary.quote import Quote
from quotary.x509 import split_pem
from web3 import Web3

__all__ = [
    "SENDER",
    "TRANSACTION_GAS",
    "Node",
    "Refused",
    "World",
    "artefacts",
    "compact_parts",
    "encode",
    "key_id",
    "running_node",
]

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ROOT / "contracts"
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
"""The first account of every Anvil chain, which is unlocked."""

TRANSACTION_GAS = 1 << 24
"""EIP-7825: no transaction may use more."""

_PATIENCE_SECONDS = 300
_ATTEMPTS = 3

_REFUSED = Web3.keccak(text="EvidenceRefused(bytes32)")[:4]


class Refused(Exception):  # noqa: N818  (what happened, not an error of the test)
    """A call reverted; `reason` is the catalogue's name where it said one."""

    def __init__(self, reason: str) -> None:
        """Refuse for `reason`."""
        super().__init__(reason)
        self.reason = reason


@cache
def artefacts() -> dict[str, Any]:
    """ABI and creation code of every contract, compiled from the sources as they are."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import compile as build  # noqa: PLC0415  (a script, not a package)

    found: dict[str, Any] = build.artefacts()
    return found


@cache
def _artefact(name: str) -> dict[str, Any]:
    """A contract of ours, or a harness: one of contracts/test/dcap, named like its file."""
    path = f"test/dcap/{name}.sol"
    if not (CONTRACTS / path).is_file():
        item: dict[str, Any] = artefacts()[name]
        return item
    sys.path.insert(0, str(ROOT / "scripts"))
    import solcx  # noqa: PLC0415  (only harnesses need it)
    from compile import COMPILER, standard_input  # noqa: PLC0415  (a script, not a package)

    given = standard_input()
    given["sources"] = {path: {"content": (CONTRACTS / path).read_text()}}
    output = solcx.compile_standard(
        given, solc_binary=COMPILER, base_path=CONTRACTS, allow_paths=ROOT
    )
    item = output["contracts"][path][name]
    return {"abi": item["abi"], "bytecode": "0x" + item["evm"]["bytecode"]["object"]}


@dataclass
class Node:
    """One Anvil node."""

    url: str
    _id: int = field(default=0, init=False)
    _link: HTTPConnection | None = field(default=None, init=False, repr=False)

    def ask(self, method: str, *params: object) -> Any:
        """One JSON-RPC call; raises `Refused` for an execution that reverts."""
        self._id += 1
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": list(params)}
        answer = self._post(json.dumps(body).encode())
        if "error" in answer:
            raise Refused(_reason(answer["error"]))
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _post(self, data: bytes) -> Any:
        # One connection for all questions: opening one costs as much as an answer.
        if self._link is None:
            self._link = HTTPConnection(self.url.removeprefix("http://"), timeout=300)
        try:
            self._link.request("POST", "/", data, {"content-type": "application/json"})
            return json.load(self._link.getresponse())
        except (OSError, HTTPException):
            self.close()
            raise

    def at(self, seconds: int) -> None:
        """Put the latest block at `seconds`, Unix time."""
        self.ask("evm_setNextBlockTimestamp", seconds)
        self.ask("evm_mine")

    def freeze(self, seconds: int) -> None:
        """Give all blocks from now on the time `seconds`, Unix time."""
        self.ask("anvil_setBlockTimestampInterval", 0)
        self.at(seconds)

    def deploy(self, name: str, *arguments: object) -> str:
        """Deploy a contract of ours; returns its address."""
        item = _artefact(name)
        constructors = [entry for entry in item["abi"] if entry["type"] == "constructor"]
        types = [collapse_if_tuple(it) for entry in constructors for it in entry["inputs"]]
        receipt = self.send(None, item["bytecode"] + encode_values(types, arguments).hex())
        return Web3.to_checksum_address(receipt["contractAddress"])

    def send(self, target: str | None, data: str) -> dict[str, Any]:
        """Send a transaction and return its receipt; raises `Refused` where it reverts."""
        transaction: dict[str, Any] = {"from": SENDER, "data": data, "gas": hex(TRANSACTION_GAS)}
        if target is not None:
            transaction["to"] = target
        receipt = self._mined(transaction)
        if receipt["status"] != "0x1":
            self.call(target, data)
            raise Refused("the transaction failed, and the call does not")
        return receipt

    def _mined(self, transaction: dict[str, Any]) -> dict[str, Any]:
        """
        The receipt of a transaction that is sent until it is mined.

        The node answers once it is, which spares it all questions (EIP-7966). Anvil loses one in
        thousands after `evm_revert`: it is neither in the pool nor in a block.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                receipt: dict[str, Any] = self.ask("eth_sendTransactionSync", transaction)
            except Refused:
                continue
            return receipt
        return self.receipt(self.ask("eth_sendTransaction", transaction))

    def receipt(self, digest: str) -> dict[str, Any]:
        """The receipt of a transaction that was sent; raises `TimeoutError`."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < patience:  # mined at once, reported a moment later
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", digest)
            if receipt is not None:
                return receipt
        raise TimeoutError(f"never mined: {digest}")

    def call(self, target: str | None, data: str) -> bytes:
        """Call a contract; raises `Refused` where it reverts."""
        transaction = {"from": SENDER, "to": target, "data": data, "gas": hex(TRANSACTION_GAS)}
        return bytes.fromhex(self.ask("eth_call", transaction, "latest")[2:])


def _reason(error: dict[str, Any]) -> str:
    data = error.get("data")
    if isinstance(data, str) and data.startswith("0x" + _REFUSED.hex()):
        (word,) = decode(["bytes32"], bytes.fromhex(data[10:]))
        return str(word.rstrip(b"\0").decode("ascii"))
    return f"{error.get('message')} {data}"


def encode(name: str, function: str, *arguments: object) -> str:
    """Calldata of a call; where a name is overloaded, `function` is the whole signature."""
    selector, types = _function(name, function)
    return f"0x{(selector + encode_values(types, arguments)).hex()}"


@cache
def _function(name: str, function: str) -> tuple[bytes, list[str]]:
    item = _artefact(name)
    for entry in item["abi"]:
        if entry["type"] == "function":
            types = [collapse_if_tuple(parameter) for parameter in entry["inputs"]]
            signature = f"{entry['name']}({','.join(types)})"
            if function in (entry["name"], signature):
                return bytes(Web3.keccak(text=signature)[:4]), types
    raise KeyError(function)


@contextmanager
def running_node(
    hardfork: str = "osaka", timestamp: int = 1_600_000_000, options: tuple[str, ...] = ()
) -> Iterator[Node]:
    """Run Anvil on a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(ROOT / "toolchain" / "anvil"),
        *("--port", str(port), "--hardfork", hardfork, "--timestamp", str(timestamp)),
        *("--host", "127.0.0.1", "--quiet", "--gas-limit", "60000000"),
        # The states of old blocks, which nobody asks for, would fill the disk: a gigabyte an hour.
        *("--prune-history", *options),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    node = Node(f"http://127.0.0.1:{port}")
    try:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                node.ask("eth_chainId")
                break
            except (OSError, HTTPException):
                if process.poll() is not None or time.monotonic() > patience:
                    raise
                time.sleep(0.05)
        yield node
    finally:
        node.close()
        process.terminate()
        process.wait(timeout=_PATIENCE_SECONDS)


@dataclass
class World:
    """A store and a verifier under one root, on one node."""

    node: Node
    store: str
    verifier: str

    @classmethod
    def deploy(cls, node: Node, root_der: bytes) -> World:
        """Deploy both, and what the store reads with."""
        parsers = node.deploy("DocumentParser"), node.deploy("RevocationListParser")
        store = node.deploy("CollateralStore", root_der, *parsers)
        return cls(node, store, node.deploy("DcapVerifier", store))

    def store_send(self, function: str, *arguments: object) -> dict[str, Any]:
        """A transaction to the store."""
        return self.node.send(self.store, encode("CollateralStore", function, *arguments))

    def store_call(self, function: str, *arguments: object) -> bytes:
        """A call of the store."""
        return self.node.call(self.store, encode("CollateralStore", function, *arguments))

    def push(self, raw: RawCollateral, root: TrustRoot = INTEL_ROOT) -> dict[str, dict[str, Any]]:
        """
        Bring every part of `raw`; returns the receipts by name.

        Chains arrive as PEM and are taken apart here; the contract knows the root already.
        """
        receipts = {"root_crl": self.store_send("putRevocationList", raw.root_ca_crl)}
        signers = []
        for item, chain in (
            ("tcb_signer", raw.tcb_info_issuer_chain),
            ("qe_signer", raw.qe_identity_issuer_chain),
            ("pck_ca", raw.pck_crl_issuer_chain),
        ):
            leaf, anchor = split_pem(chain, item, 2)
            root.require_pinned(anchor, item)
            signers.append(self.store_call("addCertificate", leaf))
            receipts[item] = self.store_send("addCertificate", leaf)
        receipts["pck_crl"] = self.store_send("putRevocationList", raw.pck_crl)
        receipts["tcb_info"] = self.store_send(
            "putTcbInfo", raw.tcb_info, raw.tcb_info_signature, signers[0]
        )
        receipts["qe_identity"] = self.store_send(
            "putQeIdentity", raw.qe_identity, raw.qe_identity_signature, signers[1]
        )
        return receipts

    def verifier_send(self, function: str, *arguments: object) -> dict[str, Any]:
        """A transaction to the verifier."""
        return self.node.send(self.verifier, encode("DcapVerifier", function, *arguments))

    def verifier_call(self, function: str, *arguments: object) -> bytes:
        """A call of the verifier: the journal, where it returns a verdict."""
        return self.node.call(self.verifier, encode("DcapVerifier", function, *arguments))

    def leaf_of(self, pem: bytes) -> tuple[bytes, int, bytes]:
        """The leaf of a PCK chain, the authority that issued it, and the name of the leaf."""
        leaf, authority, _ = split_pem(pem, "PCK chain", 3)
        answer = self.store_call("authorityOf", Web3.keccak(authority))
        return leaf, int.from_bytes(answer), bytes(Web3.keccak(leaf))

    def assemble(self, tee_type: int, raw: RawCollateral, authority: int) -> dict[str, Any]:
        """Put the collateral of one platform family together."""
        fmspc = int.from_bytes(TcbInfo.parse(raw.tcb_info).fmspc)
        return self.store_send("assemble", tee_type, fmspc, authority)


def key_id(quote: Quote) -> bytes:
    """The id of the attestation key of a raw quote."""
    return sha256(quote.attestation_key + quote.qe_auth_data).digest()


def compact_parts(quote: bytes) -> tuple[bytes, bytes, bytes]:
    """Compact quote, endorsement and PEM chain of a raw quote."""
    parsed = Quote.parse(quote)
    endorsement = (
        parsed.attestation_key
        + parsed.qe_report.data
        + parsed.qe_report_signature
        + parsed.qe_auth_data
    )
    return parsed.signed_bytes + parsed.signature, endorsement, parsed.certification_data
