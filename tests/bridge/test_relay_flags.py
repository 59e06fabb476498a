"""What the options of `quotary relay run` come to."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import fields

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import AccountChoice
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.cli.options import Context
from quotary_bridge.cli.relay_flags import add_run_flags, settings_of
from quotary_bridge.config import Settings
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.model import Address
from quotary_bridge.relayer import RelayerSettings

ORACLE = Address("0x0000000000000000000000000000000000000001")
FOREIGN_CHAIN = 5
WORKER = ("--worker", "http://127.0.0.1:8750")


def settings(*options: str) -> RelayerSettings:
    """Of a chain that is worth something, which nobody asks."""
    parser = ArgumentParser()
    add_run_flags(parser)
    chain = Chain.at("http://127.0.0.1:1", FOREIGN_CHAIN)
    stands = Deployed("ResultOracle", ORACLE, {}, b"", b"", None, 7, b"")
    record = Deployment(FOREIGN_CHAIN, b"", ORACLE, {}, contracts={"ResultOracle": stands})
    context = Context(Settings(confirmations=2), chain, AccountChoice())
    args = parser.parse_args([*WORKER, *options])
    return settings_of(args, context, record, len(args.worker))


def test_every_option_reaches_the_setting_that_it_is_for() -> None:
    """Nothing is set but what was asked for, and what the chain says."""
    usual = RelayerSettings(start_block=7, confirmations=2)  # type: ignore[arg-type]
    assert settings() == usual
    options = {
        "replace_after": (("--replace-after", "9"), 9),
        "in_flight": (("--in-flight", "64"), 64),
        "concurrent_workers": (("--concurrent-workers", "3"), 3),
        "results_per_job": (("--results-per-job", "2"), 2),
        "max_fee": (("--max-fee", "30gwei"), 30 * 10**9),
        "poll_seconds": (("--poll", "0.5"), 0.5),
        "hedge_seconds": (("--hedge-seconds", "5"), 5.0),
        "round_seconds": (("--round-seconds", "6"), 6.0),
        "finality_depth": (("--finality", "12"), 12),
        "refunds": (("--refund",), True),
        "batch_most": (("--batch-most", "10"), 10),
        "batch_seconds": (("--batch-seconds", "4"), 4.0),
        "pushes": (("--batches", "push"), True),
    }
    for name, (words, value) in options.items():
        found = settings(*words)
        changed = {
            f.name for f in fields(usual) if getattr(found, f.name) != getattr(usual, f.name)
        }
        assert (changed, getattr(found, name)) == ({name}, value)


def test_as_many_workers_are_asked_at_a_time_as_there_are() -> None:
    """And four where there are fewer: an exchange is mostly waiting."""
    assert settings(*WORKER * 8).concurrent_workers == 9


@pytest.mark.parametrize(
    "words", [("--in-flight", "0"), ("--max-fee", "0"), ("--replace-after", "0"), ("--poll", "nan")]
)
def test_an_option_that_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    """Before anything is asked or sent."""
    with pytest.raises(ConfigurationError):
        settings(*words)
