"""The steps of a deployment in their order; a step's arguments follow from those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.deploy.parameters import DEMO_IMAGE_ID, Parameters, TimelockTerms
from quotary_bridge.model import Address
from quotary_bridge.zk.risc_zero import RELEASES, Release

__all__ = ["Step", "plan", "stop_of"]

Addresses = Mapping[str, Address]

# MeasurementRegistry, ModelRegistry, VerifierRouter, TcbPolicy and WorkerRegistry: whoever reports
# changes.
_SEATS = 5
# RiscZeroRouter, where there is one: it speaks for the stops of its verifiers, too.
_SEATS_FOR_RECEIPTS = 1


@dataclass(frozen=True, slots=True)
class Step:
    """
    The creation of one contract.

    `name` is unique within a deployment, `contract` says what it is, and `arguments` names its
    constructor's values in their order.
    """

    name: str
    contract: str
    arguments: Callable[[Addresses], dict[str, Any]]

    @classmethod
    def of(cls, contract: str, arguments: Callable[[Addresses], dict[str, Any]]) -> Step:
        """Return the creation of a contract that a deployment has one of."""
        return cls(contract, contract, arguments)


def plan(parameters: Parameters) -> tuple[Step, ...]:
    """Return the contracts to create, each after those it names."""
    return (
        *_governed(parameters),
        *_verifiers(parameters),
        *_proofs(parameters),
        *_registries(parameters),
    )


def stop_of(release: Release) -> str:
    """Return the name of the contract that can shut a release of the prover out."""
    return f"RiscZeroEmergencyStop-{release.version}"


def _hands(parameters: Parameters, at: Addresses) -> dict[str, Any]:
    timelock = isinstance(parameters.governor, TimelockTerms)
    return {
        "governor": at["GovernanceTimelock"] if timelock else parameters.governor,
        "guardian": parameters.guardian,
    }


def _reporting(parameters: Parameters, at: Addresses) -> dict[str, Any]:
    return {**_hands(parameters, at), "log": at["ChangeLog"]}


def _takes_receipts(parameters: Parameters) -> bool:
    return parameters.image_id is not None or parameters.automata_program is not None


def _seats(parameters: Parameters) -> int:
    return _SEATS + (_SEATS_FOR_RECEIPTS if _takes_receipts(parameters) else 0)


def _governed(parameters: Parameters) -> list[Step]:
    return [
        Step.of("ChangeLog", lambda _: {"seats": _seats(parameters)}),
        *_timelock(parameters),
        Step.of("MeasurementRegistry", lambda at: _reporting(parameters, at)),
        Step.of("ModelRegistry", lambda at: _reporting(parameters, at)),
        Step.of(
            "VerifierRouter",
            lambda at: {
                **_reporting(parameters, at),
                "allowStub": parameters.allow_stub,
                "rootKeyHashes": list(parameters.root_key_hashes),
            },
        ),
        Step.of(
            "TcbPolicy",
            lambda at: {
                **_reporting(parameters, at),
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
        Step.of(
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
    return [
        Step.of(
            "CommitteeVerifier",
            lambda _: {
                "sortedMembers": members,
                "threshold": parameters.committee.threshold,
                "maxAge": parameters.max_age,
            },
        ),
        Step.of("DocumentParser", lambda _: {}),
        Step.of("RevocationListParser", lambda _: {}),
        Step.of(
            "CollateralStore",
            lambda at: {
                "root": parameters.collateral_root.certificate.der,
                "documentParser": at["DocumentParser"],
                "listParser": at["RevocationListParser"],
            },
        ),
        Step.of("DcapVerifier", lambda at: {"store": at["CollateralStore"]}),
    ]


def _proofs(parameters: Parameters) -> list[Step]:
    """Return what zero-knowledge proofs take, and the stub where the router may have one."""
    image_id, program = parameters.image_id, parameters.automata_program
    steps = []
    if _takes_receipts(parameters):
        steps += _receipts(parameters)
    if image_id is not None:
        steps += _zk(parameters, image_id)
    if program is not None:
        steps.append(
            Step.of(
                "AutomataRiscZeroVerifier",
                lambda at: {
                    "verifier": at["RiscZeroRouter"],
                    "program": program,
                    "maxAge": parameters.max_age,
                },
            )
        )
    if parameters.allow_stub:
        steps += _stub(parameters)
    return steps


def _receipts(parameters: Parameters) -> list[Step]:
    """Return the router of receipts, and behind a stop the verifier of each release."""
    steps = [Step.of("RiscZeroRouter", lambda at: _reporting(parameters, at))]
    for release in RELEASES:
        steps += _release(parameters, release)
    return steps


def _release(parameters: Parameters, release: Release) -> list[Step]:
    verifier = f"RiscZeroGroth16Verifier-{release.version}"
    return [
        Step(
            verifier,
            "RiscZeroGroth16Verifier",
            lambda _: {
                "key": astuple(release.key),
                "controlRoot": release.control_root,
                "controlId": release.control_id,
            },
        ),
        Step(
            stop_of(release),
            "RiscZeroEmergencyStop",
            lambda at: {
                "verifier": at[verifier],
                "router": at["RiscZeroRouter"],
                **_hands(parameters, at),
            },
        ),
    ]


def _zk(parameters: Parameters, image_id: bytes) -> list[Step]:
    return [
        Step.of(
            "ZkQuoteVerifier",
            lambda at: {
                "receiptVerifier": at["RiscZeroRouter"],
                "imageId": image_id,
                "maxAge": parameters.max_age,
                "collateral": at["CollateralStore"],
            },
        ),
    ]


def _stub(parameters: Parameters) -> list[Step]:
    return [
        Step.of("RiscZeroStubVerifier", lambda _: {}),
        Step.of(
            "StubQuoteVerifier",
            lambda at: {
                "receiptVerifier": at["RiscZeroStubVerifier"],
                "imageId": parameters.image_id or DEMO_IMAGE_ID,
                "maxAge": parameters.max_age,
            },
        ),
    ]


def _registries(parameters: Parameters) -> list[Step]:
    rules = parameters.workers
    return [
        Step.of("Corroborations", lambda _: {}),
        Step.of(
            "CollateralCalendar",
            lambda at: {"store": at["CollateralStore"], "maxStretch": rules.max_stretch},
        ),
        Step.of(
            "WorkerRegistry",
            lambda at: {
                "measurements": at["MeasurementRegistry"],
                "router": at["VerifierRouter"],
                "policy": at["TcbPolicy"],
                "corroborations": at["Corroborations"],
                "calendar": at["CollateralCalendar"],
                "maxChallengeAge": rules.max_challenge_age,
                "activationDelay": rules.activation_delay,
                "maxRegistrationAge": rules.max_registration_age,
            },
        ),
        Step.of(
            "QuoteNotary",
            lambda at: {
                "measurements": at["MeasurementRegistry"],
                "router": at["VerifierRouter"],
            },
        ),
        *_answers(parameters),
        *_example(parameters),
    ]


def _answers(parameters: Parameters) -> list[Step]:
    """Return what takes answers: single ones and rounds, batches, and what gateways sign."""

    def _book(at: Addresses) -> dict[str, Any]:
        return {
            "workers": at["WorkerRegistry"],
            "models": at["ModelRegistry"],
            "quotas": list(astuple(parameters.oracle.quotas)),
            "tokens": [list(astuple(token)) for token in parameters.oracle.tokens],
        }

    return [
        Step.of("ResultOracle", _book),
        Step.of("BatchOracle", _book),
        Step.of(
            "GatewayKeys",
            lambda at: {
                "notary": at["QuoteNotary"],
                "acceptedStatuses": parameters.workers.accepted_statuses,
            },
        ),
        Step.of("GatewayAdapter", lambda at: {"workers": at["GatewayKeys"]}),
        Step.of(
            "ReceiptAdapter",
            lambda at: {"keys": at["GatewayKeys"], "committee": at["CommitteeVerifier"]},
        ),
    ]


def _example(parameters: Parameters) -> list[Step]:
    if parameters.app_id is None or parameters.model_id is None:
        return []
    return [
        Step.of(
            "ProposalAdvisor",
            lambda at: {
                "oracle": at["ResultOracle"],
                "appId": parameters.app_id,
                "modelId": parameters.model_id,
            },
        )
    ]
