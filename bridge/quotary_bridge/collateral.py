"""
Bringing collateral to the store on chain, document by document.

The order is the store's: the root's revocation list, what the root issued, then what those issued.
Each document is compared with what the store has of its kind only when its turn comes, so a run
that was interrupted is gone on with by running it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from eth_utils.crypto import keccak
from quotary import RawCollateral, TrustRoot
from quotary.collateral import QeIdentity, TcbInfo
from quotary.x509 import Certificate, RevocationList, split_pem

from quotary_bridge.chain.contracts import Authority, CollateralStore, StoredDocument, StoredList
from quotary_bridge.chain.contracts.long_list import MAX_ENTRIES, LongList
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["Standing", "Step", "require_same_root", "steps"]

_AUTHORITIES = {
    "Intel SGX PCK Platform CA": Authority.PLATFORM,
    "Intel SGX PCK Processor CA": Authority.PROCESSOR,
}


class Standing(StrEnum):
    """What the store has of a document's kind, compared with the document."""

    MISSING = "missing"
    OLDER = "older"
    SAME = "same"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Step:
    """One document, what the store has of its kind, and the call that brings it."""

    name: str
    standing: Standing
    data: bytes

    @property
    def needed(self) -> bool:
        """Whether the store lacks it: what it has already, or newer, is never brought."""
        return self.standing in (Standing.MISSING, Standing.OLDER)


def require_same_root(store: CollateralStore, root: TrustRoot) -> None:
    """Require that the store trusts `root`; raises `ConfigurationError`."""
    if store.root_certificate() != keccak(root.certificate.der):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the collateral store at {store.address} trusts another root certificate",
            "give --root with that root's certificate, or use the store's own deployment record",
        )


def steps(store: CollateralStore, raw: RawCollateral, *, assemble: bool = True) -> Iterator[Step]:
    """
    Yield what it takes to bring `raw`, in order, each compared when it is asked for.

    `raw` must have been verified: what is malformed raises the verifier's errors. A PCK revocation
    list that is too long for one transaction comes in parts, of which those that anyone kept before
    are not brought again. The last step keeps the family's collateral in one piece, which makes
    every later verification cheaper.
    """
    tcb_signer = _leaf(raw.tcb_info_issuer_chain, "TCB info issuer chain")
    qe_signer = _leaf(raw.qe_identity_issuer_chain, "QE identity issuer chain")
    ca = _leaf(raw.pck_crl_issuer_chain, "PCK CRL issuer chain")
    authority = _AUTHORITIES[ca.common_name]
    info, identity = TcbInfo.parse(raw.tcb_info), QeIdentity.parse(raw.qe_identity)
    tee = info.tee_type
    yield _list(store, "root revocation list", 0, raw.root_ca_crl)
    for signer in {it.der: it for it in (tcb_signer, qe_signer)}.values():
        known = Standing.SAME if store.knows_signer(signer.tbs_hash) else Standing.MISSING
        yield Step("TCB signer", known, store.add_certificate(signer.der))
    yield Step(
        ca.common_name.removeprefix("Intel SGX "),
        _standing_of_authority(store, authority, ca),
        store.add_certificate(ca.der),
    )
    yield from _pck_list(store, authority, raw.pck_crl)
    yield Step(
        f"{info.tee_type.name} TCB info {info.fmspc.hex()}",
        _standing(store.tcb_info(tee, info.fmspc), info, raw.tcb_info),
        store.put_tcb_info(raw.tcb_info, raw.tcb_info_signature, tcb_signer.tbs_hash),
    )
    yield Step(
        f"{identity.tee_type.name} QE identity",
        _standing(store.qe_identity(tee), identity, raw.qe_identity),
        store.put_qe_identity(raw.qe_identity, raw.qe_identity_signature, qe_signer.tbs_hash),
    )
    if assemble:
        ready = store.is_assembled(tee, info.fmspc, authority)
        yield Step(
            "all in one piece",
            Standing.SAME if ready else Standing.MISSING,
            store.assemble(tee, info.fmspc, authority),
        )


def _leaf(pem: bytes, item: str) -> Certificate:
    return Certificate.parse(split_pem(pem, item, 2)[0], item)


def _standing_of_authority(
    store: CollateralStore, authority: Authority, ca: Certificate
) -> Standing:
    if store.knows_authority(ca.der):
        return Standing.SAME
    since = store.authority_since(authority)
    if since is None:
        return Standing.MISSING
    return Standing.OLDER if since < ca.not_before else Standing.NEWER


def _list(store: CollateralStore, name: str, issuer: int, der: bytes) -> Step:
    parsed = RevocationList.parse(der, name)
    data = store.put_revocation_list(der)
    return Step(name, _standing_of_list(store.revocation_list(issuer), parsed), data)


def _pck_list(store: CollateralStore, authority: Authority, der: bytes) -> Iterator[Step]:
    """Yield the list, and before it the parts it is in if it is too long for one transaction."""
    name = "PCK revocation list"
    whole = _list(store, name, authority, der)
    if not whole.needed or len(RevocationList.parse(der, name).serials) <= MAX_ENTRIES:
        yield whole
        return
    long = LongList.of(der)
    accounts = [store.serials_at(part) for part in long.parts]
    for number, (part, account) in enumerate(zip(long.parts, accounts, strict=True), start=1):
        kept = Standing.SAME if store.chain.code(account) else Standing.MISSING
        label = f"{name}, part {number} of {len(accounts)}"
        yield Step(label, kept, store.keep_serials(part))
    yield Step(name, whole.standing, store.put_long_revocation_list(long, accounts))


def _standing_of_list(stored: StoredList | None, brought: RevocationList) -> Standing:
    if stored is None:
        return Standing.MISSING
    if stored.id == sha256(brought.tbs).digest():
        return Standing.SAME
    return Standing.OLDER if stored.this_update < brought.this_update else Standing.NEWER


def _standing(
    stored: StoredDocument | None, brought: TcbInfo | QeIdentity, document: bytes
) -> Standing:
    if stored is None:
        return Standing.MISSING
    if stored.id == sha256(document).digest():
        return Standing.SAME
    had = (stored.issue_date, stored.evaluation_number)
    has = (brought.issue_date, brought.evaluation_number)
    # The store takes what goes back in neither date nor number, and forward in one of them.
    goes_on = has != had and all(new >= old for new, old in zip(has, had, strict=True))
    return Standing.OLDER if goes_on else Standing.NEWER
