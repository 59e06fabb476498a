"""
Requests whose input is kept off the chain: they wait until somebody hands it in, or expire.

Whoever has the input takes the request as well: of relayers on one record each may have inputs that
the others have not.
"""

from __future__ import annotations

from quotary_bridge.lifecycle import Supplied
from quotary_bridge.model import Bytes32
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind

__all__ = ["Supply"]

JOBS_PER_CYCLE = 512
"""How many waiting requests one cycle looks at; the next cycle looks at those behind them."""


class Supply:
    """Looks through waiting requests, a few at a time, in turns."""

    def __init__(self) -> None:
        """Begin with the oldest."""
        self._after = (-1, Bytes32(b""))

    def run(self, cycle: Cycle) -> None:
        """Let those requests begin whose input is here now."""
        inputs = cycle.ports.inputs
        here = frozenset() if inputs is None else inputs.commitments()
        if not here:
            return
        waiting = cycle.ports.store.awaiting_jobs(
            cycle.ports.chain_id, cycle.ports.address, self._after, JOBS_PER_CYCLE
        )
        last = waiting[-1].request if len(waiting) == JOBS_PER_CYCLE else None
        self._after = (-1, Bytes32(b"")) if last is None else (last.block.number, last.request_id)
        named = [job for job in waiting if job.request.input_commitment in here]
        # A file may still be written, or hold something else.
        ready = [job for job in named if cycle.ports.whole(job.request) is not None]
        if not ready:
            return
        with cycle.write() as writer:
            mine = writer.claim(job.key for job in ready)
            writer.load(mine)
            ready = [job for job in ready if job.key in mine and writer.still(job)]
            for job in ready:
                writer.advance(job.key, Supplied())
        for job in ready:
            cycle.tell(ProgressKind.INPUT_SUPPLIED, job.key)
