"""
Enrolling a gateway: from a fresh challenge to keys that count.

1. The chain's challenge of a recent block is the nonce.
2. The gateway is asked for its report under it; the report is kept.
3. Report, workload and quotes are verified here, by the user's own policy.
4. Each quote is proven to the notary, which keeps that it was genuine and its image admitted.
5. `GatewayKeys` reads out of the notarized verdict which key or keyset the quote binds.

Each step looks at the chain first, so a run that was interrupted is gone on with by running again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from quotary import RawCollateral, Verdict
from quotary.collateral import MAX_COLLATERAL_BYTES
from quotary.workloads import hardware_check

from quotary_bridge.chain.contracts import Notarization, ProofKind
from quotary_bridge.cli.bringing import dcap_verifier
from quotary_bridge.cli.gateway_visit import Visit, invalid, missing
from quotary_bridge.cli.onchain import prove_on_chain
from quotary_bridge.cli.options import read_file
from quotary_bridge.cli.proofs import Proof, Via, prove, prove_by_receipt
from quotary_bridge.cli.sending import Sent, send
from quotary_bridge.cli.zk import read_receipt
from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.gateways import Challenged, Signer, Standing
from quotary_bridge.model import Bytes32

__all__ = ["enrol", "line"]

_KINDS = {
    "committee": ProofKind.COMMITTEE,
    "onchain": ProofKind.ON_CHAIN,
    "zk": ProofKind.ZK,
    "stub": ProofKind.STUB,
}


def enrol(visit: Visit) -> bool:
    """Enrol whatever may sign; returns whether all of it counts now."""
    challenged = _report(visit)
    signers = visit.signers(challenged)
    if len(signers) > visit.args.most:
        raise invalid(
            f"the report names {len(signers)} nodes, and each costs two transactions",
            f"give --most {len(signers)} to pay for all of them",
        )
    told = [_enrolled(visit, signer, challenged) for signer in signers]
    visit.fields["signers"] = told
    return all(one["counts"] for one in told)


def _report(visit: Visit) -> Challenged:
    """Return the report to enrol by: the one that is kept, while it is of any use."""
    kept = visit.folder.challenged()
    if kept is not None and not visit.args.renew and _of_use(visit, kept):
        visit.tell({"report": f"as kept, under the challenge of block {kept.block}"})
        return kept
    # 1
    block, nonce = visit.desk.fresh_challenge()
    # 2
    answer = visit.speech.fetch_report(visit.gateway(), nonce)
    challenged = Challenged(block, nonce, answer.spki_sha256, answer.body)
    visit.folder.keep_report(challenged)
    visit.tell({"report": f"{len(answer.body):,} bytes, under the challenge of block {block}"})
    return challenged


def _of_use(visit: Visit, kept: Challenged) -> bool:
    """Whether a report can still be enrolled by, or all it names counts already."""
    if visit.desk.still_challenges(kept.block, kept.nonce):
        return True
    return all(
        visit.desk.standing(
            visit.terms.app_id, key, None if keyset is None else Bytes32(sha256(keyset).digest())
        ).counts
        for key, keyset in visit.speech.claimed(kept.report)
    )


def _enrolled(visit: Visit, signer: Signer, challenged: Challenged) -> dict[str, object]:
    # 3: it was verified when it became a signer.
    verdict = _verdict(signer)
    visit.tell(
        {"verified": f"{verdict.tcb_status.value}, measurement 0x{verdict.measurement_id.hex()}"}
    )
    told: dict[str, object] = {
        "key": signer.key,
        "keyset_digest": signer.keyset_digest,
        "measurement_id": verdict.measurement_id,
        "quote_hash": verdict.quote_hash,
        "tcb_status": verdict.tcb_status.value,
    }
    standing = visit.standing(signer)
    if standing.counts and not visit.args.renew:
        visit.tell({"enrolled": f"{signer.name} already, {_until(standing)}"})
        return told | {"counts": True, "until": standing.until, "sent": False}
    # 4
    kind, journal, notarization = _notarized(visit, signer)
    told["notarization"] = notarization
    if journal is None:
        visit.tell({"enrolment": "not simulated: it needs the notarization"})
        return told | {"counts": False, "until": None, "sent": False}
    # 5
    keys, app = visit.desk.keys, visit.terms.app_id
    if signer.keyset is None:
        data = keys.enrol(app, kind, journal, challenged.block)
    else:
        data = keys.enrol_keyset(app, kind, journal, challenged.block, signer.keyset)
    sent = send(visit.args, visit.context, keys.address, data)
    if sent.receipt is not None:
        standing = visit.standing(signer)
        visit.tell({"enrolled": f"{signer.name}, {_until(standing)}"})
    visit.tell({"": line(sent)})
    return told | {"counts": standing.counts, "until": standing.until, **sent.fields()}


def _notarized(visit: Visit, signer: Signer) -> tuple[ProofKind, bytes | None, dict[str, object]]:
    """
    Have the quote notarized where it is not.

    Returns the kind of proof, the journal on record (none after a dry run), and what was sent.
    """
    app, notary, kind = visit.terms.app_id, visit.desk.notary, _kind(visit)
    quote_hash = Bytes32(signer.quoted.quote_hash)
    visit.folder.keep_quote(quote_hash, signer.quote)
    fields: dict[str, object] = {"sent": False}
    record = notary.record_of(app, quote_hash, kind)
    if not any(record.journal_digest):
        proof = _proof(visit, signer)
        if kind is not ProofKind.ON_CHAIN:
            visit.folder.keep_journal(quote_hash, proof.evidence)
        data = notary.notarize(app, proof.route, proof.evidence, proof.proof)
        sent = send(visit.args, visit.context, notary.address, data)
        visit.tell({"notarized": f"quote 0x{quote_hash.hex()}", "": line(sent)})
        if sent.receipt is None:
            return kind, None, sent.fields()
        record, fields = notary.record_of(app, quote_hash, kind), sent.fields()
    elif not notary.is_notarized(app, quote_hash, kind):
        raise EvidenceRejected(
            Reason.EVIDENCE_REJECTED,
            "the notary's record of the quote counts no more: its image was revoked, its route was "
            "frozen, or its validity is over",
            "see quotary measurement list; --renew asks the gateway for a new report",
        )
    return kind, _journal(visit, signer, record), fields


def _kind(visit: Visit) -> ProofKind:
    via = Via(visit.args.via)
    if via is not Via.ZK:
        return _KINDS[via.value]
    real = visit.args.receipt is not None and not read_receipt(visit.args.receipt).is_stub
    return ProofKind.ZK if real else ProofKind.STUB


def _proof(visit: Visit, signer: Signer) -> Proof:
    """Prove the verdict, as the options say by whom."""
    args, context, via = visit.args, visit.context, Via(visit.args.via)
    if via is Via.ZK and args.receipt is not None:
        receipt = read_receipt(args.receipt)
        if receipt.verdict().quote_hash != signer.quoted.quote_hash:
            raise EvidenceRejected(
                Reason.RECEIPT_MISMATCH,
                f"{args.receipt} is about another quote",
                f"prove the one kept in {visit.folder.path}: quotary zk prove --quote",
            )
        return prove_by_receipt(context, visit.record, receipt)
    if via is not Via.ONCHAIN:
        return prove(args, context, visit.record, _verdict(signer))
    if args.collateral is None:
        raise missing(
            "the chain's own verification needs collateral in a file",
            "write it: quotary collateral fetch, and give --collateral",
        )
    raw = RawCollateral.from_json(read_file(args.collateral, MAX_COLLATERAL_BYTES))
    verifier = dcap_verifier(context, visit.record)
    return prove_on_chain(args, context, verifier, signer.quote, raw=raw, root=visit.judgement.root)


def _journal(visit: Visit, signer: Signer, record: Notarization) -> bytes:
    """
    Return the journal that is on record, byte for byte.

    It is the one that was kept, or follows from the quote, the collateral and the record's time:
    so it does where the chain reached the verdict itself, or somebody else brought the quote.
    """
    kept = visit.folder.journal(signer.quoted.quote_hash)
    if kept is not None and sha256(kept).digest() == record.journal_digest:
        return kept
    judgement = visit.judgement
    at = datetime.fromtimestamp(record.verified_at, UTC)
    check = hardware_check(judgement.source, policy=None, at=at, root=judgement.root)
    verdict = check(signer.quote).verdict
    journal = b"" if verdict is None else verdict.journal()
    if sha256(journal).digest() != record.journal_digest:
        raise invalid(
            "the notary's verdict on the quote rests on other collateral than was given",
            "give the collateral that the chain's store holds, or --renew for a new report",
        )
    return journal


def _verdict(signer: Signer) -> Verdict:
    verdict = signer.quoted.verdict
    if verdict is None:
        raise invalid("the hardware was not checked", "give --collateral or --fetch")
    return verdict


def _until(standing: Standing) -> str:
    if standing.until is None:
        return "counts"
    return f"counts until {datetime.fromtimestamp(standing.until, UTC):%Y-%m-%dT%H:%M:%SZ}"


def line(sent: Sent) -> str:
    """Return what people are told of a transaction, in one line."""
    if sent.receipt is None:
        return f"dry run: it would succeed, with {sent.gas:,} gas; nothing was sent"
    return f"{sent.gas:,} gas, 0x{sent.receipt.transaction_hash.hex()}"
