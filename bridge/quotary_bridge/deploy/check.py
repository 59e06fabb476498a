"""Comparing what can change on a chain with the record: the timelock's terms and the routers."""

from __future__ import annotations

from collections.abc import Iterator

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import Timelock
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.deploy.openings import openings
from quotary_bridge.errors import DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["check_governance", "entry_states"]


def check_governance(chain: Chain, record: Deployment) -> None:
    """
    Compare the timelock's delay and roles, and where every router's entries lead, with the record.

    Governor, guardian and all else that a constructor fixed are part of the code, whose hash
    `Deployment.check` compares. Raises `DeploymentMismatch` with everything that differs.
    """
    found = [*_of_timelock(chain, record), *_of_routes(chain, record)]
    if found:
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"the chain differs from the record: {'; '.join(found)}",
            "find out who changed it: the timelock's and the routers' events say so",
        )


def entry_states(chain: Chain, record: Deployment) -> dict[str, str]:
    """Return what became of each router entry that the record has a verifier for, by its label."""
    return {opening.label: opening.state() for opening in openings(chain, record)}


def _of_timelock(chain: Chain, record: Deployment) -> Iterator[str]:
    standing = record.contracts.get("GovernanceTimelock")
    if standing is None:
        return
    timelock, terms = Timelock(chain, standing.address), standing.arguments
    delay = timelock.delay()
    if delay != terms["delay"]:
        yield f"the timelock's delay is {delay} s, not {terms['delay']} s"
    expected = {
        "PROPOSER_ROLE": terms["proposers"],
        "EXECUTOR_ROLE": terms["executors"],
        "CANCELLER_ROLE": [*terms["proposers"], terms["guardian"]],
        "DEFAULT_ADMIN_ROLE": [standing.address],
    }
    for role, accounts in expected.items():
        for account in accounts:
            if not timelock.has_role(role, Address(account)):
                yield f"{account} has lost {role}"
    if ZERO_ADDRESS not in terms["executors"] and timelock.has_role("EXECUTOR_ROLE", ZERO_ADDRESS):
        yield "anyone may execute"


def _of_routes(chain: Chain, record: Deployment) -> Iterator[str]:
    for opening in openings(chain, record):
        if opening.state() != "active":
            continue
        target = opening.target()
        if target != opening.verifier:
            yield f"{opening.label} leads to {target}, not to {opening.name}"
