"""What we refuse and the peer overlooks: reason, fact and justification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.x509 import (
    AuthorityKeyIdentifier,
    CRLDistributionPoints,
    CRLNumber,
    SubjectKeyIdentifier,
)

from tests.differential.certificate_facts import CertificateFacts
from tests.differential.document_facts import DocumentFacts
from tests.differential.facts import Facts

__all__ = ["LAXITIES", "Laxity"]

_MAX_QUOTE = 32 * 1024


@dataclass(frozen=True, slots=True)
class Laxity:
    """Our reason, the fact it must rest on, and why the peer accepts all the same."""

    name: str
    reason: str
    why: str
    spec: str
    fact: Callable[[Facts], bool]


def _of_certificates(fact: Callable[[CertificateFacts], bool]) -> Callable[[Facts], bool]:
    return lambda facts: fact(CertificateFacts(facts))


def _of_documents(fact: Callable[[DocumentFacts], bool]) -> Callable[[Facts], bool]:
    return lambda facts: fact(DocumentFacts(facts))


_CONTAINER = (
    Laxity(
        "reserved words set",
        "RESERVED_NONZERO",
        "Reserved words are zero by Intel's headers; the peer does not look at them.",
        "1.1, 2.1",
        lambda facts: facts.reserved_words_set,
    ),
    Laxity(
        "enclave not initialised",
        "SGX_ATTR_FORBIDDEN",
        "Every running enclave has INIT; the peer does not ask for it.",
        "8.1",
        lambda facts: facts.uninitialised,
    ),
    Laxity(
        "types of certification data",
        "CERT_DATA_TYPE_UNSUPPORTED",
        "The peer accepts any outer type, and any inner type with a chain in the collateral.",
        "#6, #7",
        lambda facts: (
            (facts.version != 3 and facts.outer_type != 6) or not 1 <= facts.certification_type <= 5
        ),
    ),
    Laxity(
        "bytes after the quote",
        "QUOTE_TRAILING_BYTES",
        "Zero padding is tolerated, anything else refused; the peer tolerates anything.",
        "#8, 1.4",
        lambda facts: any(facts.trailing),
    ),
    Laxity(
        "enormous quotes",
        "INPUT_TOO_LARGE",
        "Quotes are bounded before any work; the peer bounds their parts only.",
        "1.4",
        lambda facts: len(facts.case.quote) > _MAX_QUOTE,
    ),
)

_CERTIFICATES = (
    Laxity(
        "key ids missing",
        "KEY_ID_MISSING",
        "Intel's library demands both key identifiers; the peer does not.",
        "#16, #22",
        _of_certificates(
            lambda facts: facts.lacks(SubjectKeyIdentifier) or facts.lacks(AuthorityKeyIdentifier)
        ),
    ),
    Laxity(
        "key ids wrong",
        "KEY_ID_MISMATCH",
        "An authority key identifier must name the issuer's key; the peer ignores it.",
        "5.2, #16",
        _of_certificates(lambda facts: facts.misleads),
    ),
    Laxity(
        "key id of a list wrong",
        "CRL_SIGNATURE_INVALID",
        "A list's authority key identifier must name its issuer's key; the peer ignores it.",
        "5.3, #22",
        _of_certificates(lambda facts: facts.list_misleads),
    ),
    Laxity(
        "CRL number missing",
        "CRL_INVALID",
        "Intel's library demands a CRL number; the peer does not.",
        "#22",
        _of_certificates(lambda facts: facts.lacks(CRLNumber)),
    ),
    Laxity(
        "CRL distribution points missing",
        "CERT_INVALID",
        "Intel's library demands the extension; the peer does not.",
        "#16",
        _of_certificates(lambda facts: facts.lacks(CRLDistributionPoints)),
    ),
    Laxity(
        "names without a role",
        "ISSUER_ROLE",
        "Names decide which role a certificate may take; the peer takes any below the root.",
        "5.2, #11",
        _of_certificates(lambda facts: facts.misnamed),
    ),
    Laxity(
        "constraints of another role",
        "BASIC_CONSTRAINTS",
        "Constraints must be exactly those of the role; the peer needs them to suffice.",
        "5.2, #14",
        _of_certificates(lambda facts: facts.misconstrained),
    ),
    Laxity(
        "key usage of another role",
        "KEY_USAGE",
        "Key usage must be that of the role; the peer evaluates CRL signing only.",
        "5.2, #15",
        _of_certificates(lambda facts: facts.misused),
    ),
    Laxity(
        "serial numbers",
        "SERIAL_INVALID",
        "Serial numbers are positive (RFC 5280, 4.1.2.2); the peer compares bytes.",
        "5.3",
        _of_certificates(lambda facts: facts.serial_not_positive),
    ),
    Laxity(
        "another path to the root",
        "CERT_NAME_MISMATCH",
        "The chain is leaf, issuer, root; the peer takes any path it finds.",
        "5.2, #12",
        _of_certificates(lambda facts: facts.not_linear),
    ),
    Laxity(
        "root expired",
        "CERT_EXPIRED",
        "The root's own dates count; to the peer it is a key.",
        "6.4, #18",
        _of_certificates(lambda facts: facts.root_expired),
    ),
    Laxity(
        "root not yet valid",
        "CERT_NOT_YET_VALID",
        "The root's own dates count; to the peer it is a key.",
        "6.4, #17",
        _of_certificates(lambda facts: facts.root_early),
    ),
    Laxity(
        "list of the future",
        "CRL_NOT_YET_VALID",
        "A list is not valid before its date; the peer reads its end only.",
        "#20",
        _of_certificates(lambda facts: facts.list_early),
    ),
    Laxity(
        "SGX extension irregular",
        "PCK_EXT_INVALID",
        "Intel's library fixes entries, types and lengths; the peer searches for what it needs.",
        "5.4, #44",
        _of_certificates(lambda facts: facts.extension_irregular),
    ),
)

_DOCUMENTS = (
    Laxity(
        "PCE id",
        "PCEID_MISMATCH",
        "TCB info is of one PCE; the peer does not compare.",
        "7.2, #31",
        _of_documents(lambda facts: facts.other_pce),
    ),
    Laxity(
        "levels named twice",
        "TCB_LEVEL_DUPLICATE",
        "Two judgements of one TCB contradict; Intel's library refuses, the peer takes the first.",
        "6.2, #29",
        _of_documents(lambda facts: facts.level_repeated),
    ),
    Laxity(
        "unmasked attributes",
        "QE_ATTRIBUTES_MISMATCH",
        "Intel compares with the unmasked identity; the peer masks both sides.",
        "7.5",
        _of_documents(lambda facts: facts.exceeds_mask("attributes")),
    ),
    Laxity(
        "unmasked MISCSELECT",
        "QE_MISCSELECT_MISMATCH",
        "Intel compares with the unmasked identity; the peer masks both sides.",
        "7.5",
        _of_documents(lambda facts: facts.exceeds_mask("miscselect")),
    ),
    Laxity(
        "other versions",
        "COLLATERAL_VERSION_UNSUPPORTED",
        "Intel knows TCB info 2 and 3 of type 0 and QE identity 2; the peer accepts later ones.",
        "6.2, 6.3, #28",
        _of_documents(lambda facts: facts.other_version),
    ),
    Laxity(
        "statuses of other places",
        "TCB_STATUS_UNKNOWN",
        "Documents may say a few of the statuses; the peer lets each say all.",
        "6.2",
        _of_documents(lambda facts: facts.status_misplaced),
    ),
    Laxity(
        "component lists of other lengths",
        "TCB_COMPONENTS_COUNT",
        "Every level has sixteen components; the peer checks those it reaches.",
        "6.2, #29",
        _of_documents(lambda facts: facts.miscounted),
    ),
    Laxity(
        "levels without TDX components",
        "TCB_INFO_INCOMPLETE",
        "Every level for TDX has both lists; the peer misses one where it looks.",
        "6.2",
        _of_documents(lambda facts: facts.tdx_components_missing),
    ),
    Laxity(
        "fields nobody knows",
        "SCHEMA_UNKNOWN_FIELD",
        "What is not understood may matter; the peer skips it.",
        "6.2",
        _of_documents(lambda facts: facts.surprising),
    ),
    Laxity(
        "floating point where nobody looks",
        "JSON_INVALID",
        "Intel's documents have no floating point; the peer skips it in fields it does not read.",
        "6.1",
        _of_documents(lambda facts: facts.has_floating_point),
    ),
    Laxity(
        "fields out of schema",
        "SCHEMA_INVALID",
        "Every field has its type, range and spelling; the peer reads some fields only.",
        "6.2, 6.3",
        _of_documents(lambda facts: facts.out_of_schema),
    ),
)

LAXITIES: tuple[Laxity, ...] = (*_CONTAINER, *_CERTIFICATES, *_DOCUMENTS)
