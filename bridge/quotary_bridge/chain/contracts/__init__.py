"""
The contracts, typed: what they hold, what to send them, what their events say.

Reads take `at`, so that one cycle's reads can be pinned to one block. Writes return call data:
simulating, signing and sending are other people's work.
"""

from __future__ import annotations

from quotary_bridge.chain.contracts.base import (
    Contract,
    MeasurementStatus,
    ModelStatus,
    ProofKind,
    RouteStatus,
    SelectorStatus,
)
from quotary_bridge.chain.contracts.batches import (
    BatchCommitted,
    BatchOracle,
    Claim,
    ClaimedAnswer,
)
from quotary_bridge.chain.contracts.dcap import (
    Authority,
    CollateralStore,
    DcapVerifier,
    KeptKey,
    KeptPlatform,
    Reevaluation,
    StoredDocument,
    StoredList,
)
from quotary_bridge.chain.contracts.events import (
    CallbackFailed,
    CohortFormed,
    Event,
    MeasurementAdmitted,
    MeasurementRevoked,
    ModelAdmitted,
    ModelRevoked,
    PolicyChanged,
    RequestCreated,
    RequestFailed,
    RequestFulfilled,
    RequestRefunded,
    RoundDisputed,
    RoundPaid,
    WorkerPaid,
    WorkerRegistered,
    WorkerRenewed,
    WorkerRetired,
    WorkerRevoked,
    decode_event,
    topics_of,
)
from quotary_bridge.chain.contracts.models import Model, ModelRegistry
from quotary_bridge.chain.contracts.notary import Notarization, QuoteNotary
from quotary_bridge.chain.contracts.oracle import (
    CallbackStatus,
    FailureReason,
    FulfilledResult,
    RequestState,
    RequestStatus,
    ResultOracle,
    Reveal,
)
from quotary_bridge.chain.contracts.registries import Manifest, MeasurementRegistry
from quotary_bridge.chain.contracts.requests import (
    ONE_WORKER,
    Payment,
    Quorum,
    RequestParams,
    RequestTerms,
    Rule,
)
from quotary_bridge.chain.contracts.routes import (
    CommitteeVerifier,
    ReceiptRouter,
    VerifierRouter,
)
from quotary_bridge.chain.contracts.timelock import Operation, OperationState, Timelock
from quotary_bridge.chain.contracts.workers import (
    Activity,
    Binding,
    CohortFacts,
    RegisteredWorker,
    WorkerRegistry,
    WorkerStatus,
)

__all__ = [
    "ONE_WORKER",
    "Activity",
    "Authority",
    "BatchCommitted",
    "BatchOracle",
    "Binding",
    "CallbackFailed",
    "CallbackStatus",
    "Claim",
    "ClaimedAnswer",
    "CohortFacts",
    "CohortFormed",
    "CollateralStore",
    "CommitteeVerifier",
    "Contract",
    "DcapVerifier",
    "Event",
    "FailureReason",
    "FulfilledResult",
    "KeptKey",
    "KeptPlatform",
    "Manifest",
    "MeasurementAdmitted",
    "MeasurementRegistry",
    "MeasurementRevoked",
    "MeasurementStatus",
    "Model",
    "ModelAdmitted",
    "ModelRegistry",
    "ModelRevoked",
    "ModelStatus",
    "Notarization",
    "Operation",
    "OperationState",
    "Payment",
    "PolicyChanged",
    "ProofKind",
    "Quorum",
    "QuoteNotary",
    "ReceiptRouter",
    "Reevaluation",
    "RegisteredWorker",
    "RequestCreated",
    "RequestFailed",
    "RequestFulfilled",
    "RequestParams",
    "RequestRefunded",
    "RequestState",
    "RequestStatus",
    "RequestTerms",
    "ResultOracle",
    "Reveal",
    "RoundDisputed",
    "RoundPaid",
    "RouteStatus",
    "Rule",
    "SelectorStatus",
    "StoredDocument",
    "StoredList",
    "Timelock",
    "VerifierRouter",
    "WorkerPaid",
    "WorkerRegistered",
    "WorkerRegistry",
    "WorkerRenewed",
    "WorkerRetired",
    "WorkerRevoked",
    "WorkerStatus",
    "decode_event",
    "topics_of",
]
