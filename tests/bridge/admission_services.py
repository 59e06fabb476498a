"""Batches and gateways of a random history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import rfc8785
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak
from quotary import TcbStatus
from quotary_bridge.chain.contracts import (
    BatchCommitted,
    BatchOracle,
    ProofKind,
    RequestTerms,
)
from quotary_bridge.chain.contracts.gateways import GatewayAdapter, GatewayKeys, ReceiptAdapter
from quotary_bridge.chain.interface import interface
from quotary_bridge.committee import attest_receipt
from quotary_bridge.model import Address, Bytes32, ChainId, Timestamp
from quotary_bridge.workers import (
    Answered,
    Batch,
    PreparedBatch,
    SignedBatch,
    batch_digest,
    pieces,
)

from tests.bridge.admission_names import APPS, DAY, MEMBERS, PLATFORMS, STRANGER, WORKERS
from tests.bridge.admission_requests import MODEL, Customers, key_of_worker

if TYPE_CHECKING:
    from tests.bridge.admission_world import AdmissionWorld

__all__ = ["BatchCustomers", "Gateways"]


class BatchCustomers(Customers):
    """They ask at the oracle of batches; workers sign roots, and anybody claims."""

    contract = "BatchOracle"

    def __init__(self, world: AdmissionWorld) -> None:
        """Nothing was asked yet."""
        super().__init__(world)
        self.book = BatchOracle(world.chain, self.address)
        self.committed: list[tuple[PreparedBatch, BatchCommitted]] = []

    def step(self) -> bool:
        """Ask, answer, claim, refund, void or withdraw."""
        dice = self.world.random
        app = dice.randrange(len(APPS))
        chosen = dice.random()
        if chosen < 0.4:
            return self.ask(APPS[app])
        if chosen < 0.6:
            return self.answer([(it, WORKERS[it]) for it in range(app, len(WORKERS), len(APPS))])
        if chosen < 0.8:
            return self.claim()
        return dice.choice((self.refund, self.void, self.withdraw))()

    def answer(self, workers: list[tuple[int, Address]]) -> bool:
        """Have a worker sign for everything of an app that is open, and commit the root."""
        if not self.open or not workers:
            return False
        world, dice = self.world, self.world.random
        app = dice.choice(self.open)[0].app_id
        made = tuple(terms for terms, _ in self.open if terms.app_id == app)
        number, worker = dice.choice(workers)
        prepared = self._signed(made, number, worker)
        done = world.transact(STRANGER, self.address, prepared.commit(self.book))
        if done:
            self.committed.append((prepared, self._commitment()))
        return done

    def claim(self) -> bool:
        """Claim an answer, of a request that is open or was, out of a batch that is or was."""
        if not self.committed:
            return False
        dice = self.world.random
        prepared, told = dice.choice(self.committed)
        place = dice.randrange(len(prepared.made))
        ((_, answer),) = next(pieces(prepared, told, [place]))
        done = self.world.transact(STRANGER, self.address, self.book.claim(answer))
        if done:
            self.open = [item for item in self.open if item[0] != answer.made]
        return done

    def void(self) -> bool:
        """Void a batch, which works where its worker was ruled out."""
        if not self.committed:
            return False
        _, told = self.world.random.choice(self.committed)
        return self.world.transact(STRANGER, self.address, self.book.void(told))

    def _signed(
        self, made: tuple[RequestTerms, ...], number: int, worker: Address
    ) -> PreparedBatch:
        chain_id, self.nonce = ChainId(self.world.node.chain_id), self.nonce + 1
        answers = tuple(
            Answered(
                terms.request_id(chain_id, self.address),
                b"an answer",
                self.world.random.randrange(1, 100),
            )
            for terms in made
        )
        batch = Batch(
            app_id=made[0].app_id,
            model_id=MODEL.id,
            weights_root=MODEL.weights_root,
            root=Bytes32(bytes(32)),
            count=len(made),
            key_epoch=0,
            policy_version=0,
            worker=worker,
            nonce=self.nonce,
            deadline=Timestamp(self.world.now + DAY),
        )
        empty = PreparedBatch(chain_id, self.address, made, SignedBatch(batch, answers, b""))
        batch = replace(batch, root=empty.tree().root)
        digest = batch_digest(batch, chain_id, self.address)
        signature = bytes(Account.unsafe_sign_hash(digest, key_of_worker(number)).signature)
        return replace(empty, signed=SignedBatch(batch, answers, signature))

    def _commitment(self) -> BatchCommitted:
        chain = self.world.chain
        block = chain.head().number
        topic = interface("BatchOracle").event("BatchCommitted").topic
        (log,) = chain.all_logs([self.address], block, block, [[topic]])
        told = BatchCommitted.of(log)
        assert told is not None
        return told


class Gateways:
    """Services that know nothing of the registry: their keys by quotes, and what they sign."""

    def __init__(self, world: AdmissionWorld) -> None:
        """Nobody is enrolled yet."""
        record, chain = world.record, world.chain
        self.world = world
        self.keys = GatewayKeys(chain, record.address("GatewayKeys"))
        self.adapter = GatewayAdapter(chain, record.address("GatewayAdapter"))
        self.receipts = ReceiptAdapter(chain, record.address("ReceiptAdapter"))
        self.known: list[tuple[Bytes32, bytes]] = []
        self.keysets: list[tuple[Bytes32, bytes, bytes]] = []
        self.recorded: list[bytes] = []

    def step(self) -> bool:
        """Enrol somebody, or have somebody's signature recorded."""
        steps: Sequence[Callable[[], bool]] = (
            *(self.enrol, self.exchange, self.exchange),
            *(self.enrol_keyset, self.receipt, self.receipt),
        )
        return self.world.random.choice(steps)()

    def enrol(self, *, sound: bool = False) -> bool:
        """Enrol the key of a first-generation gateway."""
        app, key = self.world.random.choice(APPS), self._key()
        address = bytes.fromhex(Account.from_key(key).address[2:])
        block, challenge = self._challenged()
        report_data = address.ljust(32, b"\0") + challenge
        journal = self._notarized(app, report_data, sound=sound)
        call = self.keys.enrol(app, ProofKind.COMMITTEE, journal, block)
        done = self.world.transact(STRANGER, self.keys.address, call)
        if done:
            self.known.append((app, key))
        return done

    def enrol_keyset(self, *, sound: bool = False) -> bool:
        """Enrol an ACI keyset with one key that the chain can check."""
        dice, app, key = self.world.random, self.world.random.choice(APPS), self._key()
        point = PrivateKey(key).public_key.to_bytes()
        listed = {"algo": "secp256k1-eip191", "public_key": f"04{point.hex()}"}
        end = self.world.now + dice.choice([DAY, 40 * DAY])
        keyset = rfc8785.dumps({"not_after": end, "receipt_signing_keys": [listed]})
        digest = sha256(keyset).digest()
        block, challenge = self._challenged()
        statement = {
            "keyset_digest": f"sha256:{digest.hex()}",
            "nonce": challenge.hex(),
            "purpose": "aci.report_data.v1",
        }
        report_data = sha256(rfc8785.dumps(statement)).digest() + bytes(32)
        journal = self._notarized(app, report_data, sound=sound)
        call = self.keys.enrol_keyset(app, ProofKind.COMMITTEE, journal, block, keyset)
        done = self.world.transact(STRANGER, self.keys.address, call)
        if done:
            self.keysets.append((app, digest, key))
        return done

    def exchange(self) -> bool:
        """Record what a gateway signed, whether or not its key still counts."""
        if not self.known:
            return False
        dice = self.world.random
        app, key = dice.choice(self.known)
        request, response = Bytes32(dice.randbytes(32)), Bytes32(dice.randbytes(32))
        text = encode_defunct(f"{request.hex()}:{response.hex()}".encode())
        signed = Account.sign_message(text, key)
        gateway = Address(Account.from_key(key).address)
        call = self.adapter.record(app, request, response, gateway, bytes(signed.signature))
        return self.world.transact(STRANGER, self.adapter.address, call)

    def receipt(self) -> bool:
        """Record an ACI receipt, by its own key or by the committee."""
        if not self.keysets:
            return False
        dice, world = self.world.random, self.world
        app, digest, key = dice.choice(self.keysets)
        events = [
            {"type": kind, "body_hash": f"sha256:{dice.randbytes(32).hex()}"}
            for kind in ("request.received", "response.returned")
        ]
        document = rfc8785.dumps(
            {
                "api_version": "aci/1",
                "event_log": events,
                "served_at": world.now,
                "workload_keyset_digest": f"sha256:{digest.hex()}",
            }
        )
        if dice.random() < 0.5:
            signed = Account.sign_message(encode_defunct(document), key)
            call = self.receipts.record(app, document, bytes(signed.signature))
            return self._recorded(call, document)
        members = sorted((world.signers[n] for n in MEMBERS), key=lambda it: int(it.address, 16))
        place = world.node.chain_id, self.receipts.address
        found = sha256(document).digest()
        vouched = [attest_receipt(app, found, *place, member) for member in members]
        call = self.receipts.record_attested(app, document, vouched)
        return self._recorded(call, document)

    def _recorded(self, call: bytes, document: bytes) -> bool:
        done = self.world.transact(STRANGER, self.receipts.address, call)
        self.recorded += [document] if done else []
        return done

    def _key(self) -> bytes:
        return keccak(text=f"gateway {self.world.random.randrange(4)}")

    def _challenged(self) -> tuple[int, bytes]:
        block = self.world.chain.head().number
        self.world.advance(self.world.now + 1)
        return block, self.keys.challenge(block)

    def _notarized(self, app: Bytes32, report_data: bytes, *, sound: bool) -> bytes:
        """Have a quote with this report data put on record, or try to; returns its journal."""
        world = self.world
        verdict = world.verdict(report_data, world.random.choice(PLATFORMS))
        if sound:
            status = TcbStatus.UP_TO_DATE
            verdict = replace(world.sound(0, status), report_data=report_data)
        journal, proof = verdict.journal(), world.signed_by_committee(verdict)
        world.send(STRANGER, "QuoteNotary", "notarize", app, b"Comm", journal, proof)
        return journal
