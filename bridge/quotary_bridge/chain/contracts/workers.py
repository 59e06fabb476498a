"""The registry of attested workers."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, address_of
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.chain.questions import TransactionRequest
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.chain.reverts import error_name
from quotary_bridge.model import Address, Bytes32, Result, SignedResult

__all__ = [
    "Activity",
    "Binding",
    "CohortFacts",
    "RegisteredWorker",
    "WorkerRegistry",
    "WorkerStatus",
    "cohort_from",
    "worker_from",
]


class WorkerStatus(IntEnum):
    """What became of a worker."""

    UNKNOWN = 0
    REGISTERED = 1
    RETIRED = 2
    REVOKED = 3


@dataclass(frozen=True, slots=True)
class Binding:
    """What a worker's quote binds beside its address (docs/formats.md, layout "extended")."""

    version: int
    chain_id: int
    registry: Address
    app_id: Bytes32
    operator: Address
    encryption_key: Bytes32
    challenge_block: int
    challenge: Bytes32


@dataclass(frozen=True, slots=True)
class CohortFacts:
    """What workers have in common that are alike in all that is judged but platform and age."""

    app_id: Bytes32
    measurement_id: Bytes32
    operator: Address
    route: bytes
    kind: ProofKind
    tee_type: int
    tcb_status: int
    fmspc: bytes
    attributes: bytes
    evaluation_number: int
    advisories: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """
    One worker's record; times are Unix seconds; of the platform id, the first 20 bytes count.

    `place` is its place on the platform: above 0 only where a policy let workers share one.
    """

    app_id: Bytes32
    measurement_id: Bytes32
    platform_id: Bytes32
    operator: Address
    valid_until: int
    active_from: int
    challenge_block: int
    collateral_from: int
    evaluation_number: int
    cohort: int
    route: bytes
    fmspc: bytes
    kind: ProofKind
    status: WorkerStatus
    tee_type: int
    tcb_status: int
    place: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """Whether a worker counts now, until when, and the contract's name for why not."""

    active: bool
    reason: str
    until: int


_FIELDS = attrgetter(*(field.name for field in fields(Result)))


class WorkerRegistry(Contract):
    """The keys that quotes bound to TEEs."""

    abi_name: ClassVar[str] = "WorkerRegistry"

    def worker_of(self, worker: Address, at: BlockTag = "latest") -> RegisteredWorker:
        """Return a worker's record, all zeros and `UNKNOWN` where there is none."""
        return worker_from(self.read("workerOf", worker, at=at))

    def cohort_of(self, cohort: int, at: BlockTag = "latest") -> CohortFacts:
        """Return what the workers of a cohort have in common, all zeros where there is none."""
        return cohort_from(self.read("cohortOf", cohort, at=at))

    def claim_of(self, worker: Address, at: BlockTag = "latest") -> Bytes32:
        """Return what further kinds must agree on; zeros where kinds were not counted."""
        return Bytes32(self.read("claimOf", worker, at=at))

    def check_active(self, worker: Address, app_id: Bytes32, at: BlockTag = "latest") -> Activity:
        """Return whether `worker` counts for `app_id`."""
        active, selector, until = self.read("checkActive", worker, app_id, at=at)
        reason = "" if active else error_name(selector)
        return Activity(bool(active), reason, until)

    def active_at(
        self, worker: Address, app_id: Bytes32, moment: int, at: BlockTag = "latest"
    ) -> Activity:
        """Return whether `worker` will count for `app_id` at `moment`, Unix time, as things are."""
        active, selector, until = self.read("activeAt", worker, app_id, moment, at=at)
        reason = "" if active else error_name(selector)
        return Activity(bool(active), reason, until)

    def operator_of(self, worker: Address, app_id: Bytes32, at: BlockTag = "latest") -> Address:
        """Return who runs an active worker; raises `ContractError` where it does not count."""
        return address_of(self.read("requireActive", worker, app_id, at=at)[0])

    def view_of_operator(self, worker: Address, app_id: Bytes32) -> TransactionRequest:
        """Return a question to be asked together with others; `operator_from` reads the answer."""
        return self.view("requireActiveOn", worker, app_id)

    def operator_from(self, answer: bytes) -> tuple[Address, bytes]:
        """Return who runs an active worker, and 20 bytes of the id of the platform it runs on."""
        operator, _, platform = self.decoded("requireActiveOn", answer)
        return address_of(operator), platform

    def worker_on(
        self, app_id: Bytes32, platform: bytes, place: int = 0, at: BlockTag = "latest"
    ) -> Address:
        """Return who registered last at a place of a platform, zeros where nobody did."""
        return address_of(self.read("workerOn", app_id, platform, place, at=at))

    def challenge_at(self, block_number: int, at: BlockTag = "latest") -> Bytes32:
        """Return the challenge of a recent block; raises `ContractError` where it is too old."""
        return Bytes32(self.read("challengeAt", block_number, at=at))

    def max_challenge_age(self) -> int:
        """Return how many blocks old a challenge may be."""
        return int(self.read("MAX_CHALLENGE_AGE"))

    def register(self, route: bytes, evidence: bytes, proof: bytes, binding: Binding) -> bytes:
        """Return call data; anybody may send it, for the key is in the quote."""
        return self.encode("register", route, evidence, proof, astuple(binding))

    def revoke(self, worker: Address) -> bytes:
        """Return call data for the governor or guardian."""
        return self.encode("revoke", worker)

    def report_equivocation(self, oracle: Address, one: SignedResult, other: SignedResult) -> bytes:
        """Return call data that revokes a worker by two statements of its own."""
        said = [(_FIELDS(each.result), each.signature) for each in (one, other)]
        return self.encode("reportEquivocation", oracle, *said[0], *said[1])

    def refresh(self, worker: Address) -> bytes:
        """Return call data; anybody may send it, to make later uses of its cohort cheap again."""
        return self.encode("refresh", worker)

    def retire(self, worker: Address) -> bytes:
        """Return call data for the worker's operator."""
        return self.encode("retire", worker)


def cohort_from(facts: AbiValue) -> CohortFacts:
    """Parse the contract's struct."""
    return CohortFacts(
        app_id=facts["appId"],
        measurement_id=facts["measurementId"],
        operator=address_of(facts["operator"]),
        route=facts["route"],
        kind=ProofKind(facts["kind"]),
        tee_type=facts["teeType"],
        tcb_status=facts["tcbStatus"],
        fmspc=facts["fmspc"],
        attributes=facts["attributes"],
        evaluation_number=facts["evaluationNumber"],
        advisories=tuple(facts["advisories"]),
    )


def worker_from(record: AbiValue) -> RegisteredWorker:
    """Parse the contract's struct."""
    return RegisteredWorker(
        app_id=record["appId"],
        measurement_id=record["measurementId"],
        platform_id=record["platformId"],
        operator=address_of(record["operator"]),
        valid_until=record["validUntil"],
        active_from=record["activeFrom"],
        challenge_block=record["challengeBlock"],
        collateral_from=record["collateralFrom"],
        evaluation_number=record["evaluationNumber"],
        cohort=record["cohort"],
        route=record["route"],
        fmspc=record["fmspc"],
        kind=ProofKind(record["kind"]),
        status=WorkerStatus(record["status"]),
        tee_type=record["teeType"],
        tcb_status=record["tcbStatus"],
        place=record["place"],
    )
