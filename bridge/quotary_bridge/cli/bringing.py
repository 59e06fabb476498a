"""Bringing collateral to the chain from a command: checked, then told document by document."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from quotary import Collateral, RawCollateral, TrustRoot
from quotary.cli.output import visible

from quotary_bridge.chain.contracts import CollateralStore, DcapVerifier
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.records import Receipt
from quotary_bridge.cli.options import Context
from quotary_bridge.collateral import Standing, Step, require_same_root, steps

__all__ = ["Brought", "bring", "chain_time", "dcap_verifier", "lacking", "store_behind"]

_SKIPPED: Mapping[Standing, str] = {
    Standing.SAME: "is there",
    Standing.NEWER: "the store's is newer",
}


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of one document; no receipt where nothing was sent."""

    name: str
    standing: Standing
    receipt: Receipt | None

    def fields(self) -> dict[str, object]:
        """Return what `--json` says of it."""
        fields: dict[str, object] = {
            "item": self.name,
            "standing": self.standing.value,
            "sent": self.receipt is not None,
        }
        if self.receipt is not None:
            fields |= {"gas": self.receipt.gas_used, "transaction": self.receipt.transaction_hash}
        return fields

    def text(self) -> str:
        """Return what people are told of it."""
        if self.receipt is not None:
            hashed = self.receipt.transaction_hash.hex()
            return f"{self.name:<26} brought, {self.receipt.gas_used:>9,} gas  0x{hashed}"
        return f"{self.name:<26} {_SKIPPED.get(self.standing, 'would be brought')}"


def dcap_verifier(context: Context, record: Deployment) -> DcapVerifier:
    """Return the chain's DCAP verifier; raises `ConfigurationError` where it has none."""
    return DcapVerifier(context.chain, record.address("DcapVerifier"))


def store_behind(verifier: DcapVerifier) -> CollateralStore:
    """Return the collateral store that `verifier` judges by."""
    return CollateralStore(verifier.chain, verifier.store())


def chain_time(context: Context) -> datetime:
    """Return the time of the newest block, by which contracts judge."""
    return datetime.fromtimestamp(context.chain.head().timestamp, UTC)


def lacking(store: CollateralStore, raw: RawCollateral) -> tuple[str, ...]:
    """Return the names of the documents of `raw` that the store has not, nor newer ones."""
    return tuple(step.name for step in steps(store, raw, assemble=False) if step.needed)


def bring(
    args: Namespace,
    context: Context,
    store: CollateralStore,
    raw: RawCollateral,
    root: TrustRoot,
    *,
    assemble: bool = True,
) -> list[Brought]:
    """
    Bring what the store lacks of `raw`, telling of each document as it goes, unless `--json`.

    All of it is verified here first, as of the chain's time, so that nothing is paid for what the
    store would refuse. Raises the verifier's errors, and what `Sender.send` raises: what was
    brought by then stays, and the next run goes on from there.
    """
    require_same_root(store, root)
    Collateral.verify(raw, root=root, at=chain_time(context))
    told = []
    for step in steps(store, raw, assemble=assemble):
        brought = Brought(step.name, step.standing, _sent(args, context, store, step))
        told.append(brought)
        if not args.json:
            sys.stdout.write(visible(brought.text()) + "\n")
            sys.stdout.flush()
    return told


def _sent(args: Namespace, context: Context, store: CollateralStore, step: Step) -> Receipt | None:
    # In a dry run nothing is simulated either: each document needs those before it.
    if args.dry_run or not step.needed:
        return None
    sender = context.sender()
    return sender.send(sender.request(store.address, step.data))
