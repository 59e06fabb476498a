"""
What to fetch for one target, in which order, without any input or output.

A plan yields batches of requests and expects their answers in the same order; the members of a
batch do not depend on each other, so a client may send them at the same time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from quotary.collateral import RawCollateral
from quotary.fetch import _catalogues as catalogues
from quotary.fetch import _documents as documents
from quotary.fetch._exchange import Request, Response
from quotary.fetch.settings import CollateralService
from quotary.fetch.targets import PckCa, PckLeaf, PckRequest, PlatformKey, Target
from quotary.tcb import TeeType

__all__ = [
    "Fetched",
    "Plan",
    "collect",
    "fmspcs",
    "pck_chain",
    "pck_crl",
    "qe_identity",
    "root_ca_crl",
    "tcb_evaluations",
    "tcb_info",
]

T = TypeVar("T")

Plan = Generator[tuple[Request, ...], tuple[Response, ...], T]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Collateral as fetched, and the platform family it is for."""

    key: PlatformKey
    raw: RawCollateral


def tcb_info(
    service: CollateralService, tee_type: TeeType, fmspc: bytes
) -> Plan[documents.SignedDocument]:
    """Fetch one TCB info."""
    (answer,) = yield (documents.ask_tcb_info(service, tee_type, fmspc),)
    return documents.read_tcb_info(service, tee_type, fmspc, answer)


def qe_identity(service: CollateralService, tee_type: TeeType) -> Plan[documents.SignedDocument]:
    """Fetch one QE identity."""
    (answer,) = yield (documents.ask_qe_identity(service, tee_type),)
    return documents.read_qe_identity(service, tee_type, answer)


def pck_crl(service: CollateralService, ca: PckCa) -> Plan[documents.PckCrl]:
    """Fetch the revocation list of a PCK CA."""
    (answer,) = yield (documents.ask_pck_crl(service, ca),)
    return documents.read_pck_crl(answer)


def root_ca_crl(service: CollateralService) -> Plan[bytes]:
    """Fetch the root's revocation list."""
    (answer,) = yield (documents.ask_root_ca_crl(service),)
    return documents.read_root_ca_crl(answer)


def pck_chain(service: CollateralService, wanted: PckRequest) -> Plan[bytes]:
    """Fetch the PCK certificate of one platform, with the authorities above it."""
    (answer,) = yield (documents.ask_pck_certificate(service, wanted),)
    return documents.read_pck_chain(answer)


def fmspcs(
    service: CollateralService, platform: catalogues.FmspcPlatform
) -> Plan[tuple[catalogues.KnownFmspc, ...]]:
    """Fetch the list of platform families."""
    (answer,) = yield (catalogues.ask_fmspcs(service, platform),)
    return catalogues.read_fmspcs(answer)


def tcb_evaluations(
    service: CollateralService, tee_type: TeeType
) -> Plan[documents.SignedDocument]:
    """Fetch the list of TCB evaluations."""
    (answer,) = yield (catalogues.ask_evaluations(service, tee_type),)
    return catalogues.read_evaluations(tee_type, answer)


def collect(service: CollateralService, target: Target) -> Plan[Fetched]:
    """Fetch all that verifying a quote of `target` takes: one batch, or two without a PCK chain."""
    chain: bytes | None = None
    match target:
        case PlatformKey():
            key = target
        case PckLeaf():
            key = target.key
        case PckRequest():
            chain = yield from pck_chain(service, target)
            key = PckLeaf.of_chain(target.tee_type, chain).key
    requests = (
        documents.ask_tcb_info(service, key.tee_type, key.fmspc),
        documents.ask_qe_identity(service, key.tee_type),
        documents.ask_pck_crl(service, key.ca),
        documents.ask_root_ca_crl(service),
    )
    tcb_answer, qe_answer, crl_answer, root_answer = yield requests
    info = documents.read_tcb_info(service, key.tee_type, key.fmspc, tcb_answer)
    identity = documents.read_qe_identity(service, key.tee_type, qe_answer)
    crl = documents.read_pck_crl(crl_answer)
    if isinstance(target, PckLeaf):
        # The authority of the list is the authority of the leaf, so its chain completes the leaf's.
        chain = target.chain(crl.issuer_chain)
    raw = RawCollateral(
        pck_crl_issuer_chain=crl.issuer_chain,
        root_ca_crl=documents.read_root_ca_crl(root_answer),
        pck_crl=crl.crl,
        tcb_info_issuer_chain=info.issuer_chain,
        tcb_info=info.document,
        tcb_info_signature=info.signature,
        qe_identity_issuer_chain=identity.issuer_chain,
        qe_identity=identity.document,
        qe_identity_signature=identity.signature,
        pck_certificate_chain=chain,
    )
    return Fetched(key, raw)
