"""Proof by the chain itself: the form of a quote it needs, and what it needs before that."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from hashlib import sha256

from quotary import Quote, RawCollateral, TrustRoot
from quotary.quote import CertificationType
from quotary.x509 import Certificate, split_pem

from quotary_bridge.chain.contracts import DcapVerifier
from quotary_bridge.cli.bringing import bring, lacking, store_behind
from quotary_bridge.cli.options import Context
from quotary_bridge.cli.proofs import Proof
from quotary_bridge.cli.sending import send
from quotary_bridge.collateral import require_same_root
from quotary_bridge.deploy import ROUTES
from quotary_bridge.errors import EvidenceRejected, Reason

__all__ = ["add_on_chain_flags", "attestation_key_id", "prove_on_chain"]

_CHAIN_LENGTH = 3


def add_on_chain_flags(parser: ArgumentParser) -> None:
    """Add what `--via onchain` does before it proves."""
    group = parser.add_argument_group("with --via onchain")
    group.add_argument(
        "--push", action="store_true", help="bring the collateral that the store lacks first"
    )
    group.add_argument(
        "--keep",
        action="store_true",
        help="have the platform and its attestation key kept first: from then on quotes of this "
        "key are submitted in their compact form",
    )


def attestation_key_id(quote: Quote) -> bytes:
    """Return the name the verifier keeps a quote's attestation key under."""
    return sha256(quote.attestation_key + quote.qe_auth_data).digest()


def prove_on_chain(
    args: Namespace,
    context: Context,
    verifier: DcapVerifier,
    evidence: bytes,
    *,
    raw: RawCollateral,
    root: TrustRoot,
) -> Proof:
    """
    Return the quote in the form that the chain's verifier checks by itself.

    Compact where the attestation key was proven under the very PCK certificate the quote carries,
    raw otherwise. Raises `EvidenceRejected` (`EVIDENCE_STALE`) where the store lacks collateral,
    and what `bring` raises.
    """
    _ensure_collateral(args, context, verifier, raw, root)
    quote = Quote.parse(evidence)
    if args.keep and not _is_kept(verifier, quote):
        send(args, context, verifier.address, verifier.prove(evidence))
    route = ROUTES["DcapVerifier"]
    if _is_kept(verifier, quote):
        return Proof(route, quote.compact, attestation_key_id(quote), "onchain")
    return Proof(route, evidence, b"", "onchain")


def _ensure_collateral(
    args: Namespace,
    context: Context,
    verifier: DcapVerifier,
    raw: RawCollateral,
    root: TrustRoot,
) -> None:
    store = store_behind(verifier)
    require_same_root(store, root)
    if args.push:
        bring(args, context, store, raw, root)
        return
    missing = lacking(store, raw)
    if missing:
        raise EvidenceRejected(
            Reason.EVIDENCE_STALE,
            f"the collateral store has not, or only older: {', '.join(missing)}",
            f"bring it: quotary collateral push --file {args.collateral}, or give --push",
        )


def _is_kept(verifier: DcapVerifier, quote: Quote) -> bool:
    """Whether the quote's key is kept, and under the certificate that the quote itself carries."""
    kept = verifier.attestation_key_of(attestation_key_id(quote))
    if kept is None or quote.certification_type is not CertificationType.PCK_CHAIN:
        return False
    leaf = split_pem(quote.certification_data, "PCK chain", _CHAIN_LENGTH)[0]
    return kept.platform.serial == Certificate.parse(leaf, "PCK certificate").serial
