"""
Several nodes of one chain, of which one is asked at a time.

1. Nodes stand in the order of preference. One is chosen, by `choose`, and asked until the next
   choice: what a cycle reads comes from one node, whole, and is never put together from two.
2. A node that failed, refused what it was asked, or lags behind what was seen before, is set aside
   for a second, twice as long with every failure in a row, a minute at most. The first one that
   is not set aside is chosen; where all are, the one whose time is over first.
3. A node's chain id is compared before it is asked anything, and whenever it is chosen anew. One of
   another chain is a mistake in the configuration, which nothing makes up for: `WrongChain`.
4. What the chosen node calls final counts where another one has the very same block and none that
   answers has a different one. So with two nodes both have to be there, with three any two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quotary_bridge.chain.port import Chain
from quotary_bridge.errors import Permanent, RequestRefused, RpcUnavailable, Transient

__all__ = ["ANOTHER_BLOCK", "SeveralNodes"]

LONGEST_REST_SECONDS = 64.0

ANOTHER_BLOCK = "AnotherBlock"
"""What a node is doubted for that has a different block at the same height."""


@dataclass(slots=True)
class _Node:
    chain: Chain
    failures: int = 0
    rests_until: float = 0.0

    def fail(self, now: float) -> None:
        self.rests_until = now + min(LONGEST_REST_SECONDS, 2.0**self.failures)
        self.failures += 1


class SeveralNodes(Chain):
    """Nodes of one chain, the preferred one first; `now` gives seconds that never go back."""

    def __init__(
        self, nodes: Sequence[Chain], chain_id: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask nothing yet; every node must have been made for `chain_id`."""
        super().__init__(nodes[0].web3, chain_id)
        self._now = now
        self._nodes = [_Node(node) for node in nodes]
        self._chosen = self._nodes[0]
        self._failed = False

    @classmethod
    def among(cls, urls: Sequence[str], chain_id: int | None = None) -> SeveralNodes:
        """
        Return the nodes at `urls`, of the chain of the first that answers where no id is given.

        Raises as `Chain.connect` does where none answers.
        """
        for url in urls:
            try:
                chain_id = Chain.connect(url, chain_id).chain_id
                break
            except (RpcUnavailable, RequestRefused):
                if url == urls[-1]:
                    raise
        nodes = [Chain.at(url, chain_id) for url in urls]
        return cls(nodes, nodes[0].chain_id)

    def choose(self) -> None:
        """Choose the node to ask from now on, by rules 1 and 2."""
        if not self._failed:
            self._chosen.failures = 0
        now = self._now()
        ready = [node for node in self._nodes if node.rests_until <= now]
        before = self._chosen
        self._chosen = ready[0] if ready else min(self._nodes, key=lambda node: node.rests_until)
        if self._chosen is not before or self._failed:
            chain = self._chosen.chain
            self._web3, self._wire, self._checked = chain.web3, chain.wire, False
        self._failed = False

    def set_aside(self) -> None:
        """Note that the chosen node failed, or lags."""
        self._failed = True
        self._chosen.fail(self._now())

    def doubts(self, number: int, digest: bytes) -> Mapping[str, str]:
        """Return why block `number` is not confirmed, by node; nothing where rule 4 is kept."""
        found: dict[str, str] = {}
        confirmed = differs = False
        for node in self._nodes:
            if node is self._chosen:
                continue
            doubt = self._doubt(node, number, digest)
            if doubt is None:
                confirmed = True
                continue
            found[node.chain.endpoint] = doubt
            differs = differs or doubt == ANOTHER_BLOCK
        return {} if confirmed and not differs else found

    def _doubt(self, node: _Node, number: int, digest: bytes) -> str | None:
        now = self._now()
        if node.rests_until > now:
            return "SetAside"
        try:
            there = node.chain.block(number).hash
        except (Transient, Permanent) as error:
            node.fail(now)
            return error.reason.value
        node.failures = 0
        return None if there == digest else ANOTHER_BLOCK
