"""
Inference receipts: what a service signed about one request (section 9.3).

Steps, numbered as in the specification:
  1. the signature, under the keyset's key that `key_id` names, by that entry's algorithm;
  2. the document: version, keyset digest, well-formed event log, fields that restate the bodies;
  3. the request's hash; 4. the response's hash, for a stream the raw event stream with its framing;
  5. behind an aggregator: the upstream was verified; 6. the cited session verifies and was valid.

INTEGRATOR RESPONSIBILITIES. `served_at` is the service's word, and nothing orders receipts. What
happens between the hashes is the measured code's doing. HTTP headers bind nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document, parse_json
from quotary.workloads.aci._canonical import body_hash, canonical, require_version
from quotary.workloads.aci.report import Identity, Serving
from quotary.workloads.aci.session import (
    TEE_BY_HARDWARE,
    ClaimStatus,
    RequiredClaim,
    Session,
)
from quotary.workloads.quoted import Quoted
from quotary.workloads.statements import Gap, Proof, Statement

__all__ = ["AciReceipt", "Exchange", "ReceiptPolicy", "Upstream", "verify_receipt"]

_MAX_TIME: Final = 253_402_300_799
_MAX_EVENTS: Final = 1024
_RECEIVED: Final = "request.received"
_FORWARDED: Final = "request.forwarded"
_UPSTREAM: Final = "upstream.verified"
_RETURNED: Final = "response.returned"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The `upstream.verified` event: the aggregator's word about who inferred."""

    verified: bool
    required: bool
    model_id: str | None
    session_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class AciReceipt:
    """The answer of `GET /v1/aci/receipts/{id}`, its event log in order; not proven yet."""

    receipt_id: str
    chat_id: str | None
    model: str | None
    keyset_digest: str
    endpoint: str
    method: str
    served_at: int
    key_id: str
    signature: bytes
    received: str
    forwarded: str | None
    returned: str
    upstream: Upstream | None
    signed: bytes

    @classmethod
    def parse(cls, data: bytes | str) -> AciReceipt:
        """
        Read a receipt.

        Raises `ParseError`, or `VerificationError` for another version or an event log that
        contradicts section 7.4.
        """
        fields = Document.parse(data, "receipt")
        require_version(fields, "receipt")
        events = [
            Document(entry, f"event_log[{index}]")
            for index, entry in enumerate(fields.sequence("event_log"))
        ]
        positions = _positions(events)
        unsigned = {name: value for name, value in fields.values.items() if name != "signature"}
        forwarded = positions.get(_FORWARDED)
        return cls(
            receipt_id=fields.text("receipt_id"),
            chat_id=fields.text_or_none("chat_id"),
            model=fields.text_or_none("model"),
            keyset_digest=fields.text("workload_keyset_digest"),
            endpoint=fields.text("endpoint"),
            method=fields.text("method"),
            served_at=fields.number("served_at", _MAX_TIME),
            key_id=fields.text("key_id"),
            signature=fields.octets("signature"),
            received=events[positions[_RECEIVED]].text("body_hash"),
            forwarded=None if forwarded is None else events[forwarded].text("body_hash"),
            returned=events[positions[_RETURNED]].text("body_hash"),
            upstream=_upstream(events),
            signed=canonical(unsigned, "receipt"),
        )


