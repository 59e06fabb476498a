"""
Kill a relayer again and again, on a chain that misbehaves, and judge what came of it.

Every kill is a process of its own, forked and ended by SIGKILL at a point that the seed chose; what
it leaves behind, in the store and on the chain, is all that the next one finds. At the end one
relayer that nobody kills has to bring everything to its end.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog
from quotary_bridge.chain import Chain
from quotary_bridge.chain.transport import JsonRpcProvider
from quotary_bridge.errors import Permanent, Transient
from quotary_bridge.model import BlockNumber, ChainId, Timestamp
from quotary_bridge.relayer import Progress, Relayer, RelayerSettings
from quotary_bridge.relayer.rests import REST_CYCLES_LIMIT
from quotary_bridge.store import Location, Store
from quotary_bridge.workers import Endpoint, WorkerClient
from sqlalchemy import Engine
from web3 import Web3

from tests.bridge.relayer_town import Worker, client_of
from tests.faults.batches import BatchWorker, claim_committed
from tests.faults.chaos import MAX_DEPTH, Chaos
from tests.faults.crowd import ROUND_SECONDS, Crowd, Reach
from tests.faults.plans import Plan, Record
from tests.faults.points import Aim, Doom, PointedStore, Points, pointed_chain, seldom
from tests.faults.verdict import judge
from tests.faults.world import ACCOUNTS, RELAYER, RESERVED_SECONDS, World

CANARY = "canary-7c1e0b"
"""Stands in the URL of the node, where services put access keys."""

MINED_MEANWHILE = 0.8
"""How often the chain goes on between a relayer's death and its restart."""

MOST_OPEN = 3
"""Requests are asked as planned while fewer are open than so many times those at the start."""

RESERVED_EVERY = 4
PASSED_EVERY = 10
"""Every fourth request is reserved, and after every tenth kill reservations have run out."""

WARM_UP_TICKS = 3
LONGEST_LIFE, LONGEST_LIFE_OF_MANY = 120, 200
"""In points. A cycle passes forty or so where there is an answer to deliver."""

DRAIN_CYCLES = 400
DRAIN_CYCLES_BEHIND_A_PROXY = 3_000
"""There, nine of ten cycles come to nothing."""

FINALITY_DEPTH = 6
DEFECT = 70
STARTS_ANEW = 8
"""One life of so many opens the store itself, checks it and looks for migrations."""

WEATHER = "weather: "
"""How a trace tells what happened on the chain from the points that were passed."""


def _unnoticed(_name: str) -> None:
    return None


class RelayerDefectError(AssertionError):
    """A relayer ended by something else than the kill that was meant for it."""


