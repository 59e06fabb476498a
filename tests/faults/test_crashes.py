"""
Kill -9 at every point, on a chain that misbehaves: nothing lost, nothing doubled.

These are the short forms. `make campaign-ci` runs the long ones, and `make soak` does for hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from quotary_bridge.model import Address, ChainId, Timestamp
from quotary_bridge.store import Location, Store
from sqlalchemy import text

from tests.bridge.postgres import running_postgres
from tests.faults import crowd, mutants
from tests.faults.campaign import Campaign
from tests.faults.orders import uncovered
from tests.faults.plans import Plan, Record
from tests.faults.points import Aim
from tests.faults.steady import FINALITY_DEPTH, steady
from tests.faults.verdict import Verdict, found_secrets
from tests.faults.world import ACCOUNTS, world

KILLS = 30
BATCH_KILLS = 12
TWIN_KILLS = 16
ROUND_PLAN = Plan(20_262, kills=12, jobs_per_kill=0.3, open_requests=4)
POINTS = [f"step {number} commit" for number in range(9)]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    if request.param == "sqlite":
        yield tmp_path / "store.sqlite"
        return
    with running_postgres() as server:
        yield server.database()


def carried_out(where: Location, folder: Path, plan: Plan, *, strict: bool) -> Record:
    """The record of one campaign in a world of its own."""
    with world(strict=strict) as place:
        return Campaign(place, where, plan, folder).run()


def verdict_of(where: Location, folder: Path, plan: Plan, *, strict: bool) -> Verdict:
    """The verdict of one campaign in a world of its own."""
    verdict = carried_out(where, folder, plan, strict=strict).verdict
    assert verdict is not None
    return verdict


@pytest.mark.parametrize("strict", [False, True])
def test_kills_anywhere_lose_and_double_nothing(
    where: Location, tmp_path: Path, *, strict: bool
) -> None:
    """With the contract's own check for duplicates and without it: the relayer needs none."""
    if strict is isinstance(where, Path):
        pytest.skip("each back end has one of both contracts here, and both in the long form")
    record = carried_out(where, tmp_path, Plan(20_261, KILLS), strict=strict)
    assert record.kills == KILLS
    verdict = record.verdict
    assert verdict is not None
    assert verdict.broken == ()
    assert verdict.jobs >= KILLS / 2
    assert len(record.points) > 35, "hardly any point was passed"
    assert (tmp_path / "relayer.log").stat().st_size > 1_000, "there was no log to look through"


@pytest.mark.parametrize("strict", [False, True])
def test_kills_in_the_middle_of_rounds_lose_and_double_nothing(
    where: Location, tmp_path: Path, *, strict: bool
) -> None:
    """Three of five must agree, among workers that die, lie, stall, swap, copy and equivocate."""
    if strict is isinstance(where, Path):
        pytest.skip("each back end has one of both contracts: a round costs more than an answer")
    with world(strict=strict, quorum=crowd.QUORUM) as place:
        record = Campaign(place, where, ROUND_PLAN, tmp_path).run()
    verdict = record.verdict
    assert verdict is not None
    assert verdict.broken == ()
    assert record.kills == ROUND_PLAN.kills
    # Before and after: seats, what was heard, what was decided, reports, commitments, reveals.
    steps = {name for name in record.points if name.startswith(("rounds.", "errands.", "worker "))}
    assert len(steps) >= 10, f"hardly any point of a round was passed: {sorted(steps)}"


def test_kills_of_two_relayers_that_share_a_store_lose_and_double_nothing(tmp_path: Path) -> None:
    """On one PostgreSQL, one of them with two accounts: whichever delivers leaves no gap."""
    with running_postgres() as server, world(strict=False) as place:
        plan = Plan(20_264, kills=TWIN_KILLS, twins=True)
        record = Campaign(place, server.database(), plan, tmp_path).run()
        used = [place.chain.nonce(place.signers[account].address) for account in ACCOUNTS]
    assert record.verdict is not None
    assert record.verdict.broken == ()
    assert record.kills == TWIN_KILLS
    # Who of them came first to which request is chance.
    assert sum(used) >= record.verdict.jobs > 0


@pytest.mark.parametrize("pushes", [False, True])
def test_kills_in_the_middle_of_batches_commit_and_claim_once(
    where: Location, tmp_path: Path, *, pushes: bool
) -> None:
    """The contract takes a root as often as it is brought: that it comes once is the relayer's."""
    if pushes is not isinstance(where, Path):
        pytest.skip("each back end has one of both, and both in the long form")
    with world(strict=not pushes, batches=True) as place:
        plan = Plan(20_263, BATCH_KILLS, open_requests=4, pushes=pushes)
        record = Campaign(place, where, plan, tmp_path).run()
    verdict = record.verdict
    assert verdict is not None
    assert verdict.broken == ()
    assert record.kills == BATCH_KILLS
    # Before and after: taken, asked, stored, committed, ended, and pushed where that is ours to do.
    steps = {name for name in record.points if name.startswith(("batch", "worker "))}
    assert len(steps) >= 15, f"hardly any point of a batch was passed: {sorted(steps)}"