@dataclass(frozen=True, slots=True)
class ReceiptPolicy:
    """
    What the caller demands of an exchange.

    Behind an aggregator an unverified upstream must be allowed knowingly. `session_ids` are the
    sessions pinned on the request; empty pins none.
    """

    allow_unverified_upstream: bool = False
    session_ids: frozenset[str] = frozenset()
    claims: tuple[RequiredClaim, ...] = (TEE_BY_HARDWARE,)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and response that an established service signed for."""

    receipt: AciReceipt
    identity: Identity
    session: Session | None
    proofs: tuple[Proof, ...]
    gaps: tuple[Gap, ...]

    @property
    def quoted(self) -> Quoted:
        """The quote that everything rests on."""
        return self.identity.quoted

    @property
    def proves(self) -> tuple[Statement, ...]:
        """What holds, in words."""
        return tuple(map(Statement, self.proofs))

    @property
    def does_not_prove(self) -> tuple[Statement, ...]:
        """What nobody should read into it."""
        return tuple(map(Statement, self.gaps))


def verify_receipt(
    receipt: AciReceipt,
    identity: Identity,
    request: bytes,
    response: bytes,
    *,
    session: bytes | None = None,
    policy: ReceiptPolicy | None = None,
) -> Exchange:
    """
    Return what `receipt` proves about one exchange with an established `identity`.

    `request` and `response` are the bodies exactly as on the wire; `session` is the record the
    receipt cites, needed behind an aggregator. Raises `ParseError` or `VerificationError`.
    """
    policy = policy or ReceiptPolicy()
    # 1
    identity.keyset.receipt_key(receipt.key_id).verify(receipt.signed, receipt.signature)
    # 2
    if receipt.keyset_digest != identity.keyset.digest:
        raise VerificationError(
            Reason.KEYSET_DIGEST_MISMATCH,
            "receipt",
            expected=identity.keyset.digest,
            found=ascii(receipt.keyset_digest)[:80],
        )
    # 3, 4
    _require_hash("request.received", receipt.received, request)
    _require_hash("response.returned", receipt.returned, response)
    _require_restated("model", receipt.model, _restated(request, "model"))
    _require_restated("chat_id", receipt.chat_id, _restated(response, "id"))
    # 5, 6
    upstream = _require_upstream(receipt, identity, policy)
    audited = _audit(receipt, upstream, session, policy)
    return Exchange(
        receipt=receipt,
        identity=identity,
        session=audited,
        proofs=tuple(_proofs(receipt, identity, audited)),
        gaps=tuple(_gaps(receipt, identity, upstream, audited)),
    )


def _positions(events: list[Document]) -> dict[str, int]:
    """Where each event of the required types stands; they come once each, in order."""
    if not 0 < len(events) <= _MAX_EVENTS:
        raise _contradiction("event_log", f"1 to {_MAX_EVENTS} events", str(len(events)))
    positions: dict[str, int] = {}
    for index, event in enumerate(events):
        kind = event.text("type")
        if kind in (_RECEIVED, _FORWARDED, _RETURNED):
            if kind in positions:
                raise _contradiction(kind, "one event of this type", "two")
            positions[kind] = index
    if positions.get(_RECEIVED) != 0:
        raise _contradiction("first event", _RECEIVED, ascii(events[0].text("type"))[:80])
    if _RETURNED not in positions:
        raise _contradiction(_RETURNED, "one event of this type", "none")
    if positions.get(_FORWARDED, 0) > positions[_RETURNED]:
        raise _contradiction(_FORWARDED, f"before {_RETURNED}", "after it")
    return positions


def _upstream(events: list[Document]) -> Upstream | None:
    """The event of the attempt that served: the last; earlier attempts must have failed."""
    found = [event for event in events if event.text("type") == _UPSTREAM]
    if not found:
        return None
    outcomes = [_outcome(event) for event in found]
    if any(outcome.verified for outcome in outcomes[:-1]):
        raise _contradiction(_UPSTREAM, "nothing after the verified attempt", "another attempt")
    return outcomes[-1]


def _outcome(event: Document) -> Upstream:
    verified = event.text("result") == "verified"
    return Upstream(
        verified=verified,
        required=event.flag("required"),
        model_id=event.text_or_none("model_id"),
        session_id=event.octets("session_id", 32).hex() if verified else None,
        reason=event.text_or_none("reason"),
    )


def _require_hash(item: str, found: str, body: bytes) -> None:
    if found != body_hash(body):
        raise VerificationError(
            Reason.BODY_HASH_MISMATCH,
            item,
            expected=f"{body_hash(body)} (yours)",
            found=ascii(found)[:80],
        )


def _restated(body: bytes, name: str) -> str | None:
    """A field of a JSON body; None where the body is no JSON object, a stream for one."""
    try:
        document: Any = parse_json(body, "body")
    except ParseError:
        return None
    value = document.get(name) if isinstance(document, Mapping) else None
    return value if isinstance(value, str) else None


def _require_restated(item: str, found: str | None, stated: str | None) -> None:
    if None not in (found, stated) and found != stated:
        raise _contradiction(item, ascii(stated)[:80], ascii(found)[:80])


def _require_upstream(
    receipt: AciReceipt, identity: Identity, policy: ReceiptPolicy
) -> Upstream | None:
    upstream = receipt.upstream
    if identity.serving is Serving.DIRECT:
        if upstream is not None:
            raise _contradiction(_UPSTREAM, "none from a direct service", "one")
        return None
    if receipt.forwarded is None:
        return upstream
    if upstream is None:
        raise VerificationError(
            Reason.UPSTREAM_UNVERIFIED, _UPSTREAM, expected="an event", found="none"
        )
    if not policy.allow_unverified_upstream and not (upstream.verified and upstream.required):
        raise VerificationError(
            Reason.UPSTREAM_UNVERIFIED,
            _UPSTREAM,
            expected="verified, and required to be",
            found=f"{'verified' if upstream.verified else 'failed'}, required {upstream.required}",
        )
    return upstream


def _audit(
    receipt: AciReceipt, upstream: Upstream | None, data: bytes | None, policy: ReceiptPolicy
) -> Session | None:
    if upstream is None or upstream.session_id is None:
        if policy.session_ids:
            raise VerificationError(
                Reason.SESSION_MISMATCH, "session_id", expected="a pinned session", found="none"
            )
        return None
    if policy.session_ids and upstream.session_id not in policy.session_ids:
        raise VerificationError(
            Reason.SESSION_MISMATCH,
            "session_id",
            expected="a pinned session",
            found=upstream.session_id,
        )
    if data is None:
        raise VerificationError(
            Reason.SESSION_MISSING, "session", expected=f"the record {upstream.session_id}"
        )
    session = Session.parse(data, upstream.session_id, required=policy.claims)
    session.require_served(receipt.served_at)
    return session


def _proofs(receipt: AciReceipt, identity: Identity, session: Session | None) -> Iterator[Proof]:
    yield from identity.proofs
    yield Proof.RECEIPT_SIGNED
    if receipt.forwarded is None:
        yield Proof.REFUSAL_SIGNED
    elif receipt.forwarded == receipt.received:
        yield Proof.FORWARDED_UNCHANGED
    if session is not None:
        yield Proof.SESSION_RECORD


def _gaps(
    receipt: AciReceipt,
    identity: Identity,
    upstream: Upstream | None,
    session: Session | None,
) -> Iterator[Gap]:
    yield from identity.gaps
    yield from (Gap.MODEL, Gap.RECEIPT_TIME)
    if receipt.forwarded not in (None, receipt.received):
        yield Gap.REWRITTEN
    if session is not None:
        yield Gap.UPSTREAM
        if any(claim.status is not ClaimStatus.ASSERTED for claim in session.claims):
            yield Gap.CLAIMS
    if upstream is not None and not (upstream.verified and upstream.required):
        yield Gap.UPSTREAM_UNVERIFIED


def _contradiction(item: str, expected: str, found: str) -> VerificationError:
    return VerificationError(Reason.RECEIPT_INVALID, item, expected=expected, found=found)
