"""The rules about lists and documents, for verification and for explanations alike."""

from __future__ import annotations

from typing import Final

from quotary._ecdsa import require_digest_signature, signature_to_der
from quotary.collateral import QeIdentity, TcbEvaluations, TcbInfo
from quotary.errors import CollateralError, QuotaryError, Reason, VerificationError
from quotary.trust._window import Window, WindowKind
from quotary.x509 import Certificate, RevocationList

__all__ = [
    "certificate_window",
    "document_window",
    "list_window",
    "require_list_of",
    "require_not_revoked",
    "require_same_authority",
    "require_same_tee",
    "require_signed",
]

_FORGED: Final = {
    "tcb_info": Reason.TCB_INFO_SIGNATURE_INVALID,
    "qe_identity": Reason.QE_IDENTITY_SIGNATURE_INVALID,
    "tcb_evaluations": Reason.TCB_EVALUATIONS_SIGNATURE_INVALID,
}


def require_list_of(crl: RevocationList, issuer: Certificate, item: str) -> None:
    """Raise `CollateralError` unless `issuer` issued `crl`: its name, key id and signature."""
    if crl.issuer != issuer.subject:
        raise CollateralError(
            Reason.CRL_ISSUER_MISMATCH, item, expected=f"the list of {issuer.common_name}"
        )
    if crl.authority_key_id != issuer.subject_key_id:
        raise CollateralError(
            Reason.CRL_SIGNATURE_INVALID,
            item,
            expected=issuer.subject_key_id.hex(),
            found=crl.authority_key_id.hex(),
        )
    require_digest_signature(
        issuer.key,
        crl.signature,
        crl.tbs_hash,
        reason=Reason.CRL_SIGNATURE_INVALID,
        item=item,
        error=CollateralError,
    )


def require_not_revoked(
    certificate: Certificate,
    crl: RevocationList,
    item: str,
    error: type[QuotaryError] = CollateralError,
) -> None:
    """Raise `error` when `crl` lists `certificate`."""
    if crl.lists(certificate.serial):
        raise error(
            Reason.CERT_REVOKED,
            item,
            expected="a certificate in good standing",
            found=f"serial {certificate.serial:x}",
        )


def require_signed(digest: bytes, signature: bytes, signer: Certificate, item: str) -> None:
    """
    Raise unless `signer` signed the document with this SHA-256 `digest`.

    `item` is `tcb_info`, `qe_identity` or `tcb_evaluations`.
    """
    der = signature_to_der(signature, item)
    require_digest_signature(
        signer.key, der, digest, reason=_FORGED[item], item=item, error=CollateralError
    )


def require_same_tee(tcb_info: TcbInfo, qe_identity: QeIdentity) -> None:
    """Raise `CollateralError` unless both documents are of one TEE type."""
    if tcb_info.tee_type is not qe_identity.tee_type:
        raise CollateralError(
            Reason.COLLATERAL_TYPE_MISMATCH,
            "qe_identity",
            expected=f"the quoting enclave of {tcb_info.tee_type.name}",
            found=qe_identity.tee_type.name,
        )


def require_same_authority(authority: Certificate, known: Certificate) -> None:
    """Raise `VerificationError` unless the list of `known` speaks for `authority`: name and key."""
    if authority.subject != known.subject or authority.public_key != known.public_key:
        raise VerificationError(
            Reason.CRL_ISSUER_MISMATCH,
            "pck_crl",
            expected=f"the revocation list of {authority.common_name}",
            found=f"that of {known.common_name}",
        )


def certificate_window(certificate: Certificate, item: str) -> Window:
    """Return the validity of a certificate."""
    return Window(item, WindowKind.CERTIFICATE, certificate.not_before, certificate.not_after)


def list_window(crl: RevocationList, item: str) -> Window:
    """Return the time between a revocation list and the next."""
    return Window(item, WindowKind.REVOCATION_LIST, crl.this_update, crl.next_update)


def document_window(document: TcbInfo | QeIdentity | TcbEvaluations, item: str) -> Window:
    """Return the time between a document and the next."""
    return Window(item, WindowKind.DOCUMENT, document.issue_date, document.next_update)
