"""A chain that misbehaves as real ones do: between any two steps, and by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quotary_bridge.chain import Chain
from quotary_bridge.errors import BridgeError
from quotary_bridge.model import Address

GWEI = 10**9
BASE_FEES = (1, 20, 90, 500)
MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Weather:
    """How often, at a point, each thing happens."""

    mine: float = 0.10
    reorg: float = 0.004
    reinclude: float = 0.004
    give_back: float = 0.004
    drop: float = 0.004
    fees: float = 0.004


class Chaos:
    """Disturbs a chain whose blocks come only when it mines them."""

    def __init__(
        self,
        chain: Chain,
        seed: str,
        strangers: Mapping[Address, Sequence[bytes]],
        weather: Weather | None = None,
    ) -> None:
        """`strangers` have signed these transactions, by nonce from each one's first on."""
        self._chain = chain
        self._chance = random.Random(seed)
        self._strangers = strangers
        self._weather = weather or Weather()
        self.tell: Callable[[str], object] = _to_nobody

    def disturb(self) -> None:
        """Let one thing happen, or nothing."""
        drawn = self._chance.random()
        for name in ("mine", "reorg", "reinclude", "give_back", "drop", "fees"):
            drawn -= getattr(self._weather, name)
            if drawn < 0:
                self.tell(name)
                getattr(self, f"_{name}")()
                return

    def mine(self, blocks: int = 1) -> None:
        """Mine what is in the pool, and send again what a reorg took from strangers."""
        for stranger, sent in self._strangers.items():
            missing = sent[self._chain.nonce(stranger) :] if sent else ()
            if missing:
                self._chain.send_many(missing)
        self._chain.rpc("anvil_mine", [hex(blocks)])

    def _mine(self) -> None:
        self.mine()

    def _reorg(self) -> None:
        """Blocks are replaced by empty ones; nobody puts their transactions back."""
        self._chain.rpc("anvil_reorg", [self._depth(), []])

    def _reinclude(self) -> None:
        """Blocks are replaced by others, which hold the same transactions one block later."""
        depth = self._depth()
        placed = [
            [raw, min(depth - 1, index + 1)]
            for index, raws in enumerate(self._newest(depth))
            for raw in raws
        ]
        try:
            self._chain.rpc("anvil_reorg", [depth, placed])
        except BridgeError:
            # What was moved cannot be paid at the new block's price: it is gone instead.
            self._chain.rpc("anvil_reorg", [depth, []])

    def _give_back(self) -> None:
        self.give_back(self._depth())

    def give_back(self, depth: int) -> None:
        """Replace the newest blocks by empty ones; their transactions are in the pool again."""
        raws = [raw for block in self._newest(depth) for raw in block]
        self._chain.rpc("anvil_reorg", [depth, []])
        if raws:
            self._chain.send_many([bytes.fromhex(raw[2:]) for raw in raws])

    def _newest(self, depth: int) -> list[list[str]]:
        """The signed transactions of the newest blocks, oldest block first."""
        head = self._chain.head().number
        found = []
        for number in range(head - depth + 1, head + 1):
            block = self._chain.rpc("eth_getBlockByNumber", [hex(number), False])
            calls = [("eth_getRawTransactionByHash", [digest]) for digest in block["transactions"]]
            found.append([str(raw) for raw in self._chain.ask_many(calls)])
        return found

    def _drop(self) -> None:
        self._chain.rpc("anvil_dropAllTransactions")

    def _fees(self) -> None:
        price = self._chance.choice(BASE_FEES) * GWEI
        self._chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(price)])

    def _depth(self) -> int:
        return self._chance.randint(1, MAX_DEPTH)


def _to_nobody(_name: str) -> None:
    return None
