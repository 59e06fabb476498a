"""What tells whether a relayer can go on, and that nothing tells while it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, BlockNumber, JobKind, Wei
from quotary_bridge.relayer.cycle import Ports

__all__ = ["Vitals", "look"]

_ON_THEIR_WAY = (
    *(JobState.SEEN, JobState.DISPATCHED, JobState.SIGNED),
    *(JobState.QUEUED, JobState.BROADCAST, JobState.MINED),
)
_REQUESTS = (JobKind.ANSWER, JobKind.QUORUM)


@dataclass(frozen=True, slots=True)
class Vitals:
    """
    `balances`: what the accounts that deliver own, wei. `oldest_seconds`: how long the oldest
    request that is on its way was made ago, by the chain's clock; 0 where there is none. One that
    waits for its input is not on its way, and errands are no requests.
    """

    balances: Mapping[Address, Wei]
    oldest_seconds: int


def look(ports: Ports, accounts: Sequence[Address]) -> Vitals:
    """Ask the node for what `Vitals` says; raises what asking it raises."""
    balances = {account: Wei(ports.chain.balance(account)) for account in accounts}
    made_in = [
        job.request.block.number
        for served in {ports.oracle.address, ports.batches or ports.oracle.address}
        for kind in _REQUESTS
        for job in ports.store.open_jobs(ports.chain_id, served, *_ON_THEIR_WAY, most=1, kind=kind)
    ]
    return Vitals(balances, _age(ports, min(made_in)) if made_in else 0)


def _age(ports: Ports, number: BlockNumber) -> int:
    # The node may have been rolled back below it; then it is as young as can be.
    head = ports.chain.head()
    return head.timestamp - ports.chain.block(min(number, head.number)).timestamp
