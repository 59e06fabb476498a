"""Deploying all contracts: a plan that can be shown, interrupted, and run again."""

from __future__ import annotations

from quotary_bridge.deploy.deployer import Deployer, Outcome
from quotary_bridge.deploy.parameters import Parameters, TimelockTerms
from quotary_bridge.deploy.plan import ROUTES, Step, plan

__all__ = ["ROUTES", "Deployer", "Outcome", "Parameters", "Step", "TimelockTerms", "plan"]
