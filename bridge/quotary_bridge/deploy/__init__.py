"""Deploying all contracts: planned, carried out by us or by a multisig, checked and verified."""

from __future__ import annotations

from quotary_bridge.deploy.blueprint import Blueprint, Creation
from quotary_bridge.deploy.check import check_deployment, entry_states
from quotary_bridge.deploy.deployer import Deployer, Forecast, Outcome, forecast
from quotary_bridge.deploy.ledger import Ledger
from quotary_bridge.deploy.openings import ROUTES
from quotary_bridge.deploy.parameters import Parameters, TimelockTerms
from quotary_bridge.deploy.unsigned import Draft, draft, write_batches
from quotary_bridge.deploy.verify import Build, verify_deployment

__all__ = [
    "ROUTES",
    "Blueprint",
    "Build",
    "Creation",
    "Deployer",
    "Draft",
    "Forecast",
    "Ledger",
    "Outcome",
    "Parameters",
    "TimelockTerms",
    "check_deployment",
    "draft",
    "entry_states",
    "forecast",
    "verify_deployment",
    "write_batches",
]
