"""A town of batches with a relayer in it, and what that one told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import BatchCommitted, RequestStatus
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import BlockNumber
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, RelayerSettings
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import Endpoint, WorkerClient

from tests.bridge.batch_town import BatchTown, worker_client

RELAYER = 2
FINALITY = 3


class DeathError(BaseException):
    """A relayer ends between two steps, with what it committed."""


@dataclass
class Street:
    """The town of batches, and everything a relayer told there."""

    town: BatchTown
    events: list[Progress] = field(default_factory=list)
    dies_at: ProgressKind | None = None
    nonce_before: int = 0

    def heard(self, progress: Progress) -> None:
        """Remember what is told; where it is meant to, the relayer dies of it."""
        self.events.append(progress)
        if progress.kind is self.dies_at:
            raise DeathError

    def relayer(
        self,
        store: Store,
        client: WorkerClient | None = None,
        chain: Chain | None = None,
        account: int = RELAYER,
        inputs: InputFolder | None = None,
        **changes: float,
    ) -> Relayer:
        """A relayer on one account, the third unless another is named."""
        settings = RelayerSettings(
            finality_depth=FINALITY,
            start_block=BlockNumber(self.town.deployed_at),
            batch_start_block=BlockNumber(self.town.deployed_at),
            batch_seconds=0.0,
            patience_seconds=60.0,
            replace_after=2,
            pushes=True,
        )
        return Relayer(
            chain or self.town.node.chain,
            self.town.results,
            store,
            self.town.node.signers[account],
            [Endpoint("http://worker")],
            settings=replace(settings, **changes),  # type: ignore[arg-type]
            listener=self.heard,
            client=client or worker_client(),
            holder=f"a test, {account}",
            batches=self.town.oracle.address,
            inputs=inputs,
        )

    def drive(self, relayer: Relayer, cycles: int = 20) -> None:
        """Run cycles, one block apart, until nothing can move any more."""
        for _ in range(cycles):
            if relayer.tick().idle:
                return
            self.town.node.mine()

    def told(self, kind: ProgressKind) -> list[Progress]:
        """What was told of one kind."""
        return [event for event in self.events if event.kind is kind]

    def commitments(self) -> list[BatchCommitted]:
        """Every batch the chain has."""
        chain = self.town.node.chain
        topic = interface("BatchOracle").event("BatchCommitted").topic
        logs = chain.logs([self.town.oracle.address], 0, chain.head().number, [topic])
        return [told for told in map(BatchCommitted.of, logs) if told is not None]

    def statuses(self) -> list[RequestStatus]:
        """What became of every request."""
        town = self.town
        ids = [made.request_id(town.node.chain_id, town.oracle.address) for made in town.made]
        return [state.status for state in town.oracle.states_of(ids, "latest")]
