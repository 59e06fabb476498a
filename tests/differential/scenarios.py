"""Mutants of meaning: simulated evidence, deviated from at random and signed throughout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from random import Random

from quotary_enclave.simulator import Scenario, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.differential.bytes_of_evidence import Good
from tests.differential.certificate_changes import CERTIFICATE_CHANGES
from tests.differential.document_changes import DOCUMENT_CHANGES
from tests.differential.judges import Case
from tests.differential.quote_changes import QUOTE_CHANGES

__all__ = ["AT", "mutate_scenario", "simulated"]

AT = datetime(2026, 11, 1, tzinfo=UTC)
_CATALOGUE = {**FAULTS, **VARIATIONS}
_FROM_CATALOGUE = 0.25
_UNMINTABLE = (ValueError, KeyError, IndexError, TypeError, OverflowError)
"""What the simulator raises for combinations that cannot be written down, let alone signed."""


@cache
def _samples() -> Mapping[str, Scenario]:
    return samples(Simulator(AT, seed=b"differential"))


@cache
def simulated() -> tuple[Good, ...]:
    """Good evidence of every kind there is."""
    found = []
    for name, scenario in _samples().items():
        evidence = scenario.mint()
        at = int(evidence.at.timestamp())
        found.append(
            Good("simulated", name, evidence.quote, evidence.collateral, evidence.root_der, at)
        )
    return tuple(found)


def mutate_scenario(rng: Random) -> Case:
    """One to four changes of one sample, together."""
    while True:
        name = rng.choice(list(_samples()))
        scenario, changes = _deviate(rng, _samples()[name])
        try:
            evidence = scenario.mint()
            text = json.dumps(evidence.collateral)
        except _UNMINTABLE:
            continue
        return Case(
            category="simulated and signed",
            changes=(name, *changes),
            quote=evidence.quote,
            collateral=text,
            root_der=evidence.root_der,
            at=int(evidence.at.timestamp()),
        )


def _deviate(rng: Random, scenario: Scenario) -> tuple[Scenario, list[str]]:
    names = []
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        try:
            if rng.random() < _FROM_CATALOGUE:
                name = rng.choice(list(_CATALOGUE))
                if not _CATALOGUE[name].fits(scenario):
                    continue
                scenario = _CATALOGUE[name].deviate(scenario)
            else:
                group = rng.choice((QUOTE_CHANGES, CERTIFICATE_CHANGES, DOCUMENT_CHANGES))
                change = rng.choice(group)
                name = change.__name__
                scenario = change(rng, scenario)
        except _UNMINTABLE:
            continue
        names.append(name)
    return scenario, names