class Campaign:
    """One plan, carried out in one world on one store."""

    def __init__(self, world: World, where: Location, plan: Plan, folder: Path) -> None:
        """Logs and traces go to `folder`."""
        self._world = world
        self._where = where
        self._plan = plan
        self._log = folder / "relayer.log"
        self._crowd = Crowd(folder / "workers")
        self._chance = random.Random(f"{plan.seed} between lives")
        self._batch_worker = BatchWorker() if world.batches else None
        self._aim = Aim(plan.seed, _longest_life(world), covers=plan.more_kills > 0)
        counts = self._aim.passed, self._aim.died, self._aim.came
        self._record = Record(plan.seed, 0, 0.0, *counts)
        self._engine: Engine | None = None
        self._answered = 0
        # Nobody in this process uses these lines: whoever is forked from it finds them unopened.
        self._line = Web3(JsonRpcProvider(self._url, plan.rpc_seconds))
        self._line_of_chaos = world.node.chain

    def run(self) -> Record:
        """Kill as often as planned; then let it finish, and judge."""
        began = time.monotonic()
        with self._logged():
            self._warm_up()
            while self._goes_on():
                self._live_and_die()
            self._drain()
        self._record.seconds = time.monotonic() - began
        self._record.verdict = judge(
            self._world, self._where, self._log, (CANARY, self._key), FINALITY_DEPTH
        )
        twice = self._crowd.asked_twice
        if twice:
            broken = (*self._record.verdict.broken, f"(i) {len(twice)} reveals to a second round")
            self._record.verdict = replace(self._record.verdict, broken=broken)
        return self._record

    def _goes_on(self) -> bool:
        kills, plan = self._record.kills, self._plan
        if kills < plan.kills:
            return True
        missed = len(self._aim.passed) < plan.least_points or not all(
            map(seldom, self._aim.untouched)
        )
        return missed and kills < plan.kills + plan.more_kills

    def _warm_up(self) -> None:
        """
        Live one life in this process, so that those forked from it know every statement already.

        Compiling them anew takes a third of a life. What this one holds open is closed before.
        """
        store = PointedStore.open(self._where, lambda: Timestamp(1_000))
        relayer = self._relayer(store, self._world.node.chain)
        with Path(os.devnull).open("wb") as nowhere:
            store.points = Points(None, nowhere.fileno(), lambda: None)
            for _ in range(WARM_UP_TICKS):
                self._world.ask()
                self._chaos(0, self._world.chain).mine()
                relayer.tick()
            relayer.close()
        self._crowd.let_go()
        for thread in threading.enumerate():
            if thread.name.startswith(("dispatch", "round", "batch")):
                thread.join()
        self._engine = store._engine
        self._engine.dispose()

    def _opened(self) -> PointedStore:
        """The store as a life finds it: now and then as a start does, else as it was left."""
        if self._engine is None or self._record.kills % STARTS_ANEW == 0:
            return PointedStore.open(self._where, lambda: Timestamp(1_000))
        # The connections of the process that this one was forked from are not this one's.
        self._engine.dispose(close=False)
        return PointedStore(self._engine, lambda: Timestamp(1_000))

    @property
    def _key(self) -> str:
        return bytes(self._world.signers[RELAYER]._account.key).hex()

    def _live_and_die(self) -> None:
        self._ask()
        twins = ACCOUNTS[:2], ACCOUNTS[2:]
        lives = [
            self._born(accounts) for accounts in (twins if self._plan.twins else (ACCOUNTS[:1],))
        ]
        for life in lives:
            self._die(*self._ended(*life))
        if self._chance.random() < MINED_MEANWHILE:
            self._chaos(0, self._world.chain).mine()
        if self._world.batches and not self._plan.pushes:
            self._claim()

        if self._plan.reserved and self._record.kills % PASSED_EVERY == 0:
            self._pass_reservations()

    def _pass_reservations(self) -> None:
        """Let the time of workers that there are not go by, for requests no reorg reaches."""
        chain = self._world.chain
        self._chaos(0, chain).mine(MAX_DEPTH + 1)
        settled = BlockNumber(chain.head().number - MAX_DEPTH)
        if chain.nonce(self._world.requester, settled) == len(self._world.requests):
            chain.rpc("evm_increaseTime", [RESERVED_SECONDS + 1])
            # What is asked next is reserved from then on: the time moves with a block only.
            self._chaos(0, chain).mine()

    def _born(self, accounts: Sequence[int]) -> tuple[int, int]:
        """Start a life that is meant to end somewhere; the world changes in that of the first."""
        doom = self._aim.next(at_untouched=self._record.kills >= self._plan.kills)
        return self._started(lambda trace: self._relay(doom, trace, accounts))

    def _die(self, status: int, passed: list[str]) -> None:
        """Take in how a life ended."""
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            raise RelayerDefectError("\n".join(passed[-40:]))
        self._record.kills += 1
        weather = [name for name in passed if name.startswith(WEATHER)]
        self._record.happened.update(name.removeprefix(WEATHER) for name in weather)
        self._aim.learn([name for name in passed if not name.startswith(WEATHER)])

    def _claim(self) -> None:
        """Have those who asked claim, in this process, what their relayer committed."""
        with closing(Store.open(self._where, lambda: Timestamp(1_000))) as store:
            claim_committed(self._world, store, self._world.chain)

    def _ask(self) -> None:
        wanted = self._record.kills * self._plan.jobs_per_kill + self._plan.open_requests
        while len(self._world.requests) < wanted and not self._too_many_open():
            number = len(self._world.requests)
            self._world.ask(of_nobody=self._plan.reserved and number % RESERVED_EVERY == 0)

    def _too_many_open(self) -> bool:
        """Whether lives as short as these are would only fall further behind."""
        most = MOST_OPEN * self._plan.open_requests
        if len(self._world.requests) - self._answered >= most:
            self._answered = len(self._world.answers())
        return len(self._world.requests) - self._answered >= most

    def _drain(self) -> None:
        """Let one relayer live until nothing is left to do."""
        status, passed = self._fork(self._finish)
        if status != 0:
            raise RelayerDefectError("\n".join(passed[-40:]))

    def _fork(self, live: Callable[[int], None]) -> tuple[int, list[str]]:
        """Run `live` in a process of its own; returns how it ended, and the points it passed."""
        return self._ended(*self._started(live))

    def _started(self, live: Callable[[int], None]) -> tuple[int, int]:
        """Begin `live` in a process of its own; returns that, and where its points are read."""
        reading, writing = os.pipe()
        # A pipe holds 64 KiB, which is more than a life's points; nobody has to read meanwhile.
        child = os.fork()
        if child == 0:
            _be(live, writing)
        os.close(writing)
        return child, reading

    def _ended(self, child: int, reading: int) -> tuple[int, list[str]]:
        """Wait until it has ended; returns how, and the points it passed."""
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as trace:
            return status, trace.read().decode().splitlines()

    def _relay(self, doom: Doom, trace: int, accounts: Sequence[int]) -> None:
        chaos = self._chaos(self._record.kills, self._line_of_chaos)
        chaos.tell = lambda name: os.write(trace, f"{WEATHER}{name}\n".encode())
        points = Points(doom, trace, chaos.disturb if RELAYER in accounts else lambda: None)
        store = self._opened()
        store.points = points
        chain = pointed_chain(self._line, self._world.chain_id, points)
        relayer = self._relayer(store, chain, points.pass_by, accounts)
        if self._plan.sabotage is not None:
            self._plan.sabotage(relayer)
        while True:
            try:
                relayer.tick()
            except (Transient, Permanent) as error:
                structlog.get_logger().warning("cycle_failed", detail=str(error))
            self._require_true_books(relayer, store)

    def _require_true_books(self, relayer: Relayer, store: Store) -> None:
        """What the relayer remembers of its nonces is what the store holds, whatever happened."""
        chain_id = ChainId(self._world.chain_id)
        for lane in relayer._lanes._lanes if relayer._lanes is not None else ():
            stored = store.unresolved_slots(chain_id, lane.signer.address)
            kept = lane.book.slots(lambda stored=stored: stored)
            if kept != stored:
                raise AssertionError(f"the store holds {stored}, the relayer remembers {kept}")

    def _finish(self, _trace: int) -> None:
        store = Store.open(self._where, lambda: Timestamp(1_000))
        relayer = self._relayer(store, Chain.at(self._url, self._world.chain_id))
        if self._plan.sabotage is not None:
            self._plan.sabotage(relayer)
        chaos = self._chaos(0, self._line_of_chaos)
        if self._plan.reserved:
            self._pass_reservations()
        idle = 0
        for _ in range(DRAIN_CYCLES_BEHIND_A_PROXY if self._plan.url else DRAIN_CYCLES):
            if self._world.batches and not self._plan.pushes:
                claim_committed(self._world, store, self._line_of_chaos)
            chaos.mine()
            try:
                idle = idle + 1 if relayer.tick().idle else 0
            except (Transient, Permanent) as error:
                structlog.get_logger().warning("cycle_failed", detail=str(error))
            if idle > (REST_CYCLES_LIMIT if self._plan.reserved else FINALITY_DEPTH):
                break
        relayer.close()
        store.close()

    def mine_then_give_back(self) -> None:
        """Let one answer be mined, a reorg put it back into the pool, and all be mined again."""
        status, passed = self._fork(self._see_a_reorg)
        if status != 0:
            raise RelayerDefectError("\n".join(passed[-40:]))

    def _see_a_reorg(self, _trace: int) -> None:
        store = Store.open(self._where, lambda: Timestamp(1_000))
        relayer = self._relayer(store, self._world.node.chain)
        if self._plan.sabotage is not None:
            self._plan.sabotage(relayer)
        self._world.ask()
        chaos = self._chaos(0, self._line_of_chaos)
        for step in (chaos.mine, chaos.mine, partial(chaos.give_back, 1), chaos.mine, chaos.mine):
            step()
            relayer.tick()

    def _workers(self, reach: Reach) -> tuple[list[Endpoint], WorkerClient]:
        """Who is asked: one worker that always answers, or a crowd that does not."""
        if self._batch_worker is not None:
            return [Endpoint("http://one")], self._batch_worker.client(reach)
        if self._world.quorum.results == 1:
            return [Endpoint("http://one")], client_of(one=Worker())
        return self._crowd.endpoints, self._crowd.client(reach)

    def _relayer(
        self,
        store: Store,
        chain: Chain,
        reach: Reach = _unnoticed,
        accounts: Sequence[int] | None = None,
    ) -> Relayer:
        """A relayer that delivers from these accounts, by default from all there are."""
        first, *lanes = accounts or (ACCOUNTS if self._plan.twins else ACCOUNTS[:1])
        endpoints, client = self._workers(reach)
        log = structlog.get_logger("quotary.relayer")

        def _tell(progress: Progress) -> None:
            log.info(progress.kind.value, block=progress.block, **progress.details)

        relayer = Relayer(
            chain,
            self._world.results,
            store,
            self._world.signers[first],
            endpoints,
            settings=RelayerSettings(
                finality_depth=FINALITY_DEPTH,
                start_block=self._world.deployed_at,
                batch_start_block=self._world.deployed_at,
                batch_seconds=0.0,
                pushes=self._plan.pushes,
                replace_after=2,
                in_flight=8,
                patience_seconds=60.0,
                round_seconds=ROUND_SECONDS,
            ),
            listener=_tell,
            client=client,
            holder="a campaign",
            lanes=[self._world.signers[lane] for lane in lanes],
            batches=self._world.oracle if self._world.batches else None,
        )
        self._crowd.hasten(relayer)
        return relayer

    @property
    def _url(self) -> str:
        plain = self._plan.url or self._world.node.url
        return plain.replace("http://", f"http://someone:{CANARY}@")

    def _chaos(self, life: int, chain: Chain) -> Chaos:
        seed = f"{self._plan.seed}/{life}/{self._record.kills}"
        return Chaos(chain, seed, self._world.strangers, self._plan.weather)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Let every relayer write its log, as the daemon does, to one file."""
        with self._log.open("a") as file:
            structlog.configure(
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.JSONRenderer(default=str),
                ],
                logger_factory=structlog.WriteLoggerFactory(file),
            )
            try:
                yield
            finally:
                structlog.reset_defaults()


def _longest_life(world: World) -> int:
    return LONGEST_LIFE_OF_MANY if world.batches or world.quorum.results > 1 else LONGEST_LIFE


def _be(live: Callable[[int], None], trace: int) -> NoReturn:
    """Be a process that does one thing and ends."""
    code = DEFECT
    try:
        live(trace)
        code = 0
    except BaseException:  # noqa: BLE001 (told to the parent, who fails the test)
        os.write(trace, traceback.format_exc().encode())
    finally:
        os._exit(code)
