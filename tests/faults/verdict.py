"""
Nothing lost, nothing doubled: what must be true, on the chain and in the store, after a campaign.

(a) every accepted request was answered on the chain, and answered once;
(b) every call of ours succeeded, or is counted as a reverted duplicate;
(c) every account's nonces are exactly those given out, without a gap;
(d) every row is terminal, and every final one names a transaction in a canonical block;
(e) where the oracle keeps a ledger, what was paid in is what workers have;
(f) nothing is queued, in the store or in the pool;
(g) no log and no store holds a secret;
(i) no worker was asked to show its answer to a second round of the same request;
(j) every root was committed once, is of a batch that the store has, and every batch is at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.interface import interface
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, JobKind, Timestamp
from quotary_bridge.store import Location, Store
from sqlalchemy import inspect, select, text
from sqlalchemy import table as table_of

from tests.faults.batches import unkept
from tests.faults.world import REQUEST_FEE, World

_ENDED_ROUNDS = frozenset({"reported", "disputed", "abandoned"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was counted, and every promise that was broken, in words."""

    jobs: int
    lost: int
    doubled: int
    transactions: int
    attempts: int
    reverted: int
    broken: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken


def judge(
    world: World, where: Location, log: Path, secrets: tuple[str, ...], depth: int
) -> Verdict:
    """Compare the chain with what was asked for, and the store with the chain."""
    store = Store.open(where, lambda: Timestamp(1_000))
    try:
        broken = found_secrets(store, where, log, secrets)
        return _judge(world, store, broken, depth)
    finally:
        store.close()


def _judge(world: World, store: Store, told: list[str], depth: int) -> Verdict:
    answered = Counter(world.answers())
    asked = [world.request_id(number) for number in range(1, len(world.requests) + 1)]
    lost = [digest for digest in asked if answered[digest] == 0]
    doubled = [digest for digest in answered if answered[digest] > 1]
    rows = _rows(store)
    used = {
        account: world.node.chain.nonce(account)
        for account in {world.relayer, *(Address(str(row["signer"])) for row in rows)}
    }
    nonce = sum(used.values())
    broken = [
        *([f"(a) {len(lost)} of {len(asked)} lost"] if lost else []),
        *([f"(a) {len(doubled)} of {len(asked)} answered more than once"] if doubled else []),
        *_nonces(rows, used),
        *_terminal(store, len(asked), JobState.SUPERSEDED if world.batches else JobState.FINAL),
        *_canonical(world, rows, depth),
        *(_ledger(world, len(asked)) if world.strict else ()),
        *_queues(world),
        *(unkept(world, store) if world.batches else ()),
        *told,
    ]
    errands = _errands(store)
    reverted = sum(
        1 for row in rows if row["mined_succeeded"] in (False, 0) and row["job_key"] not in errands
    )
    if reverted * 100 > nonce:
        broken.append(f"(b) {reverted} of {nonce} transactions reverted")
    with store._read() as connection:
        attempts = connection.execute(text("SELECT count(*) FROM attempt")).scalar_one()
    return Verdict(len(asked), len(lost), len(doubled), nonce, attempts, reverted, tuple(broken))


def _errands(store: Store) -> set[object]:
    """Whose reverts count for nothing: the time of an errand may go back with a reorg."""
    with store._read() as connection:
        found = connection.execute(text("SELECT key, kind FROM job"))
        return {key for key, kind in found if kind not in (JobKind.ANSWER, JobKind.QUORUM)}


def _rows(store: Store) -> list[dict[str, object]]:
    with store._read() as connection:
        found = connection.execute(text("SELECT * FROM slot ORDER BY nonce")).mappings()
        return [dict(row) for row in found]


def _nonces(rows: list[dict[str, object]], used: Mapping[Address, int]) -> list[str]:
    broken = []
    for account, nonce in used.items():
        given_out = [row["nonce"] for row in rows if row["signer"] == account]
        if given_out != list(range(nonce)):
            broken.append(f"(c) {len(given_out)} nonces given out, {nonce} used on the chain")
    return broken


