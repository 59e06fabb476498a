"""What a relayer's figures say, and that every alert asks for figures that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from quotary_bridge.cli.relay_api import Api
from quotary_bridge.http import Listening, Metrics
from quotary_bridge.model import Wei
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.store import BatchState, Store

from tests.bridge.relayer_town import Town, Worker, address, client_of, relayer_of
from tests.bridge.store_parts import SIGNER

pytest_plugins = ["tests.bridge.relayer_fixtures"]

ALERTS = Path(__file__).parents[2] / "docs" / "relayer-alerts.yml"
_SELECTOR = re.compile(r"(quotary_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)="([^"]*)"')

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def samples(metrics: Metrics, *, batches: int = 0) -> Samples:
    """All figures by name and labels."""
    text = metrics.exposition({}, {}, {BatchState.SIGNED: batches}).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(found: Samples, name: str, **labels: str) -> float:
    return found[f"quotary_{name}", frozenset(labels.items())]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_figures_that_there_are(rule: dict[str, Any]) -> None:
    """With labels that take these values: a misspelt one would never fire."""
    metrics = Metrics(kind.value for kind in ProgressKind)
    metrics.vitals({SIGNER: Wei(1)}, 0)
    known = samples(metrics)
    asked = _SELECTOR.findall(rule["expr"])
    assert asked, rule["expr"]
    for name, matchers in asked:
        wanted = set(_MATCHER.findall(matchers))
        assert any(name == each and wanted <= labels for each, labels in known), (name, matchers)
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "action"}


def test_no_alert_is_there_twice() -> None:
    """And each is called as ours."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("Quotary") for name in names)


def test_figures_say_for_how_long_nothing_moved() -> None:
    """Neither the same block again, nor one further back, is progress."""
    now = [100.0]
    metrics = Metrics([], lambda: now[0])
    metrics.cycle("done", 0.1, 7, 5)
    for seconds, head, final in ((110.0, 7, 6), (120.0, 6, 6), (130.0, 7, None)):
        now[0] = seconds
        metrics.cycle("done", 0.1, head, final)
    found = samples(metrics, batches=2)
    assert figure(found, "seconds_without_progress", of="head") == 30.0
    assert figure(found, "seconds_without_progress", of="final") == 20.0
    assert (figure(found, "block"), figure(found, "final_block")) == (7.0, 6.0)
    assert figure(found, "open_batches", state="signed") == 2.0
    assert figure(found, "open_batches", state="committed") == 0.0


def test_a_relayer_says_what_it_owns_and_how_long_requests_wait(town: Town, store: Store) -> None:
    """From the first cycle on; a node that is away costs the figures, not the relayer."""
    with relayer_of(town, store, client_of(one=Worker(status=503))) as relayer:
        assert relayer.vitals().oldest_seconds == 0
        town.ask()
        relayer.tick()
        town.node.advance_to(town.chain.head().timestamp + 500)
        town.ask()
        relayer.tick()
        found = relayer.vitals()
        assert found.oldest_seconds >= 500
        assert found.balances == {address(town): town.chain.balance(address(town))}
        api = Api(Listening("127.0.0.1", 0))
        api.started(store, relayer)
        try:
            report = relayer.tick()
            api.cycled(report, 0.1)
            shown = samples(api._metrics)
        finally:
            api.stopped()
    assert figure(shown, "oldest_request_seconds") >= 500
    assert figure(shown, "balance_wei", account=address(town)) > 0
    assert figure(shown, "final_block") == report.final
