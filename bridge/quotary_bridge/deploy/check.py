"""Comparing what can change on a chain with the record: the timelock's terms and the routes."""

from __future__ import annotations

from collections.abc import Iterator

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import RouteStatus, Timelock, VerifierRouter
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.deploy.plan import ROUTES
from quotary_bridge.errors import DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["check_governance", "route_states"]


def check_governance(chain: Chain, record: Deployment) -> None:
    """
    Compare the timelock's delay and roles, and every route's verifier, with the record.

    Governor, guardian and all else that a constructor fixed are part of the code, whose hash
    `Deployment.check` compares. Raises `DeploymentMismatch` with everything that differs.
    """
    found = [*_of_timelock(chain, record), *_of_routes(chain, record)]
    if found:
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"the chain differs from the record: {'; '.join(found)}",
            "find out who changed it: the timelock's and the router's events say so",
        )


def route_states(chain: Chain, record: Deployment) -> dict[str, RouteStatus]:
    """Return what became of each route that the record has a verifier for."""
    router = VerifierRouter(chain, record.address("VerifierRouter"))
    return {
        route.decode(): router.status_of(route)
        for verifier, route in ROUTES.items()
        if verifier in record.contracts
    }


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
    router = VerifierRouter(chain, record.address("VerifierRouter"))
    for verifier, route in ROUTES.items():
        if verifier not in record.contracts or router.status_of(route) is not RouteStatus.ACTIVE:
            continue
        target = router.verifier_of(route)
        if target != record.address(verifier):
            yield f"route {route.decode()} leads to {target}, not to {verifier}"
