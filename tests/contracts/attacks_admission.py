"""
The catalogue of attacks on admission and on agreement: cases 63 to 90 and 128 to 138.

Each case names the tests that hold it and, for each test, the reasons it asserts: a custom error, a
code of the Python packages, or what else the test says must hold. `why` is given where the attack
has nothing to attack here, or its answer is no error.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ADMISSION_ATTACKS", "AdmissionAttack"]


@dataclass(frozen=True)
class AdmissionAttack:
    """One case: what the attacker does, and which test asserts which reasons."""

    number: int
    title: str
    held_by: dict[str, tuple[str, ...]]
    why: str = ""


_SOL = "contracts/test/"
_BASE = f"{_SOL}WorkerRegistry.t.sol::test"
_REGISTER = f"{_BASE}_Register_RevertWhen_"
_STANDING = f"{_SOL}WorkerStanding.t.sol::test_"
_TAIKO = f"{_SOL}TaikoReplay.t.sol::test_"
_MEASUREMENTS = f"{_SOL}MeasurementRegistry.t.sol::test"
_PROFILES = f"{_SOL}Profiles.t.sol::test"
_POLICY = f"{_SOL}TcbPolicy.t.sol::test"
_ROUTER = f"{_SOL}VerifierRouter.t.sol::test"
_STORE = f"{_SOL}dcap/CollateralStore.t.sol::test"
_COMMITTEE = f"{_SOL}CommitteeVerifier.t.sol::test_"
_QUORUM = f"{_SOL}Rounds.t.sol::test_FulfillByQuorum_RevertWhen_"
_DISPUTES = f"{_SOL}Disputes.t.sol::test_"
_ORACLE = f"{_SOL}ResultOracle.t.sol::test"
_HERE = "tests/contracts/test_attacks_admission.py::test_"
_RELAYER = "tests/bridge/test_relayer_rounds.py::test_"
_REGISTERED = "tests/bridge/test_relayer_registered.py::test_"
_ROUND = "tests/enclave/test_worker_rounds.py::test_"
_WORKLOADS = "tests/verifier/workloads/"

_BINDING = (
    AdmissionAttack(
        63,
        "a key without a domain",
        {
            f"{_REGISTER}TheQuoteBindsAnotherBinding": ("BindingMismatch",),
            f"{_REGISTER}TheReportDataNamesNoWorker": ("WorkerAddressMissing",),
        },
    ),
    AdmissionAttack(
        64,
        "half of report data ignored",
        {
            f"{_BASE}Fuzz_Register_RevertWhen_AnyByteOfTheReportDataDiffers": (
                "BindingMismatch",
                "ReportDataTailNonzero",
            )
        },
    ),
    AdmissionAttack(
        65,
        "a quote submitted by somebody else",
        {
            f"{_BASE}Fuzz_Register_RegistersTheKeyInTheQuoteWhoeverSends": ("WorkerRegistered",),
            f"{_REGISTER}TheQuoteIsNoNewer": ("QuoteNotNewer",),
        },
    ),
    AdmissionAttack(
        66,
        "an old quote",
        {
            f"{_REGISTER}TheChallengeBlockIsOutOfRange": ("ChallengeBlockOutOfRange",),
            f"{_BASE}Fuzz_Register_RevertWhen_TheChallengeIsNotItsBlocks": ("ChallengeMismatch",),
            f"{_TAIKO}Place4_AQuoteIsForOneMomentChainAndRegistry": ("ChallengeBlockOutOfRange",),
        },
    ),
    AdmissionAttack(
        67,
        "a quote used again",
        {
            f"{_REGISTER}AnOlderQuoteFollowsANewerOne": ("QuoteNotNewer",),
            f"{_BASE}_Renew_RevertGiven_TheWorkerIsGone": ("WorkerIsRetired", "WorkerIsRevoked"),
        },
    ),
    AdmissionAttack(
        68,
        "another chain or registry",
        {f"{_REGISTER}TheBindingIsNotForHere": ("WrongChain", "WrongRegistry")},
    ),
    AdmissionAttack(
        69,
        "a relayed quote",
        {f"{_WORKLOADS}test_live.py::test_the_channel_is_bound_to_the_keyset": ()},
        "inputs are encrypted to a key inside the quote, and the channel's own key is in it too",
    ),
    AdmissionAttack(
        70,
        "right MRTD, other RTMRs",
        {
            f"{_REGISTER}TheMeasurementIsNotAdmittedForTheApp": ("MeasurementNotAdmitted",),
            f"{_PROFILES}Fuzz_MatchProfile_RevertWhen_APinnedBitIsAnother": ("ProfileMismatch",),
            f"{_PROFILES}_AdmitProfile_RevertWhen_NeitherConfigurationNorRuntimeIsPinned": (
                "ProfileTooWide",
            ),
        },
    ),
    AdmissionAttack(
        71,
        "events of another app in the log",
        {
            f"{_WORKLOADS}test_dstack.py::test_every_lie_is_refused_for_its_reason": (),
        },
        "the contracts see registers only: logs are replayed by the verifier",
    ),
    AdmissionAttack(
        72,
        "mutable image tags",
        {f"{_WORKLOADS}test_compose.py::test_only_a_literal_digest_pins": ("IMAGE_NOT_PINNED",)},
        "the contracts see registers only: images are judged before admission",
    ),
    AdmissionAttack(
        73,
        "foreign MRCONFIGID or MROWNER",
        {
            f"{_PROFILES}Fuzz_MatchProfile_RevertWhen_APinnedBitIsAnother": ("ProfileMismatch",),
            f"{_PROFILES}_AdmitProfile_ShowsEveryWildcardAndReports": ("ProfileAdmitted",),
        },
    ),
    AdmissionAttack(
        74,
        "a cloned worker",
        {f"{_REGISTER}ThePlatformIsInUse": ("PlatformAlreadyInUse",)},
    ),
)

_ADMISSION = (
    AdmissionAttack(
        75,
        "a leaked signing key",
        {
            f"{_TAIKO}Place1_TheSignersKeyAdmitsNothing": ("MeasurementNotAdmitted",),
            f"{_PROFILES}Fuzz_AdmitProfile_RevertWhen_TheCodeIsOpen": ("ProfileTooWide",),
        },
    ),
    AdmissionAttack(
        76,
        "workers that outlive their admission",
        {
            f"{_STANDING}RequireActive_RevertGiven_TheMeasurementWasRevoked": (
                "MeasurementNotAdmitted",
            ),
            f"{_STANDING}RequireActive_RevertGiven_TheRouteWasFrozen": ("RouteNotActive",),
            f"{_STANDING}Policy_GraceEndsByTimeAlone": ("TcbStatusNotAccepted",),
            f"{_TAIKO}Place5_WhatIsRevokedEndsLiveWorkersAndNeverComesBack": (
                "MeasurementNotAdmitted",
            ),
        },
    ),
    AdmissionAttack(
        77,
        "admitting anew what was revoked",
        {
            f"{_TAIKO}Place5_WhatIsRevokedEndsLiveWorkersAndNeverComesBack": (
                "WrongMeasurementStatus",
            ),
            f"{_MEASUREMENTS}_Revoke_RevokesForEver": ("MeasurementNotAdmitted", "Revoked"),
            f"{_SOL}Invariants.t.sol::invariant_StatesMoveOneWay": ("stepsToTheLeft",),
        },
    ),
    AdmissionAttack(
        78,
        "an allow-list that is off",
        {
            f"{_POLICY}_Constructor_RevertWhen_TheDefaultAcceptsNothingKnown": ("PolicyInvalid",),
            f"{_REGISTER}TheMeasurementIsNotAdmittedForTheApp": ("MeasurementNotAdmitted",),
            f"{_SOL}symbolic/OneWay.t.sol::check_RequireAdmitted_OpensForTheAdmittedAlone": (
                "Admitted",
            ),
            "tests/bridge/test_changes.py::test_no_privileged_function_is_forgotten": ("CHANGES",),
        },
        "there is no switch: every function that changes anything is listed",
    ),
    AdmissionAttack(
        79,
        "a permissive verifier in place of the strict one",
        {
            f"{_TAIKO}AndNobodyElseOwnsTheVerifier": ("RootKeyNotTrusted", "RouteAlreadyUsed"),
            f"{_ROUTER}_AddRoute_RevertGiven_TheRouteWasUsed": ("RouteAlreadyUsed",),
            f"{_ROUTER}Fuzz_AddRoute_RevertWhen_NotTheGovernor": ("Unauthorized",),
            "tests/bridge/test_deploy.py::test_a_timelock_governs_and_the_guardian_may_veto": (
                "AccessControlUnauthorizedAccount",
            ),
        },
    ),
    AdmissionAttack(
        80,
        "collateral nobody signed",
        {
            f"{_STORE}_PutDocument_RevertWhen_AnotherKeySignedIt": (
                "TCB_INFO_SIGNATURE_INVALID",
                "QE_IDENTITY_SIGNATURE_INVALID",
            ),
            f"{_STORE}Fuzz_PutDocument_RevertWhen_AnyBitIsChanged": (
                "TCB_INFO_SIGNATURE_INVALID",
                "QE_IDENTITY_SIGNATURE_INVALID",
            ),
            "tests/contracts/dcap/test_store.py::test_nothing_unsigned_is_stored": (
                "CRL_MISSING",
                "COLLATERAL_INCOMPLETE",
            ),
        },
    ),
    AdmissionAttack(
        81,
        "registered and used in one block",
        {
            f"{_STANDING}RequireActive_RevertGiven_TheDelayHasNotPassed": ("WorkerNotYetActive",),
            f"{_TAIKO}Place3_NothingCountsBeforeTheGuardianCouldObject": (
                "WorkerNotYetActive",
                "WorkerIsRevoked",
            ),
        },
    ),
    AdmissionAttack(
        82,
        "loops over what was registered",
        {
            f"{_SOL}FlatCosts.t.sol::test_CostsAreTheSameWhateverWasAdmitted": (
                "registering grows",
                "asking grows",
            ),
            f"{_SOL}FlatCosts.t.sol::test_CostsAreTheSameWhateverWasBarred": (
                "registering grows",
                "asking grows",
            ),
        },
    ),
    AdmissionAttack(
        83,
        "no verifier at the verifier's address",
        {
            f"{_ROUTER}_AddRoute_RevertWhen_ItIsNoVerifier": ("ZeroAddress", "NotAVerifier"),
            f"{_BASE}_Constructor_RevertWhen_AnAddressIsZero": ("ZeroAddress",),
            f"{_SOL}Cohorts.t.sol::testFuzz_Register_RevertWhen_TheVerifierAnswersWithNoVerdict": (
                "AnswerMalformed",
            ),
        },
    ),
    AdmissionAttack(
        84,
        "calling back in the middle",
        {
            f"{_SOL}Escrow.t.sol::test_Request_RevertWhen_TheTokenReenters": (
                "ReentrancyGuardReentrantCall",
            ),
            f"{_ORACLE}Fuzz_Callback_APoisonousConsumerHurtsOnlyItself": (
                "setReplay",
                "CallbackStatus.Failed",
            ),
        },
    ),
    AdmissionAttack(
        85,
        "storage of upgradeable contracts",
        {f"{_HERE}85_nothing_is_upgraded_or_initialised": ("delegatecall", "initializer")},
        "no contract is a proxy, and constructors set everything",
    ),
    AdmissionAttack(
        86,
        "texts that collide when packed",
        {
            f"{_HERE}86_packing_has_at_most_one_part_of_any_length": ("encodePacked",),
            f"{_SOL}ModelRegistry.t.sol::testFuzz_ModelIdOf_BindsEachHash": ("modelIdOf",),
        },
    ),
    AdmissionAttack(
        87,
        "a version of the sender's choice",
        {
            f"{_REGISTER}TheBindingIsNotForHere": ("BindingVersionUnsupported",),
            f"{_SOL}JournalLib.t.sol::test_Decode_RevertWhen_TheVersionIsUnknown": (
                "JournalVersionUnsupported",
            ),
            f"{_POLICY}_Judges_EachRuleByItsOwnName": ("ProofKindNotAccepted",),
            f"{_ROUTER}Fuzz_Verify_RevertGiven_TheRouteIsUnknown": ("RouteNotActive",),
        },
        "versions are signed, and the kind of proof is its route's, judged by the policy",
    ),
    AdmissionAttack(
        88,
        "a dependency that begins to ask for a fee",
        {f"{_HERE}88_only_requests_and_the_timelock_take_money": ("payable",)},
        "registering takes no money and calls nothing that does",
    ),
    AdmissionAttack(
        89,
        "a guardian that widens",
        {
            f"{_MEASUREMENTS}_Admit_RevertWhen_TheGuardianTries": ("Unauthorized",),
            f"{_POLICY}Fuzz_Lift_RevertWhen_NotTheGovernor": ("Unauthorized",),
            f"{_SOL}StandingInvariants.t.sol::invariant_TheGuardianOnlyNarrows": (
                "widenedByGuardian",
            ),
            f"{_SOL}Invariants.t.sol::invariant_NobodyUsurps": ("usurpations",),
            f"{_SOL}symbolic/Guardian.t.sol::check_Policy_StaysButForTheGovernor": ("GOVERNOR",),
        },
    ),
    AdmissionAttack(
        90,
        "bytes lost between what is kept and what is read",
        {
            f"{_SOL}JournalLib.t.sol::test_Decode_GivenGoldenJournals_ReadsEveryField": (
                "VerdictLib.encode",
            ),
            f"{_SOL}JournalLib.t.sol::testFuzz_Decode_RevertWhen_TheMeasurementHasAnotherLength": (
                "MeasurementLengthWrong",
            ),
            f"{_SOL}dcap/JournalTwin.t.sol::testFuzz_Write_EncodesTheVerdict": ("assertEq",),
        },
    ),
)

_AGREEMENT = (
    AdmissionAttack(
        128,
        "one key or one machine, counted often",
        {
            f"{_QUORUM}OneKeySignsTwice": ("DuplicateSigner",),
            f"{_REGISTER}ThePlatformIsInUse": ("PlatformAlreadyInUse",),
            f"{_QUORUM}TheOperatorsAreTooFew": ("TooFewDistinct",),
            f"{_COMMITTEE}Verify_RevertWhen_SignersRepeatOrAreOutOfOrder": ("SignersNotAscending",),
        },
    ),
    AdmissionAttack(
        129,
        "signatures out of order",
        {
            f"{_QUORUM}TheAnswersDoNotAscend": ("DuplicateSigner",),
            f"{_COMMITTEE}Verify_RevertWhen_SignersRepeatOrAreOutOfOrder": ("SignersNotAscending",),
        },
    ),
    AdmissionAttack(
        130,
        "a minority that lies",
        {
            f"{_SOL}Rounds.t.sol::test_TwoLiarsOfFive_NeverDecide": ("Disagreement",),
            f"{_SOL}Rounds.t.sol::testFuzz_Tolerance_TheMedianLiesBetweenRightValues": (
                "Tolerance",
            ),
            f"{_RELAYER}liars_stallers_and_the_dead_change_nothing": ("probation_of",),
        },
    ),
    AdmissionAttack(
        131,
        "two answers to one question",
        {
            f"{_SOL}Equivocation.t.sol::testFuzz_ReportEquivocation_RevokesWhoeverReports": (
                "WorkerIsRevoked",
                "WorkerEquivocated",
            ),
            f"{_SOL}Equivocation.t.sol::test_ReportEquivocation_RevertWhen_TheQuestionsDiffer": (
                "NoEquivocation",
            ),
            f"{_RELAYER}two_signatures_are_brought_to_the_registry": ("EQUIVOCATION",),
            f"{_REGISTERED}who_signs_two_answers_is_revoked": ("EQUIVOCATION", "WorkerIsRevoked"),
            f"{_REGISTERED}anybody_may_bring_two_statements": ("NoEquivocation",),
        },
    ),
    AdmissionAttack(
        132,
        "answers that never agree",
        {
            f"{_DISPUTES}Dispute_TheSecondFailsTheRequest": ("Disagreement", "RequestFailed"),
            f"{_SOL}Rounds.t.sol::test_Class_AgreesWhateverTheWording": ("Class",),
            f"{_RELAYER}two_rounds_that_disagree_end_the_request": ("FAILED", "AlreadyFailed"),
        },
    ),
    AdmissionAttack(
        133,
        "silence after some answers",
        {
            f"{_RELAYER}what_nobody_answers_is_refunded_where_that_is_wanted": ("REFUNDED",),
            f"{_RELAYER}late_workers_lose_their_request_to_others": ("RequestReassigned",),
            f"{_DISPUTES}Named_AloneMayAnswerUntilTheirTimeIsOverAndSomeoneSaysSo": (
                "NotAssigned",
                "StillReserved",
            ),
            f"{_ORACLE}_Refund_RefundsAndTellsTheConsumer": ("RequestNotExpired",),
        },
    ),
    AdmissionAttack(
        134,
        "members that change during a round",
        {
            f"{_QUORUM}TheRoundIsNone": ("RoundOutOfOrder",),
            f"{_QUORUM}ACopierDidNotCommit": ("NotCommitted", "WrongSigner"),
            f"{_SOL}Rounds.t.sol::test_FulfillByQuorum_RevertGiven_AWorkerIsNotActive": (
                "WorkerIsRevoked",
            ),
        },
        "a round is its commitments, which each answer signs; the threshold is the request's",
    ),
    AdmissionAttack(
        135,
        "a flood of variants",
        {
            f"{_QUORUM}TheNumberIsAnother": ("WrongAnswerCount",),
            f"{_QUORUM}TheRoundIsNone": ("RoundOutOfOrder",),
            f"{_ORACLE}Fuzz_Request_RevertWhen_TheQuorumIsNone": ("QuorumOutOfRange",),
            f"{_ROUND}an_answer_is_shown_to_one_round_only": ("already_revealed",),
        },
        "nothing is kept before the quorum, which comes in one call, with at most sixteen seats",
    ),
    AdmissionAttack(
        136,
        "copied answers",
        {
            f"{_QUORUM}ACopierDidNotCommit": ("NotCommitted",),
            f"{_QUORUM}AnAnswerChangedAfterTheCommitment": ("NotCommitted",),
            f"{_RELAYER}a_copied_commitment_serves_its_owner_only": ("NotCommitted",),
            f"{_ROUND}nothing_is_shown_to_an_open_round": ("round_not_closed",),
        },
    ),
    AdmissionAttack(
        137,
        "keys taken out of one machine",
        {
            f"{_POLICY}_Judges_EachRuleByItsOwnName": ("PlatformNotListed", "SubjectDenied"),
            f"{_REGISTER}ThePlatformIsInUse": ("PlatformAlreadyInUse",),
            f"{_QUORUM}TheOperatorsAreTooFew": ("TooFewDistinct",),
            f"{_QUORUM}TheVendorsAreTooFew": ("TooFewDistinct",),
            f"{_STANDING}Policy_WhatTheGuardianBarsEndsAtOnce": ("SubjectDenied",),
        },
    ),
    AdmissionAttack(
        138,
        "a threshold of none, or of too many",
        {
            f"{_COMMITTEE}Constructor_RevertWhen_TheThresholdIsOutOfRange": ("CommitteeInvalid",),
            f"{_ORACLE}Fuzz_Request_RevertWhen_TheQuorumIsNone": ("QuorumOutOfRange",),
            f"{_POLICY}_Publish_RevertWhen_ThePolicyIsUnsound": ("PolicyInvalid", "kindsNeeded"),
            "tests/bridge/test_deploy.py::test_a_committee_must_be_able_to_agree": (
                "ConfigurationError",
            ),
        },
    ),
)

ADMISSION_ATTACKS = (*_BINDING, *_ADMISSION, *_AGREEMENT)
"""All cases in order."""
