"""Kill -9 of `quotary relay run` itself: start-up, command line, logs and all."""

from __future__ import annotations

from pathlib import Path

from tests.faults.daemons import daemons_killed
from tests.faults.world import world

KILLS = 6


def test_a_daemon_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Behind a node that lies, drops and delays; and what it printed holds no secret."""
    with world(strict=False) as place:
        lives = daemons_killed(place, tmp_path, 7, KILLS)
    assert lives.verdict is not None
    assert lives.verdict.broken == ()
    assert lives.kills == KILLS
    assert lives.died_at["at work"] > 0
    assert lives.verdict.jobs >= 5
    log = (tmp_path / "daemon.log").read_text()
    # There was something to look through; what it did just before it died it never came to tell.
    assert "transaction_sent" in log