def _terminal(store: Store, asked: int, end: JobState) -> list[str]:
    """
    Every request is at this `end`; errands and rounds came to an end of some kind.

    A request of batches is ended by a claim, which is no delivery of its own.
    """
    with store._read() as connection:
        jobs = connection.execute(
            text("SELECT kind, state, terminal, count(*) FROM job GROUP BY kind, state, terminal")
        ).all()
        rounds = connection.execute(text("SELECT state, count(*) FROM round GROUP BY state")).all()
    requests = {
        f"{state}": count
        for kind, state, _, count in jobs
        if kind in (JobKind.ANSWER, JobKind.QUORUM)
    }
    broken = []
    if requests != {end.value: asked}:
        broken.append(f"(d) of {asked} jobs: {requests}")
    moving = {f"{kind} {state}": count for kind, state, terminal, count in jobs if not terminal}
    moving |= {f"round {state}": count for state, count in rounds if state not in _ENDED_ROUNDS}
    return [*broken, *([f"(d) not at an end: {moving}"] if moving else [])]


def _canonical(world: World, rows: list[dict[str, object]], depth: int) -> list[str]:
    broken = [f"(d) nonce {row['nonce']} is {row['state']}" for row in rows if not _final(row)]
    final = [row for row in rows if _final(row)]
    receipts = world.node.chain.receipts([bytes(row["mined_hash"]) for row in final])  # type: ignore[arg-type]
    head = world.node.chain.head().number
    for row, receipt in zip(final, receipts, strict=True):
        there = receipt is not None and receipt.block_hash == row["mined_block_hash"]
        if receipt is None or not there or receipt.block_number + depth > head:
            broken.append(f"(d) nonce {row['nonce']} is final in a block that is not")
    return broken[:5]


def _final(row: dict[str, object]) -> bool:
    return row["state"] == "final"


def _ledger(world: World, asked: int) -> list[str]:
    held = world.node.chain.balance(world.oracle)
    # The gate names the same operator for everybody: the address 1. What three answers cannot share
    # goes back to who asked; who opens a request to others has a share of it.
    operator = Address(f"0x{'00' * 19}01")
    credit = sum(_credit(world, each) for each in (operator, world.requester, world.relayer))
    paid = asked * REQUEST_FEE
    if held == credit == paid:
        return []
    return [f"(e) {paid} wei paid in, {held} held, {credit} credited"]


def _credit(world: World, account: Address) -> int:
    data = interface("ResultOracle").encode_call("creditOf", [ZERO_ADDRESS, account])
    answer = world.node.chain.rpc(
        "eth_call", [{"to": world.oracle, "data": f"0x{data.hex()}"}, "latest"]
    )
    return int(answer, 16)


def _queues(world: World) -> list[str]:
    chain = world.node.chain
    pool = chain.rpc("txpool_status")
    if int(pool["pending"], 16) == int(pool["queued"], 16) == 0:
        return []
    return [f"(f) the pool holds {pool}"]


def found_secrets(store: Store, where: Location, log: Path, secrets: tuple[str, ...]) -> list[str]:
    """Say where a secret stands: in the log, in the store's files, or in a row of any table."""
    written = {file.name: file.read_bytes() for file in _files(where, log)}
    with store._read() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.execute(select(text("*")).select_from(table_of(table)))
            written[f"table {table}"] = b"\n".join(_bytes(value) for row in rows for value in row)
    return [
        f"(g) a secret stands in {name}"
        for name, content in written.items()
        if any(form in content for secret in secrets for form in _forms(secret))
    ]


def _files(where: Location, log: Path) -> list[Path]:
    files = [log] if log.exists() else []
    if isinstance(where, Path):
        files += where.parent.glob(f"{where.name}*")
    return files


def _forms(secret: str) -> list[bytes]:
    """As it is, and the bytes of one that is hexadecimal."""
    return [secret.encode(), *([bytes.fromhex(secret)] if len(secret) == 64 else [])]


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
