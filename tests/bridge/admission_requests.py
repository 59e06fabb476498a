"""Requests, results, refunds and withdrawals of a random history."""

from __future__ import annotations

from dataclasses import astuple
from hashlib import sha256
from typing import TYPE_CHECKING

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from quotary_bridge.chain.contracts import (
    Model,
    ModelRegistry,
    ModelStatus,
    Payment,
    RequestParams,
    RequestTerms,
    ResultOracle,
)
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Address, Bytes32, ChainId, Result, Timestamp
from quotary_bridge.workers import result_digest

if TYPE_CHECKING:
    from tests.bridge.admission_world import AdmissionWorld

__all__ = ["MODEL", "Customers", "address_of_worker", "key_of_worker"]

MODEL = Model(*(Bytes32(bytes([9]) * 32),) * 3, "the requests' model", "a licence")
_CUSTOMERS = (6, 7, 8)
_OUTPUT = b"an answer"


def key_of_worker(number: int) -> bytes:
    """The key of worker `number`, which it signs results with."""
    return keccak(text=f"worker {number}")


class Customers:
    """They ask for ether; workers answer, or deadlines pass; and all take what they are owed."""

    contract = "ResultOracle"

    def __init__(self, world: AdmissionWorld) -> None:
        """Nothing was asked yet."""
        self.world = world
        self.oracle = ResultOracle(world.chain, world.record.address("ResultOracle"))
        self.address = world.record.address(self.contract)
        self.open: list[tuple[RequestTerms, bytes]] = []
        self.nonce = 0

    def ask(self, app: Bytes32) -> bool:
        """Ask a worker of an app; the model is admitted."""
        world, dice = self.world, self.world.random
        models = ModelRegistry(world.chain, world.record.address("ModelRegistry"))
        if models.status_of(MODEL.id) is ModelStatus.UNKNOWN:
            world.govern("ModelRegistry", "admit", astuple(MODEL))
        who = dice.choice(_CUSTOMERS)
        text, fee = dice.randbytes(16), dice.randrange(10**12, 10**15)
        deadline = world.now + dice.choice([600, 7200])
        unit_fee = dice.choice([0, 10**10])
        params = RequestParams(
            app, MODEL.id, text, 0, deadline, Payment(fee, unit_fee=unit_fee, base_fee=unit_fee)
        )
        done = world.transact(who, self.address, self.oracle.request(params), fee)
        if done:
            self.open.append((self._told(), text))
        return done

    def answer(self, workers: list[tuple[int, Address]]) -> bool:
        """Have a worker answer what is open, in time or not."""
        if not self.open or not workers:
            return False
        world, dice = self.world, self.world.random
        made, text = dice.choice(self.open)
        number, worker = dice.choice(workers)
        self.nonce += 1
        result = Result(
            request_id=made.request_id(ChainId(world.node.chain_id), self.oracle.address),
            app_id=made.app_id,
            model_id=MODEL.id,
            weights_root=MODEL.weights_root,
            input_commitment=Bytes32(sha256(text).digest()),
            output_hash=Bytes32(sha256(_OUTPUT).digest()),
            decision=Bytes32(sha256(_OUTPUT).digest()),
            round=Bytes32(bytes(32)),
            key_epoch=0,
            policy_version=0,
            worker=worker,
            units=dice.randrange(1, 100),
            nonce=self.nonce,
            deadline=Timestamp(made.deadline),
        )
        digest = result_digest(result, ChainId(world.node.chain_id), self.oracle.address)
        signature = bytes(Account.unsafe_sign_hash(digest, key_of_worker(number)).signature)
        data = self.oracle.fulfill(made, result, _OUTPUT, signature)
        done = world.transact(dice.choice(_CUSTOMERS), self.oracle.address, data)
        if done:
            self.open.remove((made, text))
        return done

    def refund(self) -> bool:
        """Refund what nobody answered in time."""
        due = [item for item in self.open if item[0].deadline < self.world.now]
        if not due:
            return False
        done = self.world.transact(9, self.address, self.oracle.refund(due[0][0]))
        self.open.remove(due[0])
        return done

    def withdraw(self) -> bool:
        """Take out what an operator or a customer is owed."""
        account = self.world.random.randrange(5, 9)
        to = self.world.signers[account].address
        return self.world.send(account, self.contract, "withdraw", ZERO_ADDRESS, to)

    def _told(self) -> RequestTerms:
        block = self.world.chain.head().number
        abi = interface(self.contract)
        topic = abi.event("RequestCreated").topic
        (log,) = self.world.chain.all_logs([self.address], block, block, [[topic]])
        decoded = abi.decode_log(log)
        assert decoded is not None
        return RequestTerms.from_event(decoded[1]["request"])


def address_of_worker(number: int) -> Address:
    """The address of worker `number`."""
    return Address(to_checksum_address(Account.from_key(key_of_worker(number)).address))
