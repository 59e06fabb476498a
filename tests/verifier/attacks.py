"""
The catalogue of attacks on evidence, cases 1 to 74, and what must happen in each.

`faults` are deviations of the simulator's catalogue with the exact reason; `accepted` are unusual
forms that must pass; `elsewhere` names tests of other layers that hold the rest of a case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quotary import Reason

__all__ = ["ATTACKS", "Attack"]


@dataclass(frozen=True)
class Attack:
    """One case: what the attacker does, and the name the catalogue began with."""

    number: int
    title: str
    proposed: str
    faults: dict[str, Reason] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


R = Reason
_PLACES = ("pck", "ca", "tcb-signing")
_QUOTE = "tests/verifier/test_quote.py::"
_MUTATION = "tests/verifier/test_mutation.py::"
_REGISTRY = "contracts/test/WorkerRegistry.t.sol::"
_WORKLOADS = "tests/verifier/workloads/"


def _each(names: tuple[str, ...], form: str, reason: Reason) -> dict[str, Reason]:
    return {form.format(name): reason for name in names}


_PARSING = (
    Attack(
        1,
        "truncated quote",
        "QUOTE_TRUNCATED",
        {"cut-short": R.QUOTE_TRUNCATED},
        elsewhere=(
            f"{_QUOTE}test_truncation_at_every_offset_is_named",
            f"{_QUOTE}test_genuine_quotes_truncated_at_every_offset",
        ),
    ),
    Attack(
        2,
        "bytes appended or padded inside",
        "QUOTE_TRAILING_BYTES",
        {"trailing-bytes": R.QUOTE_TRAILING_BYTES, "padding-inside": R.LENGTH_OUT_OF_RANGE},
        ("zero-padding",),
    ),
    Attack(
        3,
        "lengths beyond the buffer",
        "LENGTH_OUT_OF_RANGE",
        {
            "certification-length": R.LENGTH_OUT_OF_RANGE,
            "outer-length": R.LENGTH_OUT_OF_RANGE,
            "auth-length": R.QE_AUTH_LEN_INVALID,
        },
        elsewhere=(f"{_QUOTE}test_absurd_lengths_are_refused_before_anything_is_copied",),
    ),
    Attack(
        4,
        "length arithmetic that wraps",
        "LENGTH_OUT_OF_RANGE",
        {"outer-length": R.LENGTH_OUT_OF_RANGE, "certification-length": R.LENGTH_OUT_OF_RANGE},
        elsewhere=(f"{_QUOTE}test_nested_lengths_are_exact",),
    ),
    Attack(
        5,
        "unknown version",
        "UNSUPPORTED_QUOTE_VERSION",
        _each(("0", "1", "2", "6", "65535"), "version-{}", R.UNSUPPORTED_QUOTE_VERSION),
    ),
    Attack(
        6,
        "TEE type against version",
        "TEE_TYPE_VERSION_MISMATCH",
        {"tdx-in-version-3": R.TEE_TYPE_VERSION_MISMATCH, "tee-unknown": R.UNSUPPORTED_TEE_TYPE},
        elsewhere=(f"{_QUOTE}test_versions_and_tee_types_must_agree",),
    ),
    Attack(
        7,
        "body type against body size",
        "BODY_SIZE_MISMATCH",
        {
            "body-size-less": R.BODY_SIZE_MISMATCH,
            "body-size-more": R.BODY_SIZE_MISMATCH,
            "body-type": R.BODY_TYPE_UNSUPPORTED,
        },
    ),
    Attack(
        8,
        "other attestation key type",
        "UNSUPPORTED_ATT_KEY_TYPE",
        _each(("0", "1", "3", "4"), "attestation-key-type-{}", R.UNSUPPORTED_ATT_KEY_TYPE),
    ),
    Attack(9, "other QE vendor", "QE_VENDOR_MISMATCH", {"vendor": R.QE_VENDOR_MISMATCH}),
    Attack(
        10,
        "certification data flattened or nested twice",
        "CERT_DATA_TYPE_UNSUPPORTED",
        {
            **_each(("5", "7", "99"), "outer-type-{}", R.CERT_DATA_TYPE_UNSUPPORTED),
            **_each(("0", "6", "7"), "certification-type-{}", R.CERT_DATA_TYPE_UNSUPPORTED),
            "pck-chain-nowhere": R.PCK_CHAIN_MISSING,
        },
        elsewhere=(f"{_QUOTE}test_certification_types",),
    ),
    Attack(
        11,
        "reserved fields that are not zero",
        "RESERVED_NONZERO",
        {"header-reserved": R.RESERVED_NONZERO, "sgx-reserved": R.RESERVED_NONZERO},
    ),
    Attack(
        12,
        "body changed after signing",
        "QUOTE_SIGNATURE_INVALID",
        {"body-altered": R.QUOTE_SIGNATURE_INVALID, "quote-signer": R.QUOTE_SIGNATURE_INVALID},
        elsewhere=(f"{_MUTATION}test_every_byte_of_the_body_is_signed",),
    ),
    Attack(
        13,
        "signature numbers out of range, key off the curve",
        "SIGNATURE_INVALID",
        {
            **_each(
                ("zero-r", "zero-s", "r-at-order", "s-at-order"),
                "quote-signature-{}",
                R.SIGNATURE_INVALID,
            ),
            **_each(
                ("zero-r", "zero-s", "r-at-order", "s-at-order"),
                "qe-signature-{}",
                R.SIGNATURE_INVALID,
            ),
            "attestation-key-off-curve": R.PUBKEY_NOT_ON_CURVE,
        },
        ("quote-high-s", "qe-high-s"),
        (f"{_MUTATION}test_signatures_are_malleable_and_identify_nothing",),
    ),
    Attack(
        14,
        "QE authentication data of odd lengths",
        "QE_AUTH_LEN_INVALID",
        {
            "auth-length": R.QE_AUTH_LEN_INVALID,
            "qe-binds-another-key": R.QE_REPORT_DATA_MISMATCH,
        },
        ("auth-data-0", "auth-data-1", "auth-data-64", "auth-data-1000"),
    ),
    Attack(
        15,
        "confused encodings",
        "QUOTE_ENCODING_INVALID",
        elsewhere=(f"{_QUOTE}test_other_encodings_are_refused",),
    ),
    Attack(16, "enormous quote", "INPUT_TOO_LARGE", {"padding-enormous": R.INPUT_TOO_LARGE}),
)

_PKI = (
    Attack(
        17,
        "own root",
        "ROOT_NOT_PINNED",
        {
            "chain-under-another-root": R.ROOT_NOT_PINNED,
            "chain-ends-elsewhere": R.ROOT_NOT_PINNED,
            "tcb-info-root": R.ROOT_NOT_PINNED,
            "qe-identity-root": R.ROOT_NOT_PINNED,
        },
    ),
    Attack(
        18,
        "a link nobody checks",
        "CERT_SIGNATURE_INVALID",
        _each(_PLACES, "{}-signer", R.CERT_SIGNATURE_INVALID),
        elsewhere=(f"{_MUTATION}test_every_byte_of_the_pck_leaf_is_noticed",),
    ),
    Attack(
        19,
        "empty key identifiers",
        "KEY_ID_MISSING",
        {
            **_each(_PLACES, "{}-no-authority-key-id", R.KEY_ID_MISSING),
            **_each(_PLACES, "{}-no-subject-key-id", R.KEY_ID_MISSING),
            **_each(_PLACES, "{}-authority-key-id", R.KEY_ID_MISMATCH),
        },
    ),
    Attack(
        20,
        "impossible dates",
        "CERT_TIME_INVALID",
        _each(_PLACES, "{}-31-february", R.CERT_TIME_INVALID),
        elsewhere=("tests/verifier/test_x509.py::test_impossible_times_are_not_normalised",),
    ),
    Attack(
        21,
        "certificates outside their validity",
        "CERT_EXPIRED",
        {
            **_each((*_PLACES, "root"), "{}-expired", R.CERT_EXPIRED),
            **_each((*_PLACES, "root"), "{}-early", R.CERT_NOT_YET_VALID),
        },
        tuple(f"{place}-{edge}-now" for place in (*_PLACES, "root") for edge in ("ends", "begins")),
    ),
    Attack(22, "expiry of what was verified before", "CERT_EXPIRED"),
    Attack(
        23,
        "basic constraints",
        "BASIC_CONSTRAINTS",
        {
            "pck-is-a-ca": R.BASIC_CONSTRAINTS,
            "tcb-signing-is-a-ca": R.BASIC_CONSTRAINTS,
            "ca-not-a-ca": R.BASIC_CONSTRAINTS,
            "ca-path-length": R.BASIC_CONSTRAINTS,
            "ca-cannot-sign": R.KEY_USAGE,
        },
    ),
    Attack(
        24,
        "chains of other shapes",
        "CHAIN_SHAPE",
        {
            "chain-without-root": R.CHAIN_SHAPE,
            "chain-without-ca": R.CHAIN_SHAPE,
            "chain-with-extra": R.CHAIN_SHAPE,
            "chain-empty": R.CHAIN_SHAPE,
            "chain-with-private-key": R.PEM_INVALID,
            "chain-with-garbage": R.PEM_INVALID,
        },
        elsewhere=("tests/verifier/test_x509.py::test_pem_is_certificates_and_white_space_only",),
    ),
    Attack(
        25,
        "BER instead of DER",
        "DER_NONCANONICAL",
        {"pck-crl-garbage": R.DER_NONCANONICAL, "root-crl-garbage": R.DER_NONCANONICAL},
        elsewhere=(
            "tests/verifier/test_der.py::test_other_encodings_of_integers_are_refused",
            "tests/verifier/test_der.py::test_a_child_may_not_leave_its_parent",
        ),
    ),
    Attack(
        26,
        "SGX extension with a field twice, unknown or missing",
        "PCK_EXT_INVALID",
        {
            "pck-no-sgx-extension": R.PCK_EXT_INVALID,
            "pck-repeats-1": R.PCK_EXT_INVALID,
            "pck-repeats-2.17": R.PCK_EXT_INVALID,
            "pck-unknown-entry": R.PCK_EXT_INVALID,
            "pck-without-2.18": R.PCK_EXT_INVALID,
            "pck-component-256": R.PCK_EXT_INVALID,
        },
    ),
    Attack(
        27,
        "serial numbers that slip past the list",
        "SERIAL_INVALID",
        {
            **_each(_PLACES, "{}-serial-negative", R.SERIAL_INVALID),
            "pck-revoked": R.CERT_REVOKED,
            "pck-revoked-among-many": R.CERT_REVOKED,
        },
        elsewhere=("tests/verifier/test_x509.py::test_serial_numbers_are_positive_and_bounded",),
    ),
    Attack(
        28,
        "other signature algorithms",
        "SIG_ALG_UNEXPECTED",
        _each(_PLACES, "{}-algorithm", R.SIG_ALG_UNEXPECTED),
    ),
    Attack(
        29,
        "the list of the other CA",
        "CRL_ISSUER_MISMATCH",
        {"pck-crl-of-other-ca": R.CRL_ISSUER_MISMATCH, "pck-crl-issuer": R.CRL_ISSUER_MISMATCH},
        elsewhere=("tests/verifier/test_mixed.py::test_a_processor_leaf_under_a_platform_list",),
    ),
    Attack(
        30,
        "a certificate in another role",
        "ISSUER_ROLE",
        {
            "pck-issued-by-tcb-signer": R.ISSUER_ROLE,
            "tcb-info-by-pck-ca": R.ISSUER_ROLE,
            "qe-identity-by-pck-ca": R.ISSUER_ROLE,
            "tcb-signer-below-pck-ca": R.CHAIN_SHAPE,
        },
    ),
    Attack(
        31,
        "pathological chains",
        "CERT_TOO_LARGE",
        {"chain-enormous": R.CERT_TOO_LARGE},
        elsewhere=("tests/verifier/test_x509.py::test_oversized_documents_are_refused_unread",),
    ),
)

_COLLATERAL = (
    Attack(
        32,
        "forged QE identity",
        "QE_IDENTITY_SIGNATURE_INVALID",
        {
            "qe-identity-signature": R.QE_IDENTITY_SIGNATURE_INVALID,
            "qe-identity-signer": R.QE_IDENTITY_SIGNATURE_INVALID,
            "qe-identity-altered": R.QE_IDENTITY_SIGNATURE_INVALID,
            "qe-identity-missing-qe_identity_signature": R.COLLATERAL_INCOMPLETE,
        },
    ),
    Attack(
        33,
        "another quoting enclave",
        "QE_*_MISMATCH",
        {
            "qe-mrsigner": R.QE_MRSIGNER_MISMATCH,
            "qe-product": R.QE_ISVPRODID_MISMATCH,
            "qe-misc": R.QE_MISCSELECT_MISMATCH,
            "qe-flags": R.QE_ATTRIBUTES_MISMATCH,
            "qe-debug": R.QE_DEBUG,
            "qe-ancient": R.QE_TCB_NO_MATCH,
        },
    ),
    Attack(
        34,
        "documents of the other TEE type",
        "COLLATERAL_TYPE_MISMATCH",
        {
            "qe-identity-of-other-tee": R.COLLATERAL_TYPE_MISMATCH,
            "tcb-info-of-other-tee": R.COLLATERAL_TYPE_MISMATCH,
            "qe-identity-qve": R.COLLATERAL_TYPE_MISMATCH,
        },
    ),
    Attack(
        35,
        "expired documents under valid signers",
        "COLLATERAL_EXPIRED",
        {"tcb-info-expired": R.COLLATERAL_EXPIRED, "qe-identity-expired": R.COLLATERAL_EXPIRED},
        ("tcb-info-ends-now", "qe-identity-ends-now"),
    ),
    Attack(
        36,
        "documents from the future",
        "COLLATERAL_NOT_YET_VALID",
        {
            "tcb-info-early": R.COLLATERAL_NOT_YET_VALID,
            "qe-identity-early": R.COLLATERAL_NOT_YET_VALID,
        },
    ),
    Attack(
        37,
        "rollback to older collateral",
        "COLLATERAL_ROLLBACK",
        elsewhere=(
            "tests/verifier/fetch/test_cache.py::test_client_never_takes_older_collateral_from_a_service",
        ),
    ),
    Attack(38, "documents of two evaluations", "COLLATERAL_INCONSISTENT"),
    Attack(
        39,
        "revocation lists left out",
        "CRL_MISSING",
        {
            "root-crl-missing": R.CRL_MISSING,
            "pck-crl-missing": R.CRL_MISSING,
            "root-crl-empty": R.CRL_MISSING,
            "pck-crl-empty": R.CRL_MISSING,
        },
    ),
    Attack(
        40,
        "stale revocation lists",
        "CRL_EXPIRED",
        {
            "root-crl-expired": R.CRL_EXPIRED,
            "pck-crl-expired": R.CRL_EXPIRED,
            "root-crl-no-next-update": R.CRL_NO_NEXT_UPDATE,
            "pck-crl-no-next-update": R.CRL_NO_NEXT_UPDATE,
            "pck-crl-early": R.CRL_NOT_YET_VALID,
        },
    ),
    Attack(
        41,
        "revocation lists by another key",
        "CRL_SIGNATURE_INVALID",
        {
            "root-crl-signer": R.CRL_SIGNATURE_INVALID,
            "pck-crl-signer": R.CRL_SIGNATURE_INVALID,
            "root-crl-authority": R.CRL_SIGNATURE_INVALID,
            "pck-crl-authority": R.CRL_SIGNATURE_INVALID,
        },
    ),
    Attack(
        42,
        "a list that is parsed and not verified",
        "CRL_SIGNATURE_INVALID",
        {"pck-crl-signer": R.CRL_SIGNATURE_INVALID},
        elsewhere=(f"{_MUTATION}test_every_part_of_the_collateral_is_noticed",),
    ),
    Attack(
        43,
        "enormous revocation lists",
        "CRL_TOO_LARGE",
        {"root-crl-enormous": R.CRL_TOO_LARGE, "pck-crl-enormous": R.CRL_TOO_LARGE},
        ("pck-crl-129-entries",),
    ),
    Attack(
        44,
        "documents written anew",
        "TCB_INFO_SIGNATURE_INVALID",
        {
            "tcb-info-reformatted": R.TCB_INFO_SIGNATURE_INVALID,
            "qe-identity-reformatted": R.QE_IDENTITY_SIGNATURE_INVALID,
        },
        elsewhere=(
            "tests/verifier/test_collateral.py::test_wrapped_documents_are_sliced_not_rewritten",
        ),
    ),
    Attack(
        45,
        "JSON with two meanings",
        "JSON_DUPLICATE_KEY",
        {
            "tcb-info-key-twice": R.JSON_DUPLICATE_KEY,
            "qe-identity-key-twice": R.JSON_DUPLICATE_KEY,
            "tcb-info-nan": R.JSON_INVALID,
            "tcb-info-number-float": R.JSON_INVALID,
            "tcb-info-number-true": R.SCHEMA_INVALID,
        },
        elsewhere=(
            "tests/verifier/test_collateral.py::test_json_is_strict",
            "tests/verifier/test_collateral.py::test_depth_is_bounded_whatever_the_interpreter_allows",
        ),
    ),
    Attack(
        46,
        "unknown fields",
        "SCHEMA_UNKNOWN_FIELD",
        {
            "tcb-info-unknown-field": R.SCHEMA_UNKNOWN_FIELD,
            "qe-identity-unknown-field": R.SCHEMA_UNKNOWN_FIELD,
            "tcb-info-sgx-with-module": R.SCHEMA_UNKNOWN_FIELD,
        },
    ),
    Attack(
        47,
        "TCB info of another family",
        "FMSPC_MISMATCH",
        {"tcb-info-fmspc": R.FMSPC_MISMATCH, "tcb-info-pce-id": R.PCEID_MISMATCH},
        ("fmspc-lower-case",),
    ),
)

_LEVELS = (
    Attack(
        48,
        "revoked TCB",
        "TCB_REVOKED",
        {
            "platform-revoked": R.TCB_REVOKED,
            "qe-revoked": R.TCB_REVOKED,
            "module-revoked": R.TCB_REVOKED,
            "relaunch-current-revoked": R.TCB_REVOKED,
        },
    ),
    Attack(
        49,
        "statuses other than UpToDate",
        "TCB_STATUS_NOT_ALLOWED",
        {
            **_each(
                (
                    "OutOfDate",
                    "ConfigurationNeeded",
                    "OutOfDateConfigurationNeeded",
                    "SWHardeningNeeded",
                    "ConfigurationAndSWHardeningNeeded",
                ),
                "platform-{}",
                R.TCB_STATUS_NOT_ALLOWED,
            ),
            "qe-outdated": R.TCB_STATUS_NOT_ALLOWED,
            "tcb-info-status-unknown": R.TCB_STATUS_UNKNOWN,
            "qe-identity-status-of-platforms": R.TCB_STATUS_UNKNOWN,
        },
    ),
    Attack(
        50,
        "levels in another order",
        "(accepted)",
        accepted=("tcb-levels-backwards", "qe-levels-backwards", "module-levels-backwards"),
    ),
    Attack(
        51,
        "one component below, others above",
        "TCB_NO_MATCH",
        {"level-crossing": R.TCB_NO_MATCH, "level-pce-behind": R.TCB_NO_MATCH},
        elsewhere=("tests/verifier/test_tcb.py::test_every_component_counts_not_their_order",),
    ),
    Attack(
        52,
        "component lists that are too short",
        "TCB_COMPONENTS_COUNT",
        {
            **_each(("0", "15", "17"), "tcb-info-{}-sgx-components", R.TCB_COMPONENTS_COUNT),
            **_each(("0", "15", "17"), "tcb-info-{}-tdx-components", R.TCB_COMPONENTS_COUNT),
        },
    ),
    Attack(
        53,
        "TDX components left out",
        "TCB_INFO_INCOMPLETE",
        {
            "tcb-info-no-tdx-components": R.TCB_INFO_INCOMPLETE,
            "tcb-info-no-tdx-module": R.TCB_INFO_INCOMPLETE,
        },
    ),
    Attack(
        54,
        "no level matches",
        "TCB_NO_MATCH",
        {
            "platform-ancient": R.TCB_NO_MATCH,
            "level-out-of-reach": R.TCB_NO_MATCH,
            "tcb-info-no-levels": R.SCHEMA_INVALID,
        },
    ),
    Attack(
        55,
        "another TDX module",
        "TDX_MODULE_*",
        {
            "modules-none": R.TDX_MODULE_UNKNOWN,
            "modules-other": R.TDX_MODULE_UNKNOWN,
            "module-signer": R.TDX_MODULE_SIGNER_MISMATCH,
            "module-attributes": R.TDX_MODULE_ATTRIBUTES_MISMATCH,
            "module-out-of-reach": R.TDX_MODULE_TCB_NO_MATCH,
            "first-module-signer": R.TDX_MODULE_SIGNER_MISMATCH,
            "first-module-attributes": R.TDX_MODULE_ATTRIBUTES_MISMATCH,
        },
    ),
    Attack(
        56,
        "debug TD",
        "TD_DEBUG",
        _each(tuple("01234567"), "td-debug-{}", R.TD_DEBUG),
    ),
    Attack(
        57,
        "debug enclave, or one with special keys",
        "SGX_ATTR_FORBIDDEN",
        {
            "sgx-debug": R.SGX_ATTR_FORBIDDEN,
            "sgx-provision-key": R.SGX_ATTR_FORBIDDEN,
            "sgx-einittoken-key": R.SGX_ATTR_FORBIDDEN,
        },
    ),
    Attack(
        58,
        "migratable TD, service TD, reserved attributes",
        "TD_ATTR_FORBIDDEN",
        {
            "td-attribute-29": R.TD_ATTR_FORBIDDEN,
            "td-attribute-8": R.TD_ATTR_FORBIDDEN,
            "td-attribute-61": R.TD_ATTR_FORBIDDEN,
            "service-td-bit": R.TD_ATTR_FORBIDDEN,
            "service-td": R.SERVICE_TD_FORBIDDEN,
        },
    ),
    Attack(59, "SEPT_VE not disabled", "SEPT_VE_NOT_DISABLED", {"sept-ve": R.SEPT_VE_NOT_DISABLED}),
    Attack(60, "XFAM no module allows", "XFAM_INVALID"),
    Attack(61, "advisory the policy forbids", "ADVISORY_NOT_ALLOWED"),
    Attack(
        62,
        "relaunch advised, taken for current",
        "(Intel's list only)",
        {
            "relaunch-advised": R.TCB_STATUS_NOT_ALLOWED,
            "relaunch-advised-for-module": R.TCB_STATUS_NOT_ALLOWED,
            "relaunch-current-unknown": R.TCB_NO_MATCH,
            "relaunch-current-revoked": R.TCB_REVOKED,
        },
        ("relaunch-launched-current",),
        ("tests/verifier/test_tcb.py::test_relaunch",),
    ),
)

_BINDING = (
    Attack(
        63,
        "key without a domain",
        "REPORT_DATA_MISMATCH",
        elsewhere=(
            f"{_REGISTRY}test_Register_RevertWhen_TheQuoteBindsAnotherBinding",
            "tests/verifier/test_binding.py::test_layouts_fix_all_64_bytes",
        ),
    ),
    Attack(
        64,
        "half of report data ignored",
        "REPORT_DATA_MISMATCH",
        elsewhere=(f"{_REGISTRY}testFuzz_Register_RevertWhen_AnyByteOfTheReportDataDiffers",),
    ),
    Attack(
        65,
        "a quote submitted by somebody else",
        "AlreadyRegistered()",
        elsewhere=(f"{_REGISTRY}testFuzz_Register_RegistersTheKeyInTheQuoteWhoeverSends",),
    ),
    Attack(
        66,
        "an old quote",
        "QuoteStale()",
        elsewhere=(f"{_REGISTRY}test_Register_RevertWhen_TheChallengeBlockIsOutOfRange",),
    ),
    Attack(
        67,
        "a quote used again",
        "QuoteAlreadyUsed()",
        elsewhere=(
            f"{_REGISTRY}test_Register_RevertWhen_TheQuoteIsNoNewer",
            f"{_REGISTRY}test_Retire_IsForEver",
        ),
    ),
    Attack(
        68,
        "another chain or registry",
        "REPORT_DATA_MISMATCH",
        elsewhere=(f"{_REGISTRY}test_Register_RevertWhen_TheBindingIsNotForHere",),
    ),
    Attack(
        69,
        "a relayed quote",
        "(keys inside the quote)",
        elsewhere=(
            f"{_WORKLOADS}test_live.py::test_the_channel_is_bound_to_the_keyset",
            f"{_WORKLOADS}test_live.py::test_no_prompt_goes_to_a_service_that_was_not_verified",
        ),
    ),
    Attack(70, "right MRTD, other RTMRs", "MEASUREMENT_MISMATCH"),
    Attack(
        71,
        "events of another app in the log",
        "SYSTEM_EVENT_DUPLICATE",
        elsewhere=(
            f"{_WORKLOADS}test_dstack.py::test_every_lie_is_refused_for_its_reason",
            f"{_WORKLOADS}test_dstack.py::test_a_log_that_was_not_measured",
        ),
    ),
    Attack(
        72,
        "mutable image tags",
        "IMAGE_NOT_PINNED",
        elsewhere=(f"{_WORKLOADS}test_compose.py::test_only_a_literal_digest_pins",),
    ),
    Attack(73, "foreign MRCONFIGID or MROWNER", "MEASUREMENT_MISMATCH"),
    Attack(
        74,
        "a cloned worker",
        "PlatformKeyConflict",
        elsewhere=(f"{_REGISTRY}test_Register_RevertWhen_ThePlatformIsInUse",),
    ),
)

ATTACKS = (*_PARSING, *_PKI, *_COLLATERAL, *_LEVELS, *_BINDING)
"""All cases in order."""
