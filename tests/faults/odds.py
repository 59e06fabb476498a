"""How often a node goes wrong, each way by itself, and what it says then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Nethermind, besu and erigon have words of their own for the same refusals.
UNDERPRICED = (
    "replacement transaction underpriced",
    "ReplacementNotAllowed",
    "Replacement fee too low",
    "could not replace existing tx",
)

FULL = ("txpool is full", "Transaction pool is full", "mempool is full", "sub-pool is full")
ACCOUNT_FULL = (
    "account limit exceeded",
    "in-flight transaction limit reached for delegated accounts",
    "txpool: pooled transactions of a spammer",
)
GAPPED = (
    "nonce too high",
    "NonceGap",
    "gapped-nonce: tx nonce 9, gapped nonce 8",
    "nonce gap",
)
"""In whose pools a nonce has to follow the last one, they say so in one of these ways."""

REFUSALS = (
    (-32600, "Invalid Request"),
    (-32601, "the method does not exist/is not available"),
    (-32602, "invalid argument 0: json: cannot unmarshal"),
)
"""What a node says to a question that it does not take, with the codes of JSON-RPC."""


@dataclass(frozen=True, slots=True)
class Odds:
    """
    How often an exchange goes wrong, each way by itself.

    `seconds` is the longest delay. One that `hangs` takes `hang_seconds`, which is to be more than
    the client waits. With `nonce_gap`, no nonce is taken whose predecessor was not.
    """

    drop_question: float = 0.0
    drop_answer: float = 0.0
    ask_twice: float = 0.0
    delay: float = 0.0
    server_error: float = 0.0
    rate_limit: float = 0.0
    cut_short: float = 0.0
    wrong_id: float = 0.0
    stale_head: float = 0.0
    wrong_chain: float = 0.0
    forged_receipt: float = 0.0
    forged_status: float = 0.0
    forged_number: float = 0.0
    denied: float = 0.0
    stale_logs: float = 0.0
    no_logs: float = 0.0
    refused: float = 0.0
    garbled: float = 0.0
    hangs: float = 0.0
    pool_full: float = 0.0
    account_full: float = 0.0
    nonce_gap: bool = False
    seconds: float = 0.02
    hang_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Manners:
    """The odds of every method, and of some in particular."""

    seed: int
    usual: Odds = field(default_factory=Odds)
    lag: int = 2
    by_method: Mapping[str, Odds] = field(default_factory=dict)

    def of(self, method: str) -> Odds:
        """The odds of one method."""
        return self.by_method.get(method, self.usual)


BAD_DAY = Odds(
    drop_question=0.03,
    drop_answer=0.03,
    ask_twice=0.05,
    delay=0.05,
    server_error=0.02,
    rate_limit=0.02,
    cut_short=0.02,
    wrong_id=0.02,
    stale_head=0.03,
    forged_receipt=0.12,
    forged_status=0.05,
    forged_number=0.05,
    denied=0.05,
    stale_logs=0.2,
    refused=0.01,
    garbled=0.01,
    hangs=0.0005,
    pool_full=0.05,
    account_full=0.05,
    nonce_gap=True,
    hang_seconds=2.5,
)
"""Every way of going wrong, each about once in thirty exchanges."""
