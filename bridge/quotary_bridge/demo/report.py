"""What the demonstration shows: a telling for people as it goes, one object for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["Attack", "Report", "Transaction"]

_LABEL_COLUMNS = 22


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of the demonstration."""

    what: str
    hash: str
    gas: int


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack that was tried before the user's eyes, and the reason it was refused with."""

    what: str
    refused_by: str
    reason: str
    detail: str


@dataclass(slots=True)
class Report:
    """Collects what happened; prints it to `console` as it happens."""

    console: Console
    transactions: list[Transaction] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _section: str = ""

    def chapter(self, number: int, key: str, title: str) -> None:
        """Open a chapter; the facts that follow are kept under `key`."""
        self._section = key
        self.facts[key] = {}
        self.console.print()
        self.console.print(Text(f"{number}. {title}", style="bold"))

    def fact(self, label: str, value: str, *, note: str = "", exact: Any = None) -> None:  # noqa: ANN401
        """Tell one fact, with a remark in dimmer type; programs get `exact` where it is given."""
        self.facts[self._section][_key(label)] = value if exact is None else exact
        line = Text(f"   {label:<{_LABEL_COLUMNS}} ")
        line.append(value)
        if note:
            line.append(f"  {note}", style="dim")
        self.console.print(line, soft_wrap=True)

    def keep(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Keep a value for programs without telling it."""
        self.facts[self._section][name] = value

    def remark(self, text: str) -> None:
        """Tell something that is no fact of the run."""
        self.console.print(Text(f"   {text}", style="dim"))

    def warning(self, text: str) -> None:
        """Tell what the person must not overlook."""
        self.facts[self._section].setdefault("warnings", []).append(text)
        self.console.print(Text(f"   ! {text}", style="yellow"), soft_wrap=True)

    def sent(self, what: str, transaction_hash: bytes, gas: int) -> None:
        """Record one transaction and tell of it."""
        entry = Transaction(what, "0x" + transaction_hash.hex(), gas)
        self.transactions.append(entry)
        line = Text("   ✓ ", style="green")
        line.append(Text(f"{what}  ", style="default"))
        line.append(Text(f"{gas:,} gas  {entry.hash[:10]}…", style="dim"))
        self.console.print(line, soft_wrap=True)

    def refused(self, attack: Attack) -> None:
        """Record one attack that failed as it must."""
        self.attacks.append(attack)
        line = Text("   ✗ ", style="red")
        line.append(Text(attack.what, style="default"))
        self.console.print(line, soft_wrap=True)
        self.console.print(
            Text(f"     refused by {attack.refused_by}: {attack.reason}", style="bold"),
            soft_wrap=True,
        )
        if attack.detail:
            self.console.print(Text(f"     {attack.detail}", style="dim"), soft_wrap=True)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show on a terminal that something takes a moment."""
        with self.console.status(f"   {text}"):
            yield

    def summary(self) -> None:
        """Print every transaction with its gas."""
        width = max(len(entry.what) for entry in self.transactions)
        for entry in self.transactions:
            line = f"   {entry.what:<{width}}  {entry.gas:>9,} gas  {entry.hash}"
            self.console.print(Text(line), soft_wrap=True)

    def as_object(self) -> dict[str, Any]:
        """Everything as one JSON-ready object."""
        return {
            "schema_version": 1,
            "ok": True,
            **self.facts,
            "attacks": [
                {"what": a.what, "refused_by": a.refused_by, "reason": a.reason, "detail": a.detail}
                for a in self.attacks
            ],
            "transactions": [
                {"what": t.what, "hash": t.hash, "gas": t.gas} for t in self.transactions
            ],
        }


def _key(label: str) -> str:
    """Return a label as a JSON field's name."""
    return "_".join(label.lower().replace(",", "").split())
