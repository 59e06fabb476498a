"""
Long work without nonces: waiting for proofs, keeping collateral fresh.

The book of tasks (`store.tasks`) holds the truth; an engine only decides who does the next step and
when. `local` asks the book and needs nothing else; `procrastinate` is a task queue on PostgreSQL.
"""

from __future__ import annotations

from quotary_bridge.work.engine import ENGINES, Engine, LocalEngine, engine_for
from quotary_bridge.work.step import Done, Handler, Handlers, Later, Outcome, do_step

__all__ = [
    "ENGINES",
    "Done",
    "Engine",
    "Handler",
    "Handlers",
    "Later",
    "LocalEngine",
    "Outcome",
    "do_step",
    "engine_for",
]
