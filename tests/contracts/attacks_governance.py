"""Cases 75 to 90: who may admit what, and what governance can be made to do."""

from __future__ import annotations

from tests.contracts.admission_attack import AdmissionAttack

__all__ = ["GOVERNANCE"]

_SOL = "contracts/test/"
_REENTRY = f"{_SOL}Reentry.t.sol::test_Callback_"
_BASE = f"{_SOL}WorkerRegistry.t.sol::test"
_REGISTER = f"{_BASE}_Register_RevertWhen_"
_STANDING = f"{_SOL}WorkerStanding.t.sol::test_"
_TAIKO = f"{_SOL}TaikoReplay.t.sol::test_"
_MEASUREMENTS = f"{_SOL}MeasurementRegistry.t.sol::test"
_PROFILES = f"{_SOL}Profiles.t.sol::test"
_POLICY = f"{_SOL}TcbPolicy.t.sol::test"
_ROUTER = f"{_SOL}VerifierRouter.t.sol::test"
_STORE = f"{_SOL}dcap/CollateralStore.t.sol::test"
_ORACLE = f"{_SOL}ResultOracle.t.sol::test"
_HERE = "tests/contracts/test_attacks_admission.py::test_"

GOVERNANCE = (
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
                "registering costs more or less",
                "asking costs more or less",
            ),
            f"{_SOL}FlatCosts.t.sol::test_CostsAreTheSameWhateverWasBarred": (
                "registering costs more or less",
                "asking costs more or less",
            ),
            f"{_SOL}FlatCosts.t.sol::test_CostsAreTheSameHoweverManyWorkersThereAre": (
                "registering costs more or less",
                "asking costs more or less",
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
            f"{_REENTRY}ComesBackIntoNoFunctionOfTheOracle": ("ReentrancyGuardReentrantCall",),
            f"{_REENTRY}ComesBackInNeitherByARefundNorByARetry": ("ReentrancyGuardReentrantCall",),
            f"{_REENTRY}ComesBackIntoNoFunctionOfTheBatches": ("ReentrancyGuardReentrantCall",),
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
