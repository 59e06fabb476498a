"""What the registries and their log tell, as records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType

from quotary_bridge.chain.contracts.base import (
    MeasurementStatus,
    ModelStatus,
    address_of,
)
from quotary_bridge.chain.contracts.models import Model, model_from
from quotary_bridge.chain.contracts.profiles import Profile, profile_from
from quotary_bridge.chain.contracts.registries import Manifest
from quotary_bridge.chain.contracts.workers import CohortFacts, cohort_from
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.model import Address, Bytes32

__all__ = [
    "REGISTRY_DECODERS",
    "CohortFormed",
    "MeasurementAdmitted",
    "MeasurementMatched",
    "MeasurementRevoked",
    "ModelAdmitted",
    "ModelRevoked",
    "PolicyChanged",
    "ProfileAdmitted",
    "RegistryEvent",
    "WorkerRegistered",
    "WorkerRenewed",
    "WorkerRetired",
    "WorkerRevoked",
]


@dataclass(frozen=True, slots=True)
class MeasurementAdmitted:
    """An app may use a measurement from now on."""

    app_id: Bytes32
    measurement_id: Bytes32
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class ProfileAdmitted:
    """An app may use what a profile matches, once it was brought to the registry."""

    app_id: Bytes32
    profile_id: Bytes32
    profile: Profile
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class MeasurementMatched:
    """An app may use a measurement as long as a profile is admitted."""

    app_id: Bytes32
    measurement_id: Bytes32
    profile_id: Bytes32


@dataclass(frozen=True, slots=True)
class MeasurementRevoked:
    """An app may never use a measurement again."""

    app_id: Bytes32
    measurement_id: Bytes32
    previous: MeasurementStatus
    by: Address


@dataclass(frozen=True, slots=True)
class ModelAdmitted:
    """Requests may ask for a model from now on."""

    model_id: Bytes32
    model: Model


@dataclass(frozen=True, slots=True)
class ModelRevoked:
    """No result may ever name a model again."""

    model_id: Bytes32
    previous: ModelStatus
    by: Address


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """
    Something that a deployment accepts was changed: every change there is shows up as one of these.

    `change` is the selector of the function that did it; `epoch` moves on where answers found
    before may be wrong now.
    """

    source: Address
    subject: Bytes32
    actor: Address
    change: bytes
    narrows: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class CohortFormed:
    """A registration was the first of its cohort."""

    cohort: int
    facts: CohortFacts


@dataclass(frozen=True, slots=True)
class WorkerRegistered:
    """A worker's key was bound to a TEE; times are Unix seconds."""

    worker: Address
    app_id: Bytes32
    measurement_id: Bytes32
    quote_hash: Bytes32
    encryption_key: Bytes32
    platform_id: Bytes32
    cohort: int
    active_from: int
    valid_until: int
    challenge_block: int
    collateral_from: int


@dataclass(frozen=True, slots=True)
class WorkerRenewed(WorkerRegistered):
    """A registered worker brought a fresh quote."""


@dataclass(frozen=True, slots=True)
class WorkerRevoked:
    """A worker counts no more, and never will."""

    worker: Address
    app_id: Bytes32
    by: Address


@dataclass(frozen=True, slots=True)
class WorkerRetired:
    """A worker left."""

    worker: Address
    app_id: Bytes32
    by: Address


RegistryEvent = (
    MeasurementAdmitted
    | ProfileAdmitted
    | MeasurementMatched
    | MeasurementRevoked
    | ModelAdmitted
    | ModelRevoked
    | PolicyChanged
    | CohortFormed
    | WorkerRegistered
    | WorkerRenewed
    | WorkerRevoked
    | WorkerRetired
)


def _admitted(a: AbiValue) -> MeasurementAdmitted:
    source = a["manifest"]
    manifest = Manifest(source["sourceCommit"], source["buildDigest"], source["sourceUri"])
    return MeasurementAdmitted(a["appId"], a["measurementId"], manifest)


def _profile_admitted(a: AbiValue) -> ProfileAdmitted:
    source = a["manifest"]
    manifest = Manifest(source["sourceCommit"], source["buildDigest"], source["sourceUri"])
    return ProfileAdmitted(a["appId"], a["profileId"], profile_from(a["profile"]), manifest)


def _matched(a: AbiValue) -> MeasurementMatched:
    return MeasurementMatched(a["appId"], a["measurementId"], a["profileId"])


def _measurement_revoked(a: AbiValue) -> MeasurementRevoked:
    previous = MeasurementStatus(a["from"])
    return MeasurementRevoked(a["appId"], a["measurementId"], previous, address_of(a["by"]))


def _model_admitted(a: AbiValue) -> ModelAdmitted:
    return ModelAdmitted(a["modelId"], model_from(a["model"]))


def _model_revoked(a: AbiValue) -> ModelRevoked:
    return ModelRevoked(a["modelId"], ModelStatus(a["from"]), address_of(a["by"]))


def _policy_changed(a: AbiValue) -> PolicyChanged:
    return PolicyChanged(
        source=address_of(a["source"]),
        subject=a["subject"],
        actor=address_of(a["actor"]),
        change=a["change"],
        narrows=a["narrows"],
        epoch=a["epoch"],
    )


def _cohort_formed(a: AbiValue) -> CohortFormed:
    return CohortFormed(a["cohort"], cohort_from(a["facts"]))


def _worker_registered(a: AbiValue) -> WorkerRegistered:
    shown = a["registration"]
    return WorkerRegistered(
        worker=address_of(a["worker"]),
        app_id=a["appId"],
        measurement_id=a["measurementId"],
        quote_hash=shown["quoteHash"],
        encryption_key=shown["encryptionKey"],
        platform_id=shown["platformId"],
        cohort=shown["cohort"],
        active_from=shown["activeFrom"],
        valid_until=shown["validUntil"],
        challenge_block=shown["challengeBlock"],
        collateral_from=shown["collateralFrom"],
    )


def _worker_renewed(a: AbiValue) -> WorkerRenewed:
    return WorkerRenewed(*astuple(_worker_registered(a)))


def _worker_revoked(a: AbiValue) -> WorkerRevoked:
    return WorkerRevoked(address_of(a["worker"]), a["appId"], address_of(a["by"]))


def _worker_retired(a: AbiValue) -> WorkerRetired:
    return WorkerRetired(address_of(a["worker"]), a["appId"], address_of(a["by"]))


REGISTRY_DECODERS: Mapping[str, tuple[str, Callable[[AbiValue], RegistryEvent]]] = MappingProxyType(
    {
        "MeasurementAdmitted": ("MeasurementRegistry", _admitted),
        "ProfileAdmitted": ("MeasurementRegistry", _profile_admitted),
        "MeasurementMatched": ("MeasurementRegistry", _matched),
        "MeasurementRevoked": ("MeasurementRegistry", _measurement_revoked),
        "ModelAdmitted": ("ModelRegistry", _model_admitted),
        "ModelRevoked": ("ModelRegistry", _model_revoked),
        "PolicyChanged": ("ChangeLog", _policy_changed),
        "CohortFormed": ("WorkerRegistry", _cohort_formed),
        "WorkerRegistered": ("WorkerRegistry", _worker_registered),
        "WorkerRenewed": ("WorkerRegistry", _worker_renewed),
        "WorkerRevoked": ("WorkerRegistry", _worker_revoked),
        "WorkerRetired": ("WorkerRegistry", _worker_retired),
    }
)
"""By an event's name: whose it is, and how it is read."""
