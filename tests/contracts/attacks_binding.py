"""Cases 63 to 74: what a quote binds, and what a measurement covers."""

from __future__ import annotations

from tests.contracts.admission_attack import AdmissionAttack

__all__ = ["BINDING"]

_SOL = "contracts/test/"
_BASE = f"{_SOL}WorkerRegistry.t.sol::test"
_REGISTER = f"{_BASE}_Register_RevertWhen_"
_TAIKO = f"{_SOL}TaikoReplay.t.sol::test_"
_PROFILES = f"{_SOL}Profiles.t.sol::test"
_WORKLOADS = "tests/verifier/workloads/"

BINDING = (
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
        {
            f"{_WORKLOADS}test_live.py::test_the_channel_is_bound_to_the_keyset": (
                "CHANNEL_NOT_BOUND",
            ),
            f"{_REGISTER}TheQuoteBindsAnotherBinding": ("BindingMismatch", "encryptionKey"),
        },
        "inputs are encrypted to a key that the quote binds, and so is the channel's own key",
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
            f"{_WORKLOADS}test_dstack.py::test_every_lie_is_refused_for_its_reason": (
                "SYSTEM_EVENT_DUPLICATE",
                "SYSTEM_EVENT_INVALID",
                "EVENT_DIGEST_MISMATCH",
            ),
            f"{_WORKLOADS}test_dstack.py::test_a_log_that_was_not_measured": (
                "EVENT_LOG_MISMATCH",
            ),
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
