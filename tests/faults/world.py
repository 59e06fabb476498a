"""A chain with an oracle on it, and people who ask and, where answers come by the batch, claim."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import solcx
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import ONE_WORKER, BatchOracle, ClaimedAnswer, RequestTerms
from quotary_bridge.chain.interface import Interface, interface, parse_interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.model import Address, Bytes32, Quorum
from quotary_bridge.workers import BATCH_TYPE_HASH

from tests.bridge.model_parts import deploy_models
from tests.bridge.relayer_town import EVERYTHING, OPEN_GATE, question
from tests.enclave.worker_parts import NOW

ROOT = Path(__file__).resolve().parent.parent.parent
GATE = "0x0000000000000000000000000000000000009a7e"
LIFETIME = 25 * 24 * 3600
"""Seconds: every block takes at least one of them, and a campaign mines many."""

FIRST_BLOCKS = 8
STATES_KEPT = 256
"""Far more than a reorg replaces, or a relayer asks back."""

BLOCK_HASHES = "0x0000F90827F1C53a10cb7A02335B175320002935"
"""
The contract of EIP-2935, into which every block writes the hash of the one before.

Anvil computes the root of its storage anew for every block: a microsecond for each one before.
"""

RESERVED_SECONDS = 600
"""Far longer than a request waits for a block that takes it, also on a machine that is slow."""

NOBODY = tuple(Address(f"0x{'dead' * 9}{number:04d}") for number in range(1, 8))
"""Workers that nobody has, in the order in which a request names them."""

REQUEST_FEE = 10**15
REQUEST_GAS = 400_000
REQUESTER, RELAYER, CLAIMANT, DEPLOYER = 1, 2, 3, 0
ACCOUNTS = (RELAYER, 4, 5)
"""Where two relayers deliver: the first one's two accounts, and the other's."""

# Whoever asks pays any base fee: what is tried out is the relayer's patience, not theirs.
_ANY_PRICE = {"maxFeePerGas": 5_000 * 10**9, "maxPriorityFeePerGas": 10**9}


class World:
    """
    One Anvil whose blocks come only on demand; `strict` oracles refuse a second delivery.

    Requests are for one worker, or for as many as `quorum` says; or, with `batches`, they are made
    at an oracle of batches.
    """

    def __init__(
        self,
        node: AnvilNode,
        *,
        strict: bool,
        quorum: Quorum = ONE_WORKER,
        batches: bool = False,
    ) -> None:
        """
        Deploy the oracle.

        `chain` is this process's line to the node: one that was forked from it needs its own.
        """
        self.node = node
        self.strict = strict
        self.quorum = quorum
        self.batches = batches
        self.chain = chain = node.chain
        self.chain_id = node.chain_id
        # Deriving ten accounts takes longer than a relayer's whole life here.
        self.signers = node.signers
        self.gate = Address(chain.web3.to_checksum_address(GATE))
        models = deploy_models(node, self.gate)
        chain.rpc("anvil_setCode", [GATE, OPEN_GATE])
        self.deployed_at = chain.head().number + 1
        self.results = self._deployed("ResultOracle", models)
        self.oracle = self._deployed("BatchOracle", models) if batches else self.results
        self.deadline = chain.head().timestamp + LIFETIME
        self.requests: list[bytes] = []
        self.claims: list[bytes] = []
        self.claimed: set[bytes] = set()
        self.terms: list[RequestTerms] = []
        chain.rpc("evm_setAutomine", [False])
        # Reorgs from the start on need blocks to replace.
        node.mine(FIRST_BLOCKS)

    @property
    def requester(self) -> Address:
        """Who asks."""
        return self.signers[REQUESTER].address

    @property
    def relayer(self) -> Address:
        """Whose nonces are at stake."""
        return self.signers[RELAYER].address

    @property
    def strangers(self) -> Mapping[Address, list[bytes]]:
        """Everybody's signed transactions but the relayer's, by nonce."""
        return {self.requester: self.requests, self.signers[CLAIMANT].address: self.claims}

    def _deployed(self, name: str, models: Address) -> Address:
        creation = interface(name).encode_creation([self.gate, models, *EVERYTHING])
        if not self.strict:
            creation = trusting_oracle().encode_creation([self.gate, models, BATCH_TYPE_HASH])
        sender = Sender(self.chain, self.signers[DEPLOYER], timeout_seconds=300)
        receipt = sender.send(sender.request(None, creation))
        if receipt.contract_address is None:
            raise RuntimeError("the oracle was not deployed")
        return Address(receipt.contract_address)

    def ask(self, *, of_nobody: bool = False) -> None:
        """
        Sign and send one more request; the chaos sends it again where it gets lost.

        One `of_nobody` names workers that there are not, and belongs to them for a while.
        """
        number = len(self.requests)
        text = b"question %d" % number
        params, terms = question(
            self.requester, number, text, self.deadline, REQUEST_FEE, quorum=self.quorum
        )
        if of_nobody:
            until = self.chain.head().timestamp + RESERVED_SECONDS
            params = replace(params, workers=NOBODY[: self.quorum.seats], reserved_until=until)
            terms = replace(terms, workers=params.workers, reserved_until=until)
        self.terms.append(terms)
        data = interface("ResultOracle").encode_call("request", [params.words()])
        self._send(self.chain, REQUESTER, self.requests, data, REQUEST_FEE)

    def claim(self, chain: Chain, answer: ClaimedAnswer) -> None:
        """Claim an answer of a batch as its requester may, once; lost ones are sent again, too."""
        request_id = answer.made.request_id(self.chain_id, self.oracle)
        if request_id not in self.claimed:
            self.claimed.add(request_id)
            data = BatchOracle(chain, self.oracle).claim(answer)
            self._send(chain, CLAIMANT, self.claims, data, 0)

    def _send(self, chain: Chain, who: int, sent: list[bytes], data: bytes, value: int) -> None:
        raw = self.signers[who].sign_transaction(
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": len(sent),
                "to": self.oracle,
                "data": data,
                "value": value,
                "gas": REQUEST_GAS,
                **_ANY_PRICE,
            }
        )
        sent.append(raw)
        chain.send_many([raw])

    def answers(self) -> list[bytes]:
        """The request id of every fulfilment or claim there is on the chain."""
        contract, event = ("ResultOracle", "RequestFulfilled")
        if self.batches:
            contract, event = ("BatchOracle", "ResultClaimed")
        topic = interface(contract).event(event).topic
        chain = self.chain
        return [log.topics[1] for log in chain.logs([self.oracle], 0, chain.head().number, [topic])]

    def request_id(self, number: int) -> Bytes32:
        """The id of the oracle's n-th request, from 1 on (docs/formats.md, "Result")."""
        return self.terms[number - 1].request_id(self.chain_id, self.oracle)


