"""Asking an enrolled gateway, verifying what it signed, and bringing that to the chain."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from quotary.cli.workload import MAX_INPUT_BYTES, print_section, print_statements
from quotary.errors import ParseError, VerificationError
from quotary.fetch import FetchError

from quotary_bridge.cli.gateway_attest import read_attestations
from quotary_bridge.cli.gateway_enrol import line
from quotary_bridge.cli.gateway_visit import Visit, invalid, missing
from quotary_bridge.cli.options import read_file
from quotary_bridge.cli.proofs import committee_members
from quotary_bridge.cli.sending import send
from quotary_bridge.committee import attest_receipt, in_order, receipt_attestation
from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.gateways import (
    Answered,
    Challenged,
    Paper,
    Protocol,
    Signed,
    binds,
    does_not_bind,
)
from quotary_bridge.model import Address, Bytes32

__all__ = ["ask", "record"]


def ask(visit: Visit) -> bool:
    """
    Ask, fetch what was signed about the answer, and verify all of it; returns whether that is done.

    No prompt goes to a gateway that does not hold here, or whose word would not count there.
    """
    challenged = visit.challenged()
    request, answered = _to_ask(visit)
    for signer in visit.signers(challenged):
        standing = visit.standing(signer)
        if not standing.counts:
            raise EvidenceRejected(
                Reason.EVIDENCE_REJECTED,
                f"{signer.name} does not count for the app: {standing.reason}",
                "enrol the gateway: quotary gateway enrol",
            )
    if answered is None:
        if visit.args.dry_run:
            visit.tell({"request": "not sent in a dry run"})
            return False
        visit.folder.keep_request(request)
        answered = visit.speech.ask(visit.gateway(), request)
        visit.folder.keep_answer(answered)
    sizes = f"{len(answered.request):,} bytes asked, {len(answered.response):,} answered"
    visit.tell({"exchange": f"{sizes}, id {answered.identifier}"})
    proof = _verified(visit, challenged, answered)
    visit.fields |= {"answer_id": answered.identifier} | proof
    if not visit.args.json:
        for name, rows in proof["sections"].items():
            print_section(name, rows)
        print_statements("proven", proof["proves"])
        print_statements("NOT proven", proof["does_not_prove"])
    return True


def _to_ask(visit: Visit) -> tuple[bytes, Answered | None]:
    """Return the request, and its answer where that is kept already."""
    answered, name = visit.folder.answered(), visit.args.request
    request = visit.folder.request() if name is None else read_file(name, MAX_INPUT_BYTES)
    if request is None:
        raise missing(f"{visit.folder.path} holds no request", "give --request")
    if answered is None or visit.args.again:
        return request, None
    if answered.request != request:
        raise invalid(
            f"{visit.folder.path} holds the answer to another request than {name}",
            "name another folder, or give --again to ask in place of what is kept",
        )
    return request, answered


def _verified(visit: Visit, challenged: Challenged, answered: Answered) -> dict[str, Any]:
    """
    Verify what the gateway signed about the answer, fetched where it is not kept, and keep it.

    What is kept and does not hold is fetched again, and replaced by what does: a gateway may serve
    it wrongly once, and may serve it no more by the time that the user's demands are others.
    """
    protocol, algorithm = visit.terms.protocol, visit.args.receipt_algo
    kept, failure = visit.folder.paper(protocol), None
    # Another algorithm may be asked for than was the last time.
    if kept is not None and algorithm is None:
        try:
            proof = _proven(visit, challenged, answered, kept)
        except (ParseError, VerificationError) as error:
            failure = error
        else:
            visit.folder.keep_proof(proof)
            return proof
    try:
        paper = visit.speech.fetch_signed(visit.gateway(), answered, challenged.report, algorithm)
    except FetchError as error:
        raise failure or error from None
    if kept is None:
        visit.folder.keep_paper(protocol, paper)
    proof = _proven(visit, challenged, answered, paper)
    if kept is not None:
        visit.folder.keep_paper(protocol, paper)
    visit.folder.keep_proof(proof)
    return proof


def _proven(
    visit: Visit, challenged: Challenged, answered: Answered, paper: Paper
) -> dict[str, Any]:
    """Verify the exchange; returns what it proves, as it is kept and told."""
    found = visit.speech.verify(challenged, answered, paper, visit.judgement.demands)
    return {
        **_hashes(answered, paper),
        "sections": visit.speech.sections(found),
        "proves": [statement.to_json() for statement in found.proves],
        "does_not_prove": [statement.to_json() for statement in found.does_not_prove],
    }


def _hashes(answered: Answered, paper: Paper) -> dict[str, str]:
    """What names an exchange, and what was signed about it."""
    parts = {
        "request_sha256": answered.request,
        "response_sha256": answered.response,
        "signed_sha256": paper.document,
    }
    return {name: f"0x{sha256(content).hexdigest()}" for name, content in parts.items()}


def record(visit: Visit) -> bool:
    """Bring the verified exchange to its adapter; returns whether it is on record."""
    protocol, app = visit.terms.protocol, visit.terms.app_id
    challenged, answered = visit.challenged(), visit.folder.answered()
    paper, proof = visit.folder.paper(protocol), visit.folder.proof() or {}
    # The chain sees less of an exchange than `ask` did: a session, for one.
    if answered is None or paper is None or not _hashes(answered, paper).items() <= proof.items():
        raise missing(
            f"{visit.folder.path} holds no exchange that was verified", "run: quotary gateway ask"
        )
    signed = visit.speech.signed(challenged.report, answered, paper.document)
    told: dict[str, object] = {
        "request_hash": signed.request_hash,
        "response_hash": signed.response_hash,
    }
    found = visit.desk.recorded(protocol, app, signed)
    if found is None:
        address, data = _call(visit, signed)
        sent = send(visit.args, visit.context, address, data)
        visit.tell({"to record" if sent.receipt is None else "recorded": _pair(signed)})
        visit.tell({"": line(sent)})
        found = visit.desk.recorded(protocol, app, signed)
        told |= sent.fields()
    else:
        visit.tell({"recorded": f"{_pair(signed)}, already"})
        told |= {"sent": False}
    bound = binds(signed.key)
    unbound = does_not_bind(
        protocol,
        # Somebody else may have recorded it, by the receipt of another key.
        attested=signed.attested if found is None else protocol is Protocol.ACI and not found.key,
        has_session=paper.session is not None,
    )
    if not visit.args.json:
        print_statements("the record binds", bound)
        print_statements("the record does NOT bind", unbound)
    told |= {"binds": bound, "does_not_bind": unbound}
    visit.fields["record"] = told | {"recorded_at": found.recorded_at if found else None}
    return found is not None


def _pair(signed: Signed) -> str:
    return f"request 0x{signed.request_hash.hex()}, response 0x{signed.response_hash.hex()}"


def _call(visit: Visit, signed: Signed) -> tuple[Address, bytes]:
    """Return the adapter, and the call that records the exchange there."""
    app, desk = visit.terms.app_id, visit.desk
    if signed.key is not None:
        data = desk.exchanges.record(
            app, signed.request_hash, signed.response_hash, signed.key, signed.signature
        )
        return desk.exchanges.address, data
    if not signed.attested:
        data = desk.receipts.record(app, signed.document, signed.signature)
        return desk.receipts.address, data
    about = (app, Bytes32(sha256(signed.document).digest()))
    where = (visit.context.chain.chain_id, desk.receipts.address)
    signatures = read_attestations(visit.args.attestation, *about, *where)
    if not signatures or visit.args.member_keystore or visit.args.member_key:
        # The signature was checked when `signed` was made: that is what a member vouches for.
        members = committee_members(visit.args, where[0])
        signatures += [attest_receipt(*about, *where, member) for member in members]
    try:
        ordered = in_order(receipt_attestation(*about, *where), signatures)
    except ValueError as error:
        raise invalid(
            "an attestation holds what is no signature", "get it from the member anew"
        ) from error
    return where[1], desk.receipts.record_attested(app, signed.document, ordered)
