"""Sending a contract call from a command: simulated always, sent unless it is a dry run."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from quotary_bridge.chain.records import Receipt
from quotary_bridge.cli.options import Context
from quotary_bridge.model import Address

__all__ = ["Sent", "send"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a call; no receipt after a dry run."""

    gas: int
    receipt: Receipt | None

    def fields(self) -> dict[str, object]:
        """Return what `--json` says of it."""
        if self.receipt is None:
            return {"sent": False, "gas": self.gas}
        return {
            "sent": True,
            "gas": self.receipt.gas_used,
            "transaction": self.receipt.transaction_hash,
            "block": self.receipt.block_number,
        }

    def text(self) -> str:
        """Return what people are told of it."""
        if self.receipt is None:
            return f"dry run: it would succeed, with {self.gas:,} gas; nothing was sent"
        return (
            f"transaction  0x{self.receipt.transaction_hash.hex()}\n"
            f"block        {self.receipt.block_number}\n"
            f"gas          {self.receipt.gas_used:,}"
        )


def send(args: Namespace, context: Context, to: Address, data: bytes, value: int = 0) -> Sent:
    """Send the call, or with `--dry-run` only simulate it; raises what `Sender.send` raises."""
    sender = context.sender()
    request = sender.request(to, data, value)
    if args.dry_run:
        return Sent(context.chain.simulate(request), None)
    receipt = sender.send(request)
    return Sent(receipt.gas_used, receipt)
