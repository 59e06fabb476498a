"""What it means that Python and the chain say the same of evidence, and what their shapes allow."""

from __future__ import annotations

from datetime import datetime

from quotary import QuotaryError, RawCollateral, TrustRoot, verify
from quotary.policy import AllOf, SgxAttributes, TdAttributeRules
from quotary.verify.explain import explain

__all__ = ["ON_CHAIN", "agree", "another_fault", "of_python", "same_document", "told"]

ON_CHAIN = AllOf((SgxAttributes(), TdAttributeRules()))
"""What the contract refuses by itself: which statuses are acceptable, registries decide."""

EQUIVALENT = {
    # The store finds collateral by what it is for, so what does not fit is not found.
    ("CRL_ISSUER_MISMATCH", "CRL_MISSING"),
    ("COLLATERAL_TYPE_MISMATCH", "FMSPC_MISMATCH"),
    ("COLLATERAL_TYPE_MISMATCH", "COLLATERAL_INCOMPLETE"),
    ("CRL_ISSUER_MISMATCH", "COLLATERAL_INCOMPLETE"),
    # A list in the name of another issuer is taken for that issuer's.
    ("CRL_ISSUER_MISMATCH", "CRL_SIGNATURE_INVALID"),
    ("CRL_ISSUER_MISMATCH", "COLLATERAL_ROLLBACK"),
    # A PCK CA is accepted as such; as a signer of documents it is unknown.
    ("ISSUER_ROLE", "COLLATERAL_INCOMPLETE"),
    # A certificate is judged by the role it names itself, not by the place it stands in.
    ("ISSUER_ROLE", "BASIC_CONSTRAINTS"),
    ("ISSUER_ROLE", "KEY_USAGE"),
}

CERTIFICATE_FORM = frozenset(
    {
        "BASIC_CONSTRAINTS",
        "CERT_INVALID",
        "DER_NONCANONICAL",
        "KEY_ID_MISSING",
        "KEY_USAGE",
    }
)
"""What a malformed certificate may be refused for: the rule that notices first names it, and the
two sides read extensions in different order."""

_OF_DOCUMENTS = (
    "ADVISORY_",
    "COLLATERAL_TYPE",
    "COLLATERAL_VERSION",
    "JSON_",
    "SCHEMA_",
    "TCB_COMPONENTS_COUNT",
    "TCB_INFO_INCOMPLETE",
    "TCB_LEVEL_DUPLICATE",
    "TCB_STATUS_UNKNOWN",
)


def of_python(
    quote: bytes, collateral: RawCollateral, root: TrustRoot, at: datetime
) -> bytes | str:
    """The journal, or the reason."""
    try:
        return verify(quote, collateral, policy=ON_CHAIN, at=at, root=root).journal()
    except QuotaryError as error:
        return str(error.reason)


def agree(python: bytes | str, chain: bytes | str) -> bool:
    """Whether both say the same, or what the two shapes of collateral make of the same."""
    both = {python, chain}
    return len(both) == 1 or (python, chain) in EQUIVALENT or both <= CERTIFICATE_FORM


def another_fault(
    quote: bytes, collateral: RawCollateral, root: TrustRoot, at: datetime, chain: str
) -> bool:
    """
    Whether the chain's reason is another fault that Python finds, too, in evidence with several.

    The chain judges document by document as they are brought, and the quote last.
    """
    return any(agree(fault, chain) for fault in _faults(quote, collateral, root, at))


def same_document(
    quote: bytes, collateral: RawCollateral, root: TrustRoot, at: datetime, chain: str
) -> bool:
    """
    Whether both refuse what a document says, in evidence that was changed in several ways: a key
    that is there twice, with another value, is wrong in two ways by itself.

    The chain reads a document once, from its beginning to its end; Python first as JSON, then field
    by field, and never looks further than to the first fault of a document.
    """
    faults = _faults(quote, collateral, root, at)
    return chain.startswith(_OF_DOCUMENTS) and any(it.startswith(_OF_DOCUMENTS) for it in faults)


def _faults(
    quote: bytes, collateral: RawCollateral, root: TrustRoot, at: datetime
) -> frozenset[str]:
    explained = explain(quote, collateral, policy=ON_CHAIN, at=at, root=root)
    return frozenset(str(check.reason) for check in explained.failures)


def told(answer: bytes | str) -> str:
    """The reason, or that there is a journal."""
    return answer if isinstance(answer, str) else "a journal"
