"""Cases 128 to 138: machines, keys and members that are counted, and rounds that must end."""

from __future__ import annotations

from tests.contracts.admission_attack import AdmissionAttack

__all__ = ["AGREEMENT"]

_SOL = "contracts/test/"
_BASE = f"{_SOL}WorkerRegistry.t.sol::test"
_REGISTER = f"{_BASE}_Register_RevertWhen_"
_STANDING = f"{_SOL}WorkerStanding.t.sol::test_"
_POLICY = f"{_SOL}TcbPolicy.t.sol::test"
_COMMITTEE = f"{_SOL}CommitteeVerifier.t.sol::test_"
_QUORUM = f"{_SOL}Rounds.t.sol::test_FulfillByQuorum_RevertWhen_"
_VOICES = f"{_SOL}SharedPlatforms.t.sol::test_"
_PPID = "tests/verifier/test_policy_file.py::test_platforms"
_DISPUTES = f"{_SOL}Disputes.t.sol::test_"
_ORACLE = f"{_SOL}ResultOracle.t.sol::test"
_ANSWERS = "tests/enclave/test_worker_answers.py::test_"
_RELAYER = "tests/bridge/test_relayer_rounds.py::test_"
_REGISTERED = "tests/bridge/test_relayer_registered.py::test_"
_ROUND = "tests/enclave/test_worker_rounds.py::test_"

AGREEMENT = (
    AdmissionAttack(
        128,
        "one key or one machine, counted often",
        {
            f"{_QUORUM}OneKeySignsTwice": ("DuplicateSigner",),
            f"{_REGISTER}ThePlatformIsInUse": ("PlatformAlreadyInUse",),
            f"{_VOICES}FulfillByQuorum_RevertWhen_OneMachineAnswersTwice": ("PlatformCounted",),
            f"{_VOICES}Dispute_RevertWhen_OneMachineAnswersTwice": ("PlatformCounted",),
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
            f"{_ANSWERS}two_who_ask_at_once_get_the_same_answer": ("asked_twice_at_once",),
        },
        "of batches nobody is convicted: a worker that is asked for one again answers anew",
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
        "no score of liveness is kept: a worker that fails rests, in the memory of the relayer that"
        " asked it",
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
            f"{_ROUND}nothing_is_shown_to_an_open_round": ("round_not_closed",),
        },
    ),
    AdmissionAttack(
        137,
        "keys taken out of one machine",
        {
            f"{_POLICY}_Judges_EachRuleByItsOwnName": ("PlatformNotListed", "SubjectDenied"),
            f"{_REGISTER}ThePlatformIsInUse": ("PlatformAlreadyInUse",),
            f"{_VOICES}Register_RevertGiven_AllPlacesAreTaken": (
                "PlatformCrowded",
                "PlatformAlreadyInUse",
            ),
            f"{_VOICES}FulfillByQuorum_RevertWhen_OneMachineAnswersTwice": ("PlatformCounted",),
            "tests/verifier/test_policy.py::test_platforms_and_families": ("PLATFORM_NOT_ALLOWED",),
            f"{_PPID}_are_known_by_ppid_in_files_and_by_its_hash_in_verdicts": ("identity.ppid",),
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
