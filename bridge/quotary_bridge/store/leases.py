"""
One writer per signer: a lease whose token only ever grows.

A relayer that was stopped, partitioned or merely slow finds its token outdated at its next write,
inside the same transaction, and so writes nothing. That is why the token is checked in every
write and the expiry only when somebody else wants to take over. On PostgreSQL the proof also locks
the lease's row until the end of the transaction, so that nobody takes over in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from quotary_bridge.errors import Fatal, Reason
from quotary_bridge.model import Address, ChainId, Timestamp
from quotary_bridge.store.tables import lease
from quotary_bridge.store.upsert import upsert

__all__ = [
    "Lease",
    "LeaseHeldError",
    "acquire",
    "all_leases",
    "drain",
    "is_draining",
    "release",
    "renew",
]

_PROLONG = update(lease).where(
    (lease.c.chain_id == bindparam("chain"))
    & (lease.c.signer == bindparam("account"))
    & (lease.c.token == bindparam("newest"))
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one signer on one chain, as long as no higher token exists."""

    chain_id: ChainId
    signer: Address
    holder: str
    token: int


class LeaseHeldError(Fatal):
    """Another relayer writes for this signer: two would give the same nonce out twice."""

    def __init__(self, signer: Address, holder: str) -> None:
        """Say who holds the lease of `signer`."""
        super().__init__(
            Reason.SIGNER_LEASE_HELD,
            f"{holder} relays with the account {signer}",
            "stop it, wait until its lease runs out, or use another account",
        )


def acquire(
    connection: Connection,
    chain_id: ChainId,
    signer: Address,
    holder: str,
    *,
    now: Timestamp,
    seconds: int,
    is_gone: Callable[[str], bool],
) -> Lease:
    """
    Take the lease with a token higher than any before.

    Raises `LeaseHeldError` where another holder's lease has not run out. The same holder, and one
    whose predecessor `is_gone`, takes over at once.
    """
    mine = (lease.c.chain_id == chain_id) & (lease.c.signer == signer)
    unheld = {"holder": "", "token": 0, "expires_at": 0}
    # Whoever comes first makes the row; whoever comes second waits for it, and then reads it.
    connection.execute(
        upsert(connection, lease)
        .values(chain_id=chain_id, signer=signer, **unheld)
        .on_conflict_do_nothing()
    )
    row = connection.execute(select(lease).where(mine).with_for_update()).mappings().one()
    taken = row["holder"] != holder and row["expires_at"] > now
    if taken and not is_gone(row["holder"]):
        raise LeaseHeldError(signer, row["holder"])
    token = row["token"] + 1
    values = {
        "holder": holder,
        "token": token,
        "expires_at": now + seconds,
        "draining": False,
    }
    connection.execute(update(lease).where(mine).values(**values))
    return Lease(chain_id, signer, holder, token)


def renew(connection: Connection, held: Lease, now: Timestamp, seconds: int) -> None:
    """Prove that `held` is still the newest, and prolong it; raises `LeaseHeldError`."""
    of_mine = {"chain": held.chain_id, "account": held.signer, "newest": held.token}
    prolonged = connection.execute(_PROLONG, {**of_mine, "expires_at": now + seconds})
    if prolonged.rowcount != 1:
        mine = (lease.c.chain_id == held.chain_id) & (lease.c.signer == held.signer)
        holder = connection.execute(select(lease.c.holder).where(mine)).scalar_one_or_none()
        raise LeaseHeldError(held.signer, holder or "nobody any more")


def is_draining(connection: Connection, held: Lease) -> bool:
    """Whether somebody asked the holder of `held` to finish."""
    mine = (lease.c.chain_id == held.chain_id) & (lease.c.signer == held.signer)
    found = connection.execute(select(lease.c.draining).where(mine)).scalar_one_or_none()
    return bool(found)


def drain(connection: Connection, now: Timestamp, signer: Address | None) -> list[Lease]:
    """Ask every holder of a lease that has not run out, or that of `signer` only, to finish."""
    held = lease.c.expires_at > now
    if signer is not None:
        held &= lease.c.signer == signer
    rows = connection.execute(select(lease).where(held).order_by(lease.c.signer)).mappings().all()
    connection.execute(update(lease).where(held).values(draining=True))
    return [_lease(row) for row in rows]


def all_leases(connection: Connection) -> list[tuple[Lease, Timestamp, bool]]:
    """Return every lease there is, until when it holds, and whether its holder is to finish."""
    rows = connection.execute(select(lease).order_by(lease.c.chain_id, lease.c.signer)).mappings()
    return [(_lease(row), Timestamp(row["expires_at"]), bool(row["draining"])) for row in rows]


def _lease(row: RowMapping) -> Lease:
    return Lease(ChainId(row["chain_id"]), Address(row["signer"]), str(row["holder"]), row["token"])


def release(connection: Connection, held: Lease) -> None:
    """Let others take over at once; a lease already lost stays as it is."""
    mine = (lease.c.chain_id == held.chain_id) & (lease.c.signer == held.signer)
    newest = lease.c.token == held.token
    connection.execute(update(lease).where(mine & newest).values(expires_at=0))
