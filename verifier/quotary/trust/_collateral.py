"""Collateral that was verified: Intel's signatures, roles, revocation and validity."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from quotary.collateral import QeIdentity, RawCollateral, TcbInfo
from quotary.errors import CollateralError
from quotary.tcb import Outcome
from quotary.trust._authorities import verify_authority
from quotary.trust._documents import read_list_of, read_signed
from quotary.trust._memory import Memory
from quotary.trust._platform import Platform
from quotary.trust._root import INTEL_ROOT, TrustRoot
from quotary.trust._rules import (
    certificate_window,
    document_window,
    list_window,
    require_not_revoked,
    require_same_tee,
    require_signed,
)
from quotary.trust._voucher import Voucher
from quotary.trust._window import Window, require_within
from quotary.x509 import (
    Certificate,
    RevocationList,
    Role,
    split_pem,
)

__all__ = ["REMEMBERED_PLATFORMS", "Collateral", "issued_by_root", "unix_seconds"]

REMEMBERED_PLATFORMS: Final = 4096
"""So many platforms are remembered unless the caller says otherwise: under 20 MB."""

_REMEMBERED_VOUCHERS: Final = 256
"""So many attestation keys: what certifies one takes 6 kB, and spares a few microseconds."""

_REMEMBERED_OUTCOMES: Final = 1024
"""Platforms of one family that run the same versions share one."""


def unix_seconds(at: datetime) -> int:
    """Return `at` as whole Unix seconds; raises `ValueError` for a time without a time zone."""
    if at.tzinfo is None:
        raise ValueError("the verification time needs a time zone, such as datetime.UTC")
    return int(at.timestamp())


@dataclass(frozen=True)
class Collateral:
    """
    Collateral whose every signature was checked, down from one root, at one time.

    Immutable. It may be used at any time inside all its windows, which `require_current` checks
    with two comparisons. What it says of platforms is sorted and ready to be matched.

    `platforms`, `vouchers` and `outcomes` spare work, and change no verdict: they hold what this
    very object proved, by the exact bytes it proved it of. `evaluation_number` is the smaller one
    of TCB info and QE identity, `root_key_hash` the SHA-256 of the root key's x ‖ y.
    """

    root: TrustRoot
    tcb_info: TcbInfo
    qe_identity: QeIdentity
    signers: tuple[Certificate, Certificate]
    pck_ca: Certificate
    root_crl: RevocationList
    pck_crl: RevocationList
    pck_certificate_chain: bytes | None
    valid_from: int
    valid_until: int
    hashes: tuple[bytes, ...]
    remembers: int = REMEMBERED_PLATFORMS
    evaluation_number: int = field(init=False, repr=False, compare=False)
    root_key_hash: bytes = field(init=False, repr=False, compare=False)
    platforms: Memory[bytes, Platform] = field(init=False, repr=False, compare=False)
    vouchers: Memory[bytes, Voucher] = field(init=False, repr=False, compare=False)
    outcomes: Memory[bytes, Outcome] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin with nothing proven: what other collateral proved is no proof here."""
        vouchers = min(self.remembers, _REMEMBERED_VOUCHERS)
        outcomes = min(self.remembers, _REMEMBERED_OUTCOMES)
        vars(self).update(
            evaluation_number=min(
                self.tcb_info.evaluation_number, self.qe_identity.evaluation_number
            ),
            root_key_hash=self.root.key_hash,
            platforms=Memory(self.remembers),
            vouchers=Memory(vouchers),
            outcomes=Memory(outcomes),
        )

    @classmethod
    def verify(
        cls,
        raw: RawCollateral,
        root: TrustRoot = INTEL_ROOT,
        *,
        at: datetime,
        remembers: int = REMEMBERED_PLATFORMS,
    ) -> Collateral:
        """
        Verify `raw` at the time `at`. Raises `CollateralError`, or `ParseError` for bad bytes.

        1. The root CRL is the root's, signed by it, and lists neither the root nor the signers.
        2. Each signing chain is leaf and pinned root: roles, names, key ids, signature.
        3. TCB info and QE identity are signed by their signers, and are of one TEE type.
        4. The PCK CA is issued by the root, and the PCK CRL is its own.
        5. `at` is inside every window.

        The object remembers the last `remembers` platforms proven under it, at most 5 kB each.
        """
        root_crl = read_list_of(root.certificate, raw.root_ca_crl, "root_ca_crl")
        require_not_revoked(root.certificate, root_crl, "root certificate")
        tcb_signer = issued_by_root(
            raw.tcb_info_issuer_chain, Role.TCB_SIGNING, root, root_crl, "tcb_info_issuer_chain"
        )
        qe_signer = (
            tcb_signer
            if raw.qe_identity_issuer_chain == raw.tcb_info_issuer_chain
            else issued_by_root(
                raw.qe_identity_issuer_chain,
                Role.TCB_SIGNING,
                root,
                root_crl,
                "qe_identity_issuer_chain",
            )
        )
        digests = sha256(raw.tcb_info).digest(), sha256(raw.qe_identity).digest()
        require_signed(digests[0], raw.tcb_info_signature, tcb_signer, "tcb_info")
        require_signed(digests[1], raw.qe_identity_signature, qe_signer, "qe_identity")
        tcb_info = read_signed(TcbInfo, raw.tcb_info, digests[0])
        qe_identity = read_signed(QeIdentity, raw.qe_identity, digests[1])
        require_same_tee(tcb_info, qe_identity)
        pck_ca = issued_by_root(
            raw.pck_crl_issuer_chain, Role.PCK_CA, root, root_crl, "pck_crl_issuer_chain"
        )
        pck_crl = read_list_of(pck_ca, raw.pck_crl, "pck_crl")
        collateral = cls.assemble(
            raw,
            root,
            documents=(tcb_info, qe_identity),
            digests=digests,
            signers=(tcb_signer, qe_signer),
            pck_ca=pck_ca,
            lists=(root_crl, pck_crl),
            remembers=remembers,
        )
        collateral.require_current(unix_seconds(at))
        return collateral

    @classmethod
    def assemble(
        cls,
        raw: RawCollateral,
        root: TrustRoot,
        *,
        documents: tuple[TcbInfo, QeIdentity],
        digests: tuple[bytes, bytes],
        signers: tuple[Certificate, Certificate],
        pck_ca: Certificate,
        lists: tuple[RevocationList, RevocationList],
        remembers: int = REMEMBERED_PLATFORMS,
    ) -> Collateral:
        """
        Put parts together that the caller has checked; `lists` are the root's and the PCK CA's.

        `digests` are the SHA-256 of the bytes of both `documents`.

        Warning: nothing is verified here. `verify` is the way to collateral worth anything.
        """
        (tcb_info, qe_identity), (tcb_signer, qe_signer) = documents, signers
        root_crl, pck_crl = lists
        anchor = root.certificate
        return cls(
            root=root,
            tcb_info=tcb_info,
            qe_identity=qe_identity,
            signers=signers,
            pck_ca=pck_ca,
            root_crl=root_crl,
            pck_crl=pck_crl,
            pck_certificate_chain=raw.pck_certificate_chain,
            valid_from=max(
                anchor.not_before,
                root_crl.this_update,
                tcb_signer.not_before,
                qe_signer.not_before,
                tcb_info.issue_date,
                qe_identity.issue_date,
                pck_ca.not_before,
                pck_crl.this_update,
            ),
            valid_until=min(
                anchor.not_after,
                root_crl.next_update,
                tcb_signer.not_after,
                qe_signer.not_after,
                tcb_info.next_update,
                qe_identity.next_update,
                pck_ca.not_after,
                pck_crl.next_update,
            ),
            hashes=(
                *digests,
                root_crl.tbs_hash,
                pck_crl.tbs_hash,
                tcb_signer.tbs_hash,
                qe_signer.tbs_hash,
            ),
            remembers=remembers,
        )

    @property
    def windows(self) -> tuple[Window, ...]:
        """When each part is valid, in the order in which they are asked."""
        tcb_signer, qe_signer = self.signers
        return (
            certificate_window(self.root.certificate, "root certificate"),
            list_window(self.root_crl, "root_ca_crl"),
            certificate_window(tcb_signer, "tcb_info_issuer_chain"),
            certificate_window(qe_signer, "qe_identity_issuer_chain"),
            document_window(self.tcb_info, "tcb_info"),
            document_window(self.qe_identity, "qe_identity"),
            certificate_window(self.pck_ca, "pck_crl_issuer_chain"),
            list_window(self.pck_crl, "pck_crl"),
        )

    def require_current(self, at: int) -> None:
        """Raise `CollateralError`, naming the stale item, unless `at` is inside every window."""
        if not self.valid_from <= at <= self.valid_until:
            require_within(self.windows, at, CollateralError)


# Intel's signing chains are fixed: which bytes their texts stand for is found out once.
_split_known: Final = lru_cache(maxsize=16)(split_pem)


def issued_by_root(
    pem: bytes, role: Role, root: TrustRoot, root_crl: RevocationList, item: str
) -> Certificate:
    """Return the certificate of `role` at the head of a chain of two; raises `QuotaryError`."""
    leaf, anchor = _split_known(pem, item, 2)
    root.require_pinned(anchor, item, CollateralError)
    certificate = verify_authority(leaf, role, root.certificate, item, CollateralError)
    require_not_revoked(certificate, root_crl, item)
    return certificate
