"""The steps of a deployment in their order; a step's arguments follow from those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.deploy.parameters import Parameters, TimelockTerms
from quotary_bridge.model import Address

__all__ = ["ROUTES", "Route", "Step", "plan", "routes"]

Addresses = Mapping[str, Address]

ROUTES: Mapping[str, bytes] = MappingProxyType(
    {
        "CommitteeVerifier": b"Comm",
        "ZkQuoteVerifier": b"ZkR0",
        "StubQuoteVerifier": b"Stub",
    }
)
"""The route each verifier answers to (docs/formats.md, "Proof kinds and routes")."""


# MeasurementRegistry, VerifierRouter, TcbPolicy and WorkerRegistry: whoever reports changes.
_SEATS = 4


@dataclass(frozen=True, slots=True)
class Step:
    """The creation of one contract; `arguments` names its constructor's values, in their order."""

    contract: str
    arguments: Callable[[Addresses], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route the governor opens once all contracts stand."""

    route: bytes
    verifier: str


def plan(parameters: Parameters) -> tuple[Step, ...]:
    """Return the contracts to create, each after those it names."""
    steps = [*_governed(parameters), *_verifiers(parameters), *_registries(parameters)]
    if parameters.app_id is not None and parameters.model_id is not None:
        steps.append(
            Step(
                "ProposalAdvisor",
                lambda at: {
                    "oracle": at["ResultOracle"],
                    "appId": parameters.app_id,
                    "modelId": parameters.model_id,
                },
            )
        )
    return tuple(steps)


def routes(parameters: Parameters) -> tuple[Route, ...]:
    """Return the routes to open: a stub only where the router may have one."""
    verifiers = ["CommitteeVerifier"]
    if parameters.allow_stub:
        verifiers.append("StubQuoteVerifier")
    return tuple(Route(ROUTES[verifier], verifier) for verifier in verifiers)


def _governed(parameters: Parameters) -> list[Step]:
    governor = parameters.governor

    def hands(at: Addresses) -> dict[str, Any]:
        timelock = isinstance(governor, TimelockTerms)
        return {
            "governor": at["GovernanceTimelock"] if timelock else governor,
            "guardian": parameters.guardian,
            "log": at["ChangeLog"],
        }

    return [
        Step("ChangeLog", lambda _: {"seats": _SEATS}),
        *_timelock(parameters),
        Step("MeasurementRegistry", hands),
        Step(
            "VerifierRouter",
            lambda at: {
                **hands(at),
                "allowStub": parameters.allow_stub,
                "rootKeyHashes": list(parameters.root_key_hashes),
            },
        ),
        Step(
            "TcbPolicy",
            lambda at: {
                **hands(at),
                "defaultStatuses": parameters.workers.accepted_statuses,
            },
        ),
    ]


def _timelock(parameters: Parameters) -> list[Step]:
    terms = parameters.governor
    if not isinstance(terms, TimelockTerms):
        return []
    # The zero address in a role stands for everybody.
    executors = sorted(terms.executors, key=str.lower) or [ZERO_ADDRESS]
    return [
        Step(
            "GovernanceTimelock",
            lambda _: {
                "delay": terms.delay,
                "proposers": sorted(terms.proposers, key=str.lower),
                "executors": executors,
                "guardian": parameters.guardian,
            },
        )
    ]


def _verifiers(parameters: Parameters) -> list[Step]:
    members = sorted(parameters.committee.members, key=lambda member: int(member, 16))
    committee = Step(
        "CommitteeVerifier",
        lambda _: {
            "sortedMembers": members,
            "threshold": parameters.committee.threshold,
            "maxAge": parameters.max_age,
        },
    )
    if not parameters.allow_stub:
        return [committee]
    stub = Step(
        "StubQuoteVerifier",
        lambda at: {
            "receiptVerifier": at["RiscZeroStubVerifier"],
            "imageId": parameters.image_id,
            "maxAge": parameters.max_age,
        },
    )
    return [committee, Step("RiscZeroStubVerifier", lambda _: {}), stub]


def _registries(parameters: Parameters) -> list[Step]:
    rules = parameters.workers
    return [
        Step(
            "WorkerRegistry",
            lambda at: {
                "measurements": at["MeasurementRegistry"],
                "router": at["VerifierRouter"],
                "policy": at["TcbPolicy"],
                "maxChallengeAge": rules.max_challenge_age,
                "activationDelay": rules.activation_delay,
                "maxRegistrationAge": rules.max_registration_age,
            },
        ),
        Step(
            "QuoteNotary",
            lambda at: {
                "measurements": at["MeasurementRegistry"],
                "router": at["VerifierRouter"],
            },
        ),
        Step("ResultOracle", lambda at: {"workers": at["WorkerRegistry"]}),
    ]
