"""What the tests of the store put into it."""

from __future__ import annotations

from collections.abc import Callable

from quotary_bridge.lifecycle import (
    Dispatched,
    Enqueued,
    begin,
)
from quotary_bridge.model import (
    Address,
    AttemptKind,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Fees,
    Nonce,
    Request,
    Result,
    SignedResult,
    Timestamp,
    TransactionHash,
    Wei,
)
from quotary_bridge.store import (
    Lease,
    Location,
    SignedTransaction,
    Store,
)

OpenStore = Callable[[Location, Callable[[], Timestamp]], Store]
"""`Store.open`, for as long as a test runs: the fixture `open_store`."""

CHAIN = ChainId(31337)
ORACLE = Address("0x0000000000000000000000000000000000000001")
SIGNER = Address("0x0000000000000000000000000000000000000002")
WORKER = Address("0x0000000000000000000000000000000000000003")
BLOCK = BlockRef(BlockNumber(7), BlockHash(bytes([7]) * 32))


def request_of(number: int) -> Request:
    """A request with the n-th id."""
    return Request(
        chain_id=CHAIN,
        oracle=ORACLE,
        request_id=Bytes32(number.to_bytes(32)),
        app_id=Bytes32(bytes([1]) * 32),
        model_id=Bytes32(bytes([2]) * 32),
        requester=WORKER,
        input=b"a question",
        deadline=Timestamp(1_000),
        callback_gas=50_000,
        fee=Wei(2**87),
        terms=b"all of it",
        block=BLOCK,
    )


def signed_result() -> SignedResult:
    """A result with the largest numbers there are."""
    said = Result(
        request_id=Bytes32((1).to_bytes(32)),
        app_id=Bytes32(bytes([1]) * 32),
        model_id=Bytes32(bytes([2]) * 32),
        weights_root=Bytes32(bytes([3]) * 32),
        input_commitment=Bytes32(bytes([4]) * 32),
        output_hash=Bytes32(bytes([5]) * 32),
        decision=Bytes32(bytes([6]) * 32),
        round=Bytes32(bytes([7]) * 32),
        key_epoch=0,
        policy_version=0,
        worker=WORKER,
        units=2**64 - 1,
        nonce=2**256 - 1,
        deadline=Timestamp(1_000),
    )
    return SignedResult(said, b"an answer", bytes(65))


def transaction(number: int) -> SignedTransaction:
    """Signed bytes that only their number tells apart."""
    digest = TransactionHash(number.to_bytes(32))
    fees = Fees(Wei(2**255), Wei(number))
    return SignedTransaction(AttemptKind.DELIVER, bytes([number]), digest, fees, 21_000)


class Clock:
    """Seconds that pass when a test says so."""

    seconds = 1_000

    def __call__(self) -> Timestamp:
        """Return the time."""
        return Timestamp(self.seconds)


def queue(store: Store, lease: Lease, number: int = 1, nonce: int = 0) -> int:
    """Bring a job as far as a stored transaction, in one commit; returns the slot."""
    key = request_of(number).key
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(number)))
        writer.advance(key, Dispatched())
        writer.add_result(key, signed_result())
        slot_id = writer.open_slot(writer.next_nonce(Nonce(nonce)), key)
        writer.add_attempt(slot_id, transaction(number), BLOCK.number)
        writer.advance(key, Enqueued(slot_id))
    return slot_id