@contextmanager
def world(*, strict: bool, quorum: Quorum = ONE_WORKER, batches: bool = False) -> Iterator[World]:
    """
    Start a chain and deploy an oracle on it; one that grows long without growing slow.

    The worker of batches is a real one, and holds deadlines to its own clock.
    """
    with AnvilNode(states_kept=STATES_KEPT, timestamp=NOW if batches else None) as node:
        # Nothing here asks it.
        node.chain.rpc("anvil_setCode", [BLOCK_HASHES, "0x"])
        yield World(node, strict=strict, quorum=quorum, batches=batches)


@cache
def trusting_oracle() -> Interface:
    """Compile the oracle that refuses nothing."""
    if str(ROOT / "scripts") not in sys.path:
        sys.path.append(str(ROOT / "scripts"))
    import compile as build  # noqa: PLC0415 (found through the line above)

    asked = build.standard_input()
    own = "tests/TrustingOracle.sol"
    asked["sources"] = {
        own: {"content": Path(__file__).with_name("TrustingOracle.sol").read_text()}
    }
    asked["settings"]["outputSelection"] = {own: {"*": ["abi", "evm.bytecode.object"]}}
    output = solcx.compile_standard(
        asked, solc_binary=build.COMPILER, base_path=build.CONTRACTS, allow_paths=build.ROOT
    )
    artefact = output["contracts"][own]["TrustingOracle"]
    code = artefact["evm"]["bytecode"]["object"]
    return parse_interface("TrustingOracle", {"abi": artefact["abi"], "bytecode": code})