def test_the_harness_catches_a_relayer_that_sends_before_it_commits(tmp_path: Path) -> None:
    """
    Within fifty kills: else a clean verdict would say nothing.

    A relayer that reads the chain first sees the answer nobody wrote down, and gives no second one:
    what shows is a nonce that was used and never given out.
    """
    plan = Plan(
        1,
        mutants.KILLS_BEFORE_CAUGHT,
        mutants.JOBS_PER_KILL,
        sabotage=mutants.sends_before_it_commits,
    )
    verdict = verdict_of(tmp_path / "store.sqlite", tmp_path, plan, strict=False)
    assert any(promise.startswith("(c)") for promise in verdict.broken)


@pytest.mark.parametrize("strict", [False, True])
def test_only_a_trusting_contract_shows_who_forgets_a_nonce(
    tmp_path: Path, *, strict: bool
) -> None:
    """The contract's own check turns a double delivery into a reverted one, and so hides it."""
    with world(strict=strict) as place:
        plan = Plan(2, 1, sabotage=mutants.forgets_a_reorged_nonce_at_once)
        campaign = Campaign(place, tmp_path / "store.sqlite", plan, tmp_path)
        campaign.mine_then_give_back()
        assert len(place.answers()) == (1 if strict else 2)


def test_nobody_else_answers_twice_when_a_reorg_gives_transactions_back(tmp_path: Path) -> None:
    """The same story without the mutant."""
    with world(strict=False) as place:
        campaign = Campaign(place, tmp_path / "store.sqlite", Plan(2, 1), tmp_path)
        campaign.mine_then_give_back()
        assert len(place.answers()) == 1


def test_the_harness_catches_a_relayer_that_never_sends_again(tmp_path: Path) -> None:
    """What the pool lost is lost for good."""
    plan = Plan(3, KILLS, weather=mutants.LOSSES, sabotage=mutants.never_sends_again)
    verdict = verdict_of(tmp_path / "store.sqlite", tmp_path, plan, strict=False)
    assert any(promise.startswith("(a)") for promise in verdict.broken)


def test_a_seed_and_what_was_passed_choose_every_point() -> None:
    """So a campaign that broke something can be had again; and no point goes without its turn."""
    first, again, other = Aim(1, 80), Aim(1, 80), Aim(2, 80)
    differed = False
    for life in range(300):
        doom = first.next()
        assert doom == again.next()
        differed |= doom != other.next()
        passed = [name for number, name in enumerate(POINTS) if life % (number + 1) == 0]
        for aim in (first, again, other):
            aim.learn(passed[: doom.latest])
    assert differed
    assert set(first.died) == set(POINTS)


def test_an_aim_that_covers_leaves_no_point_out() -> None:
    """Whatever lives come by is died at in twice as many lives as there are points."""
    aim = Aim(1, 80, covers=True)
    names = [f"point {number}" for number in range(40)]
    for _ in range(2 * len(names) + 20):
        doom = aim.next()
        chosen = [number for number, name in enumerate(names) if name in doom.names]
        aim.learn(names[: min(doom.latest, chosen[0] + 1 if chosen else len(names))])
    assert aim.untouched == frozenset()
    assert aim.passed.keys() == set(names)


def test_a_point_that_was_passed_and_never_killed_at_breaks_a_campaign() -> None:
    """Unless hardly any life comes by it: it was found, and never met again, or is listed."""
    plan = Plan(1, 10, more_kills=10, least_points=4)
    passed = ("a", "b", "c", "settle._applied commit, after")
    record = Record(1, points=Counter(passed), lives=Counter(passed * 3))
    record.lives["c"] = 1
    record.died_at.update(("a",))
    assert uncovered(record, plan) == ["nobody was killed at b"]
    record.died_at.update(("b",))
    assert uncovered(record, plan) == []
    assert uncovered(record, replace(plan, least_points=5)) == ["only 4 of 5 points were passed"]


def test_a_secret_in_any_row_of_a_store_is_found(where: Location, tmp_path: Path) -> None:
    """As text and as bytes: else that none was found would say nothing."""
    secret = "5e" * 32
    with closing(Store.open(where, lambda: Timestamp(1_000))) as store:
        nowhere = tmp_path / "no.log"
        assert found_secrets(store, where, nowhere, (secret, "hidden")) == []
        lease = store.acquire(ChainId(1), Address(f"0x{'11' * 20}"), "a hidden holder")
        assert lease is not None
        assert "(g) a secret stands in table lease" in found_secrets(
            store, where, nowhere, ("hidden",)
        )
        with store._transaction() as connection:
            connection.execute(text("CREATE TABLE canary (word bytea)"), {})
            connection.execute(
                text("INSERT INTO canary VALUES (:word)"), {"word": bytes.fromhex(secret)}
            )
        assert "(g) a secret stands in table canary" in found_secrets(
            store, where, nowhere, (secret,)
        )


def test_a_relayer_that_nobody_kills_is_measured(tmp_path: Path) -> None:
    """So many answers are final as there can be; how long that took is for the report to say."""
    measured = steady(12, tmp_path)
    assert measured["finals"] > 0
    assert measured["blocks_median"] >= FINALITY_DEPTH
    assert measured["rss_warm"] > 0
