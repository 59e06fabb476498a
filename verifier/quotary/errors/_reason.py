"""The one catalogue of reasons, and what to do about each."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["REMEDIES", "Reason"]


class Reason(StrEnum):
    """Why evidence was refused: stable names, shared with the contracts and the metrics."""

    QUOTE_TRUNCATED = "QUOTE_TRUNCATED"
    QUOTE_TRAILING_BYTES = "QUOTE_TRAILING_BYTES"
    LENGTH_OUT_OF_RANGE = "LENGTH_OUT_OF_RANGE"
    INPUT_TOO_LARGE = "INPUT_TOO_LARGE"
    QUOTE_ENCODING_INVALID = "QUOTE_ENCODING_INVALID"
    UNSUPPORTED_QUOTE_VERSION = "UNSUPPORTED_QUOTE_VERSION"
    UNSUPPORTED_TEE_TYPE = "UNSUPPORTED_TEE_TYPE"
    TEE_TYPE_VERSION_MISMATCH = "TEE_TYPE_VERSION_MISMATCH"
    UNSUPPORTED_ATT_KEY_TYPE = "UNSUPPORTED_ATT_KEY_TYPE"
    BODY_TYPE_UNSUPPORTED = "BODY_TYPE_UNSUPPORTED"
    BODY_SIZE_MISMATCH = "BODY_SIZE_MISMATCH"
    CERT_DATA_TYPE_UNSUPPORTED = "CERT_DATA_TYPE_UNSUPPORTED"
    QE_AUTH_LEN_INVALID = "QE_AUTH_LEN_INVALID"
    RESERVED_NONZERO = "RESERVED_NONZERO"
    QE_VENDOR_MISMATCH = "QE_VENDOR_MISMATCH"
    PUBKEY_NOT_ON_CURVE = "PUBKEY_NOT_ON_CURVE"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    QUOTE_SIGNATURE_INVALID = "QUOTE_SIGNATURE_INVALID"
    QE_REPORT_SIGNATURE_INVALID = "QE_REPORT_SIGNATURE_INVALID"
    QE_REPORT_DATA_MISMATCH = "QE_REPORT_DATA_MISMATCH"
    QE_MISCSELECT_MISMATCH = "QE_MISCSELECT_MISMATCH"
    QE_ATTRIBUTES_MISMATCH = "QE_ATTRIBUTES_MISMATCH"
    QE_MRSIGNER_MISMATCH = "QE_MRSIGNER_MISMATCH"
    QE_ISVPRODID_MISMATCH = "QE_ISVPRODID_MISMATCH"
    QE_DEBUG = "QE_DEBUG"
    DER_NONCANONICAL = "DER_NONCANONICAL"
    PEM_INVALID = "PEM_INVALID"
    CERT_INVALID = "CERT_INVALID"
    CERT_TOO_LARGE = "CERT_TOO_LARGE"
    CERT_TIME_INVALID = "CERT_TIME_INVALID"
    CERT_EXPIRED = "CERT_EXPIRED"
    CERT_NOT_YET_VALID = "CERT_NOT_YET_VALID"
    CERT_SIGNATURE_INVALID = "CERT_SIGNATURE_INVALID"
    CERT_NAME_MISMATCH = "CERT_NAME_MISMATCH"
    CERT_REVOKED = "CERT_REVOKED"
    BASIC_CONSTRAINTS = "BASIC_CONSTRAINTS"
    KEY_USAGE = "KEY_USAGE"
    KEY_ID_MISSING = "KEY_ID_MISSING"
    KEY_ID_MISMATCH = "KEY_ID_MISMATCH"
    SERIAL_INVALID = "SERIAL_INVALID"
    SIG_ALG_UNEXPECTED = "SIG_ALG_UNEXPECTED"
    CHAIN_SHAPE = "CHAIN_SHAPE"
    ISSUER_ROLE = "ISSUER_ROLE"
    ROOT_NOT_PINNED = "ROOT_NOT_PINNED"
    PCK_CHAIN_MISSING = "PCK_CHAIN_MISSING"
    PCK_CHAIN_CONFLICT = "PCK_CHAIN_CONFLICT"
    PCK_EXT_INVALID = "PCK_EXT_INVALID"
    CRL_MISSING = "CRL_MISSING"
    CRL_INVALID = "CRL_INVALID"
    CRL_TOO_LARGE = "CRL_TOO_LARGE"
    CRL_ISSUER_MISMATCH = "CRL_ISSUER_MISMATCH"
    CRL_SIGNATURE_INVALID = "CRL_SIGNATURE_INVALID"
    CRL_EXPIRED = "CRL_EXPIRED"
    CRL_NOT_YET_VALID = "CRL_NOT_YET_VALID"
    CRL_NO_NEXT_UPDATE = "CRL_NO_NEXT_UPDATE"
    COLLATERAL_FORMAT_INVALID = "COLLATERAL_FORMAT_INVALID"
    COLLATERAL_INCOMPLETE = "COLLATERAL_INCOMPLETE"
    COLLATERAL_TYPE_MISMATCH = "COLLATERAL_TYPE_MISMATCH"
    COLLATERAL_EXPIRED = "COLLATERAL_EXPIRED"
    COLLATERAL_NOT_YET_VALID = "COLLATERAL_NOT_YET_VALID"
    COLLATERAL_ROLLBACK = "COLLATERAL_ROLLBACK"
    COLLATERAL_TOO_OLD = "COLLATERAL_TOO_OLD"
    COLLATERAL_INCONSISTENT = "COLLATERAL_INCONSISTENT"
    COLLATERAL_VERSION_UNSUPPORTED = "COLLATERAL_VERSION_UNSUPPORTED"
    JSON_INVALID = "JSON_INVALID"
    JSON_DUPLICATE_KEY = "JSON_DUPLICATE_KEY"
    SCHEMA_INVALID = "SCHEMA_INVALID"
    SCHEMA_UNKNOWN_FIELD = "SCHEMA_UNKNOWN_FIELD"
    TCB_INFO_SIGNATURE_INVALID = "TCB_INFO_SIGNATURE_INVALID"
    QE_IDENTITY_SIGNATURE_INVALID = "QE_IDENTITY_SIGNATURE_INVALID"
    TCB_EVALUATIONS_SIGNATURE_INVALID = "TCB_EVALUATIONS_SIGNATURE_INVALID"
    FMSPC_MISMATCH = "FMSPC_MISMATCH"
    PCEID_MISMATCH = "PCEID_MISMATCH"
    TCB_COMPONENTS_COUNT = "TCB_COMPONENTS_COUNT"
    TCB_INFO_INCOMPLETE = "TCB_INFO_INCOMPLETE"
    TCB_LEVEL_DUPLICATE = "TCB_LEVEL_DUPLICATE"
    TCB_STATUS_UNKNOWN = "TCB_STATUS_UNKNOWN"
    TCB_NO_MATCH = "TCB_NO_MATCH"
    TCB_REVOKED = "TCB_REVOKED"
    QE_TCB_NO_MATCH = "QE_TCB_NO_MATCH"
    TDX_MODULE_UNKNOWN = "TDX_MODULE_UNKNOWN"
    TDX_MODULE_SIGNER_MISMATCH = "TDX_MODULE_SIGNER_MISMATCH"
    TDX_MODULE_ATTRIBUTES_MISMATCH = "TDX_MODULE_ATTRIBUTES_MISMATCH"
    TDX_MODULE_TCB_NO_MATCH = "TDX_MODULE_TCB_NO_MATCH"
    TCB_STATUS_NOT_ALLOWED = "TCB_STATUS_NOT_ALLOWED"
    ADVISORY_NOT_ALLOWED = "ADVISORY_NOT_ALLOWED"
    TD_DEBUG = "TD_DEBUG"
    TD_ATTR_FORBIDDEN = "TD_ATTR_FORBIDDEN"
    SEPT_VE_NOT_DISABLED = "SEPT_VE_NOT_DISABLED"
    SERVICE_TD_FORBIDDEN = "SERVICE_TD_FORBIDDEN"
    XFAM_INVALID = "XFAM_INVALID"
    SGX_ATTR_FORBIDDEN = "SGX_ATTR_FORBIDDEN"
    MEASUREMENT_MISMATCH = "MEASUREMENT_MISMATCH"
    REPORT_DATA_MISMATCH = "REPORT_DATA_MISMATCH"
    TEE_TYPE_NOT_ALLOWED = "TEE_TYPE_NOT_ALLOWED"
    FMSPC_NOT_ALLOWED = "FMSPC_NOT_ALLOWED"
    PLATFORM_NOT_ALLOWED = "PLATFORM_NOT_ALLOWED"
    PLATFORM_CONFIGURATION = "PLATFORM_CONFIGURATION"
    SVN_TOO_LOW = "SVN_TOO_LOW"
    JOURNAL_INVALID = "JOURNAL_INVALID"
    FETCH_FAILED = "FETCH_FAILED"
    FETCH_TIMEOUT = "FETCH_TIMEOUT"
    FETCH_STATUS = "FETCH_STATUS"
    FETCH_ANSWER_INVALID = "FETCH_ANSWER_INVALID"
    TLS_REQUIRED = "TLS_REQUIRED"
    TLS_UNTRUSTED = "TLS_UNTRUSTED"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    REDIRECT_REFUSED = "REDIRECT_REFUSED"
    PLATFORM_UNKNOWN = "PLATFORM_UNKNOWN"
    PATH_ESCAPE = "PATH_ESCAPE"
    CACHE_DAMAGED = "CACHE_DAMAGED"
    CACHE_EMPTY = "CACHE_EMPTY"
    EVENT_LOG_INVALID = "EVENT_LOG_INVALID"
    EVENT_DIGEST_MISMATCH = "EVENT_DIGEST_MISMATCH"
    EVENT_LOG_MISMATCH = "EVENT_LOG_MISMATCH"
    SYSTEM_EVENT_INVALID = "SYSTEM_EVENT_INVALID"
    SYSTEM_EVENT_DUPLICATE = "SYSTEM_EVENT_DUPLICATE"
    COMPOSE_MISSING = "COMPOSE_MISSING"
    COMPOSE_INVALID = "COMPOSE_INVALID"
    COMPOSE_HASH_MISMATCH = "COMPOSE_HASH_MISMATCH"
    IMAGE_NOT_PINNED = "IMAGE_NOT_PINNED"
    WORKLOAD_MISMATCH = "WORKLOAD_MISMATCH"
    QUOTE_MISMATCH = "QUOTE_MISMATCH"
    NONCE_MISMATCH = "NONCE_MISMATCH"
    SIGNER_MISMATCH = "SIGNER_MISMATCH"
    BODY_HASH_MISMATCH = "BODY_HASH_MISMATCH"
    MESSAGE_SIGNATURE_INVALID = "MESSAGE_SIGNATURE_INVALID"
    API_VERSION_UNSUPPORTED = "API_VERSION_UNSUPPORTED"
    KEYSET_INVALID = "KEYSET_INVALID"
    KEYSET_DIGEST_MISMATCH = "KEYSET_DIGEST_MISMATCH"
    KEYSET_EXPIRED = "KEYSET_EXPIRED"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    PROVENANCE_UNBACKED = "PROVENANCE_UNBACKED"
    CUSTODY_UNPROVEN = "CUSTODY_UNPROVEN"
    CHANNEL_NOT_BOUND = "CHANNEL_NOT_BOUND"
    RECEIPT_INVALID = "RECEIPT_INVALID"
    UPSTREAM_UNVERIFIED = "UPSTREAM_UNVERIFIED"
    SESSION_MISSING = "SESSION_MISSING"
    SESSION_MISMATCH = "SESSION_MISMATCH"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    CLAIM_NOT_ASSERTED = "CLAIM_NOT_ASSERTED"


REMEDIES: Final = MappingProxyType(
    {
        Reason.QUOTE_TRUNCATED: "The quote ends early: fetch it again, whole.",
        Reason.QUOTE_TRAILING_BYTES: (
            "Cut the quote after its signature data; only zero padding may follow."
        ),
        Reason.LENGTH_OUT_OF_RANGE: (
            "A length field inside the quote is wrong: the quote is damaged or forged."
        ),
        Reason.INPUT_TOO_LARGE: (
            "No genuine document of this kind is this long: check what was sent."
        ),
        Reason.QUOTE_ENCODING_INVALID: (
            "Give the quote as raw bytes, one run of hex, or one run of standard base64."
        ),
        Reason.UNSUPPORTED_QUOTE_VERSION: (
            "Only quote versions 3, 4 and 5 exist for ECDSA DCAP quotes."
        ),
        Reason.UNSUPPORTED_TEE_TYPE: "Only SGX (0x00) and TDX (0x81) quotes can be verified.",
        Reason.TEE_TYPE_VERSION_MISMATCH: (
            "The header contradicts itself: the quote is damaged or forged."
        ),
        Reason.UNSUPPORTED_ATT_KEY_TYPE: "Only ECDSA P-256 attestation keys are supported.",
        Reason.BODY_TYPE_UNSUPPORTED: ("The version 5 body has a type this release does not know."),
        Reason.BODY_SIZE_MISMATCH: (
            "The version 5 body descriptor is wrong: the quote is damaged or forged."
        ),
        Reason.CERT_DATA_TYPE_UNSUPPORTED: (
            "Ask the quoting service for a quote that carries its PCK chain."
        ),
        Reason.QE_AUTH_LEN_INVALID: (
            "The QE authentication data overruns the quote: it is damaged or forged."
        ),
        Reason.RESERVED_NONZERO: (
            "Reserved words must be zero: the quote is damaged, forged, or of a newer format."
        ),
        Reason.QE_VENDOR_MISMATCH: ("The quote comes from another quoting enclave than Intel's."),
        Reason.PUBKEY_NOT_ON_CURVE: "The key is not a P-256 point: the evidence is forged.",
        Reason.SIGNATURE_INVALID: ("The signature's numbers are out of range or badly encoded."),
        Reason.QUOTE_SIGNATURE_INVALID: "The quote was changed after the TEE signed it.",
        Reason.QE_REPORT_SIGNATURE_INVALID: (
            "The platform's key did not sign this quoting enclave report."
        ),
        Reason.QE_REPORT_DATA_MISMATCH: (
            "The quoting enclave did not vouch for this attestation key."
        ),
        Reason.QE_MISCSELECT_MISMATCH: "The quoting enclave is not the one Intel identifies.",
        Reason.QE_ATTRIBUTES_MISMATCH: "The quoting enclave is not the one Intel identifies.",
        Reason.QE_MRSIGNER_MISMATCH: "The quoting enclave was not signed by Intel.",
        Reason.QE_ISVPRODID_MISMATCH: "The quoting enclave is another product than Intel's.",
        Reason.QE_DEBUG: ("The quoting enclave ran in debug mode: its signature proves nothing."),
        Reason.DER_NONCANONICAL: "The document is not strict DER: it is damaged or forged.",
        Reason.PEM_INVALID: ("Give the chain as plain PEM certificates with nothing in between."),
        Reason.CERT_INVALID: (
            "The certificate lacks what Intel's certificates have, or has it wrong."
        ),
        Reason.CERT_TOO_LARGE: "No genuine certificate is this long.",
        Reason.CERT_TIME_INVALID: (
            "The date is not a date X.509 allows: the document is damaged or forged."
        ),
        Reason.CERT_EXPIRED: (
            "Fetch newer collateral, or have the platform renew its PCK certificate."
        ),
        Reason.CERT_NOT_YET_VALID: (
            "Check the verification time; the certificate is not valid yet."
        ),
        Reason.CERT_SIGNATURE_INVALID: (
            "The certificate was not issued by the authority it names."
        ),
        Reason.CERT_NAME_MISMATCH: "The chain's certificates do not belong together.",
        Reason.CERT_REVOKED: "Intel revoked this certificate: do not trust the platform.",
        Reason.BASIC_CONSTRAINTS: ("The certificate may not stand where it stands in the chain."),
        Reason.KEY_USAGE: "The certificate's key is not meant for this.",
        Reason.KEY_ID_MISSING: "Genuine Intel certificates carry both key identifiers.",
        Reason.KEY_ID_MISMATCH: (
            "The document names another issuing key than the one that signed it."
        ),
        Reason.SERIAL_INVALID: "The serial number is not one X.509 allows.",
        Reason.SIG_ALG_UNEXPECTED: "Intel uses ECDSA on P-256 with SHA-256 only.",
        Reason.CHAIN_SHAPE: "Give exactly the chain asked for: leaf first, root last.",
        Reason.ISSUER_ROLE: "The certificate has another role than the one it is used in.",
        Reason.ROOT_NOT_PINNED: "The chain does not end at the trusted root certificate.",
        Reason.PCK_CHAIN_MISSING: (
            "The quote carries no PCK chain: give one in `pck_certificate_chain`."
        ),
        Reason.PCK_CHAIN_CONFLICT: (
            "The quote and the collateral name different PCK certificates: drop one."
        ),
        Reason.PCK_EXT_INVALID: "The PCK certificate's SGX extension is malformed.",
        Reason.CRL_MISSING: ("Fetch the collateral again: no revocation list means no verdict."),
        Reason.CRL_INVALID: "The revocation list is malformed.",
        Reason.CRL_TOO_LARGE: "No genuine revocation list is this long.",
        Reason.CRL_ISSUER_MISMATCH: (
            "Fetch the revocation list of the authority that issued the certificate."
        ),
        Reason.CRL_SIGNATURE_INVALID: "The revocation list was not signed by its authority.",
        Reason.CRL_EXPIRED: "Fetch newer revocation lists.",
        Reason.CRL_NOT_YET_VALID: ("Check the verification time; the revocation list is newer."),
        Reason.CRL_NO_NEXT_UPDATE: "The revocation list does not say until when it holds.",
        Reason.COLLATERAL_FORMAT_INVALID: (
            "Give collateral as the JSON object the documentation describes."
        ),
        Reason.COLLATERAL_INCOMPLETE: "Fetch the collateral again: a part is missing.",
        Reason.COLLATERAL_TYPE_MISMATCH: "Fetch the collateral made for this TEE type.",
        Reason.COLLATERAL_EXPIRED: "Fetch newer collateral.",
        Reason.COLLATERAL_NOT_YET_VALID: ("Check the verification time; the collateral is newer."),
        Reason.COLLATERAL_ROLLBACK: ("Fetch collateral with a newer TCB evaluation data number."),
        Reason.COLLATERAL_TOO_OLD: (
            "The policy wants younger collateral than its own expiry does: fetch it again."
        ),
        Reason.COLLATERAL_INCONSISTENT: ("Fetch TCB info and QE identity of one TCB evaluation."),
        Reason.COLLATERAL_VERSION_UNSUPPORTED: (
            "This release does not know this version of the document."
        ),
        Reason.JSON_INVALID: "The document is not strict JSON.",
        Reason.JSON_DUPLICATE_KEY: ("The document says one thing twice: it is damaged or forged."),
        Reason.SCHEMA_INVALID: "A field is missing or has the wrong form.",
        Reason.SCHEMA_UNKNOWN_FIELD: (
            "The document says something this release does not understand: upgrade."
        ),
        Reason.TCB_INFO_SIGNATURE_INVALID: "The TCB info was changed after Intel signed it.",
        Reason.QE_IDENTITY_SIGNATURE_INVALID: (
            "The QE identity was changed after Intel signed it."
        ),
        Reason.TCB_EVALUATIONS_SIGNATURE_INVALID: (
            "The list of TCB evaluations was changed after Intel signed it."
        ),
        Reason.FMSPC_MISMATCH: "Fetch the TCB info of this platform's FMSPC.",
        Reason.PCEID_MISMATCH: "Fetch the TCB info of this platform's PCE.",
        Reason.TCB_COMPONENTS_COUNT: "A TCB level must judge exactly sixteen components.",
        Reason.TCB_INFO_INCOMPLETE: "The TCB info says nothing of the TDX components.",
        Reason.TCB_LEVEL_DUPLICATE: "The document judges one TCB level twice.",
        Reason.TCB_STATUS_UNKNOWN: "The document uses a status this release does not know.",
        Reason.TCB_NO_MATCH: ("The platform is older than every TCB level Intel lists: update it."),
        Reason.TCB_REVOKED: "Intel revoked this TCB level: do not trust the platform.",
        Reason.QE_TCB_NO_MATCH: (
            "The quoting enclave is older than every level Intel lists: update it."
        ),
        Reason.TDX_MODULE_UNKNOWN: "The TCB info does not know this TDX module version.",
        Reason.TDX_MODULE_SIGNER_MISMATCH: "The TDX module was not signed by Intel.",
        Reason.TDX_MODULE_ATTRIBUTES_MISMATCH: (
            "The TDX module has attributes Intel does not allow."
        ),
        Reason.TDX_MODULE_TCB_NO_MATCH: (
            "The TDX module is older than every level Intel lists: update it."
        ),
        Reason.TCB_STATUS_NOT_ALLOWED: "Update the platform, or allow this status knowingly.",
        Reason.ADVISORY_NOT_ALLOWED: "Mitigate the advisory, or allow it knowingly.",
        Reason.TD_DEBUG: (
            "The TD runs in debug mode: its host can read it. Rebuild without debug."
        ),
        Reason.TD_ATTR_FORBIDDEN: ("Start the TD without this attribute, or allow it knowingly."),
        Reason.SEPT_VE_NOT_DISABLED: "Start the TD with SEPT_VE_DISABLE.",
        Reason.SERVICE_TD_FORBIDDEN: (
            "A service TD is bound: allow it knowingly, or start the TD without."
        ),
        Reason.XFAM_INVALID: "Start the TD with the extended features the policy asks for.",
        Reason.SGX_ATTR_FORBIDDEN: "Build the enclave without this attribute.",
        Reason.MEASUREMENT_MISMATCH: "Other code runs there than the policy expects.",
        Reason.REPORT_DATA_MISMATCH: "The quote binds other data than expected.",
        Reason.TEE_TYPE_NOT_ALLOWED: "The policy expects another kind of TEE.",
        Reason.FMSPC_NOT_ALLOWED: "The policy excludes this platform family.",
        Reason.PLATFORM_NOT_ALLOWED: "The policy excludes this platform.",
        Reason.PLATFORM_CONFIGURATION: ("The policy excludes platforms configured like this one."),
        Reason.SVN_TOO_LOW: "Run a newer build of the enclave.",
        Reason.JOURNAL_INVALID: "The journal is not the canonical encoding of a verdict.",
        Reason.EVENT_LOG_INVALID: "The event log is not one that a dstack guest writes.",
        Reason.EVENT_DIGEST_MISMATCH: "The event's text was changed after it was measured.",
        Reason.EVENT_LOG_MISMATCH: "The event log is not the one the quote measured.",
        Reason.SYSTEM_EVENT_INVALID: (
            "A system event is missing, misplaced or malformed: do not trust the guest."
        ),
        Reason.SYSTEM_EVENT_DUPLICATE: (
            "The app repeats a system event: it tries to pass for another app."
        ),
        Reason.COMPOSE_MISSING: "Give app-compose.json, or the compose hash you reviewed.",
        Reason.COMPOSE_INVALID: "The compose file does not say plainly which images run.",
        Reason.COMPOSE_HASH_MISMATCH: "This app-compose.json is not the one the guest measured.",
        Reason.IMAGE_NOT_PINNED: (
            "Name every image by digest (@sha256:...): a tag may point elsewhere tomorrow."
        ),
        Reason.WORKLOAD_MISMATCH: "Another workload runs there than expected.",
        Reason.QUOTE_MISMATCH: "The verdict is about another quote than the evidence.",
        Reason.NONCE_MISMATCH: (
            "The report answers another challenge: ask again with your own nonce."
        ),
        Reason.SIGNER_MISMATCH: "The signer is not the identity the quote binds.",
        Reason.BODY_HASH_MISMATCH: "The signature or receipt is about other bytes than yours.",
        Reason.MESSAGE_SIGNATURE_INVALID: "The signature was not made by the attested key.",
        Reason.API_VERSION_UNSUPPORTED: "The document is of another protocol version than aci/1.",
        Reason.KEYSET_INVALID: "The keyset breaks its specification: trust none of its keys.",
        Reason.KEYSET_DIGEST_MISMATCH: (
            "The document belongs to another keyset: fetch the report again."
        ),
        Reason.KEYSET_EXPIRED: (
            "Fetch a fresh report: the keyset has expired or claims to live too long."
        ),
        Reason.KEY_UNKNOWN: "No key of the keyset with a known algorithm could have signed this.",
        Reason.PROVENANCE_UNBACKED: (
            "No measurement backs the claimed source: pin what you reviewed."
        ),
        Reason.CUSTODY_UNPROVEN: "Nothing accepted proves that the keys stay inside the TEE.",
        Reason.CHANNEL_NOT_BOUND: (
            "The TLS key observed is not one of the keyset: somebody stands between."
        ),
        Reason.RECEIPT_INVALID: "The receipt contradicts itself or its request.",
        Reason.UPSTREAM_UNVERIFIED: "The aggregator served this without a verified upstream.",
        Reason.SESSION_MISSING: "Give the session that the receipt cites.",
        Reason.SESSION_MISMATCH: "This session is not the record its id or digest names.",
        Reason.SESSION_EXPIRED: "The request was served outside the session's validity.",
        Reason.CLAIM_NOT_ASSERTED: "The session does not assert what the policy requires.",
        Reason.FETCH_FAILED: "Check the network and the service's address, then try again.",
        Reason.FETCH_TIMEOUT: (
            "The service is too slow: try again, another service, or longer time limits."
        ),
        Reason.FETCH_STATUS: (
            "The service answered with an error: its status and its logs say more."
        ),
        Reason.FETCH_ANSWER_INVALID: (
            "The service does not speak the PCS version 4 protocol: check its address."
        ),
        Reason.TLS_REQUIRED: "Use https; plain http is for a service on this very machine only.",
        Reason.TLS_UNTRUSTED: (
            "Give the authority that signed the service's certificate; checking stays on."
        ),
        Reason.HOST_NOT_ALLOWED: (
            "Add the host to the allowed hosts if you trust it with this request."
        ),
        Reason.REDIRECT_REFUSED: "Redirects are never followed: give the service's final address.",
        Reason.PLATFORM_UNKNOWN: (
            "The service does not know this platform: check FMSPC, TEE type and update channel."
        ),
        Reason.PATH_ESCAPE: (
            "The path leads out of the folder it belongs to: look for links in the cache."
        ),
        Reason.CACHE_DAMAGED: "The cached collateral was damaged: fetch it again.",
        Reason.CACHE_EMPTY: "Nothing is cached for this platform: fetch its collateral first.",
    }
)
"""What a reader can do about each reason."""
