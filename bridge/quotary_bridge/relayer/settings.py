"""How a relayer behaves, fixed for its whole run."""

from __future__ import annotations

from dataclasses import dataclass

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import BlockNumber, Wei

__all__ = ["IN_FLIGHT", "RelayerSettings"]

IN_FLIGHT = 16
"""
What geth and Erigon keep of one account however full their pools are (`txpool.accountslots`), and
all that reth takes of one from other nodes (`txpool.max-account-slots`). Of what is more than that,
a full pool drops the highest nonces first, and what is passed on is not taken: it waits, and its
fees are raised in vain.
"""


@dataclass(frozen=True, slots=True)
class RelayerSettings:
    """
    Depths in blocks, limits in counts, fees in wei.

    `confirmations`: blocks that hold a request, its own included, before a worker is asked.
    `finality_depth`: blocks on top of one before it counts as final; 0 suits a chain without
    reorgs only. `replace_after`: blocks a transaction may stay unmined before its fees are raised.
    `in_flight`: transactions of one account that no block holds, at most: see `IN_FLIGHT`.
    `concurrent_workers`: questions that are out at a time, hedges on top; `results_per_job`:
    answers that may come to nothing before a request is asked only of workers that gave none, and
    tries of an errand; `max_fee`: no transaction offers
    more for a unit of gas. `poll_seconds`: the rest between two cycles; while something waits for a
    block, no longer than to the next one.
    `lag_patience`: cycles a node may be behind what we saw before that counts as a reorg.
    `patience_seconds`: how long one cycle waits for workers; who takes longer is heard later.
    `hedge_seconds`: how long one worker may take before the next one is asked as well.
    `round_seconds`: how long workers of a round may take to commit, and again to reveal.
    `refunds`: whether requests that nobody answered in time are refunded, at our expense.
    `batch_most`: how many requests one batch answers at most; `batch_seconds`: how long requests
    wait for others before a batch is asked for that is not full; `batch_start_block`: as
    `start_block`, for the oracle of batches; `pushes`: whether we claim what we committed.
    """

    start_block: BlockNumber = BlockNumber(0)  # noqa: RUF009 (a name for an integer, no call)
    confirmations: int = 1
    finality_depth: int = 6
    replace_after: int = 3
    in_flight: int = IN_FLIGHT
    concurrent_workers: int = 4
    results_per_job: int = 8
    max_fee: Wei = Wei(500 * 10**9)  # noqa: RUF009 (a name for an integer, no call)
    lag_patience: int = 3
    poll_seconds: float = 1.0
    patience_seconds: float = 1.0
    hedge_seconds: float = 20.0
    round_seconds: float = 20.0
    refunds: bool = False
    batch_most: int = 1000
    batch_seconds: float = 10.0
    batch_start_block: BlockNumber = BlockNumber(0)  # noqa: RUF009 (as above)
    pushes: bool = False

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` where a number makes no sense."""
        for name, least in (
            ("start_block", 0),
            ("confirmations", 1),
            ("finality_depth", 0),
            ("replace_after", 1),
            ("in_flight", 1),
            ("concurrent_workers", 1),
            ("results_per_job", 1),
            ("max_fee", 1),
            ("lag_patience", 0),
            ("poll_seconds", 0),
            ("patience_seconds", 0),
            ("hedge_seconds", 0),
            ("round_seconds", 0),
            ("batch_most", 1),
            ("batch_seconds", 0),
            ("batch_start_block", 0),
        ):
            # Not `<`: what is no number at all is not less either.
            if not getattr(self, name) >= least:
                raise ConfigurationError(
                    Reason.CONFIGURATION_INVALID,
                    f"{name} is {getattr(self, name)} and must be at least {least}",
                )
