"""Sending a contract call from a command: simulated always, sent unless it is a dry run."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Literal

from quotary_bridge.chain.governance import Act, Governor
from quotary_bridge.chain.records import Receipt
from quotary_bridge.cli.options import Context
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address

__all__ = ["Governed", "Sent", "govern", "govern_by", "send"]


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


@dataclass(frozen=True, slots=True)
class Governed:
    """What became of a call of the governor; no act after a dry run."""

    gas: int
    act: Act | None
    then: str = "run the same command again"

    @property
    def done(self) -> bool:
        """Whether the call was made, not only announced."""
        return self.act is not None and self.act.done

    def fields(self) -> dict[str, object]:
        """Return what `--json` says of it."""
        if self.act is None:
            return {"sent": False, "gas": self.gas}
        fields: dict[str, object] = {
            "sent": bool(self.act.receipts),
            "gas": sum(receipt.gas_used for receipt in self.act.receipts),
            "transactions": [receipt.transaction_hash for receipt in self.act.receipts],
            "done": self.act.done,
        }
        if self.act.operation_id is not None:
            fields["operation"] = self.act.operation_id
        if not self.act.done:
            fields["executable_at"] = self.act.ready_at
        return fields

    def text(self) -> str:
        """Return what people are told of it."""
        if self.act is None:
            return f"dry run: it would succeed, with {self.gas:,} gas; nothing was sent"
        lines = [
            f"transaction  0x{receipt.transaction_hash.hex()}" for receipt in self.act.receipts
        ]
        if not self.act.done:
            lines.append(f"waits        {self.act.told()}; then {self.then}")
        return "\n".join(lines)


def govern(args: Namespace, context: Context, target: Address, data: bytes) -> Governed:
    """
    Bring a call of the governor one step on, or with `--dry-run` only simulate it.

    Raises what `Governor.advance` raises.
    """
    governor = Governor.of(context.chain, context.deployment())
    if args.dry_run:
        return Governed(governor.simulate(target, data), None)
    act = governor.advance(context.sender(), target, data)
    return Governed(sum(receipt.gas_used for receipt in act.receipts), act)


def govern_by(
    args: Namespace,
    context: Context,
    target: Address,
    data: bytes,
    verb: Literal["propose", "execute"],
) -> Governed:
    """
    Propose a call of the governor, or execute it, or with `--dry-run` only simulate it.

    Raises `ConfigurationError` where there is nowhere to propose, and what `Governor.propose` and
    `Governor.execute` raise.
    """
    governor = Governor.of(context.chain, context.deployment())
    if verb == "propose" and governor.timelock is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the governor {governor.address} is an account: there is nowhere to propose",
            "use execute in place of propose",
        )
    if args.dry_run:
        return Governed(governor.simulate(target, data), None)
    step = governor.propose if verb == "propose" else governor.execute
    act = step(context.sender(), target, data)
    gas = sum(receipt.gas_used for receipt in act.receipts)
    return Governed(gas, act, "use execute in place of propose")
