"""What a relayer asks of its store, as an onlooker sees it, never reads a table whole."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import ChainId, Timestamp
from quotary_bridge.store import Location, Store, StoreUnavailableError, engine
from sqlalchemy import event

from tests.bridge.relayer_town import (
    Town,
    Worker,
    address,
    client_of,
    drive,
    relayer_of,
    require_all_final,
)
from tests.bridge.store_parts import OpenStore

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

GROWING = "(job|slot|attempt|result|round|seat)"
OF_OPEN_ROWS = re.compile(r"USING (COVERING )?INDEX (job_unfinished|slot_unresolved|round_open)")
"""Read from end to end they are short: these indexes hold no row that is finished."""


class Onlooker:
    """Notes every statement that a store executes."""

    def __init__(self, store: Store) -> None:
        """Look on from now on."""
        self._store = store
        self.asked: dict[str, Any] = {}
        event.listen(store._engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _d: object, statement: str, parameters: Any, *more: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            _, many = more
            self.asked[statement] = parameters[0] if many else parameters

    def plans(self) -> dict[str, str]:
        """How the database would find the rows of each."""
        event.remove(self._store._engine, "before_cursor_execute", self._note)
        sqlite = self._store._engine.dialect.name == "sqlite"
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        found = {}
        with self._store._engine.connect() as connection:
            if not sqlite:
                # A table of ten rows is read whole whatever there is; what matters is what it may.
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, parameters in self.asked.items():
                rows = connection.exec_driver_sql(explain + statement, parameters).fetchall()
                found[statement] = [str(row[-1]) for row in rows]
        return {statement: "\n".join(plan) for statement, plan in found.items()}


def test_no_statement_of_a_relayer_reads_a_table_whole(
    town: Town, database: Location, open_store: OpenStore
) -> None:
    """From the first cycle to the last: reads, claims, locks, moves, nonces, replacements."""
    store = open_store(database, lambda: Timestamp(1_000))
    for number in range(4):
        town.ask(b"question %d" % number)
    onlooker = Onlooker(store)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        town.automine(on=False)
        for _ in range(4):
            relayer.tick()
            town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(90 * 10**9)])
            town.node.mine()
        town.automine(on=True)
        drive(relayer, town)
    require_all_final(town, store, requests=4)
    assert len(onlooker.asked) > 20
    for statement, plan in onlooker.plans().items():
        for line in plan.splitlines():
            whole = re.search(rf"SCAN {GROWING}\b|Seq Scan on {GROWING}\b", line)
            assert whole is None or OF_OPEN_ROWS.search(line), (statement, plan)


def test_a_locked_database_is_ridden_out(
    town: Town, tmp_path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds the file at any stage of a delivery: nothing is sent that is not stored."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MILLISECONDS", 50)
    path = tmp_path / "store.sqlite"
    store = open_store(path, lambda: Timestamp(1_000))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        for number in range(6):
            town.ask(b"question %d" % number)
            relayer.tick()
            with closing(sqlite3.connect(path, isolation_level=None)) as lock:
                lock.execute("BEGIN IMMEDIATE")
                sent = town.chain.nonce(address(town), "pending")
                town.node.mine()
                with pytest.raises(StoreUnavailableError):
                    relayer.tick()
                assert town.chain.nonce(address(town), "pending") == sent
        drive(relayer, town)
    require_all_final(town, store, requests=6)
    counts = store.counts(ChainId(town.chain.chain_id), town.oracle)
    assert counts[JobState.FINAL] == 6
