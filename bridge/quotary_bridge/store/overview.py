"""What a person wants to know of a store: how far, who works, what is open. Reads everything."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, BlockNumber, ChainId, Timestamp
from quotary_bridge.rounds import RoundState
from quotary_bridge.store import batches
from quotary_bridge.store.batches import BatchState
from quotary_bridge.store.leases import all_leases
from quotary_bridge.store.queries import COUNTS
from quotary_bridge.store.rounds import round_counts
from quotary_bridge.store.tables import cursor, slot

__all__ = ["OracleOverview", "Overview", "SignerOverview", "overview"]


@dataclass(frozen=True, slots=True)
class OracleOverview:
    """One oracle: the newest block read, the newest that can no longer change, jobs by state."""

    chain_id: ChainId
    oracle: Address
    head: BlockNumber
    final: BlockNumber
    jobs: dict[JobState, int]


@dataclass(frozen=True, slots=True)
class SignerOverview:
    """One account: who relays with it, until when unless prolonged, and its nonces by state."""

    chain_id: ChainId
    signer: Address
    holder: str
    token: int
    expires_at: Timestamp
    draining: bool
    nonces: dict[str, int]


@dataclass(frozen=True, slots=True)
class Overview:
    """All oracles and signers of a store; how many rounds and batches are in each state."""

    oracles: tuple[OracleOverview, ...]
    signers: tuple[SignerOverview, ...]
    rounds: dict[RoundState, int]
    batches: dict[BatchState, int]


def overview(connection: Connection) -> Overview:
    """Return what the store says now."""
    oracles, signers = _oracles(connection), _signers(connection)
    return Overview(oracles, signers, round_counts(connection), batches.counts(connection))


def _oracles(connection: Connection) -> tuple[OracleOverview, ...]:
    rows = connection.execute(select(cursor).order_by(cursor.c.chain_id, cursor.c.oracle))
    found = []
    for row in rows.mappings().all():
        wanted = {"chain": row["chain_id"], "oracle_": row["oracle"]}
        counted = {row[0]: row[1] for row in connection.execute(COUNTS, wanted)}
        found.append(
            OracleOverview(
                chain_id=ChainId(row["chain_id"]),
                oracle=Address(row["oracle"]),
                head=BlockNumber(row["head_number"]),
                final=BlockNumber(row["final_number"]),
                jobs={state: counted.get(state.value, 0) for state in JobState},
            )
        )
    return tuple(found)


def _signers(connection: Connection) -> tuple[SignerOverview, ...]:
    nonces: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    by_state = (slot.c.chain_id, slot.c.signer, slot.c.state)
    for chain_id, signer, state, count in connection.execute(
        select(*by_state, func.count()).group_by(*by_state)
    ):
        nonces[chain_id, signer][state] = count
    return tuple(
        SignerOverview(
            chain_id=held.chain_id,
            signer=held.signer,
            holder=held.holder,
            token=held.token,
            expires_at=until,
            draining=draining,
            nonces=nonces[held.chain_id, held.signer],
        )
        for held, until, draining in all_leases(connection)
    )
