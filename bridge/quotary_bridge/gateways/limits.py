"""What a record on the chain binds, and what nobody should read into it."""

from __future__ import annotations

from quotary.workloads import Gap, Statement

from quotary_bridge.gateways.folder import Protocol
from quotary_bridge.gateways.speech import Signed

__all__ = ["binds", "does_not_bind"]

_ALWAYS = (Gap.MODEL, Gap.REQUEST_IDENTITY, Gap.CUSTODY)
_BY_PROTOCOL = {
    Protocol.CHAT: (Gap.TIME, Gap.CALLER_HASH),
    Protocol.ACI: (Gap.RECEIPT_TIME,),
}


def binds(protocol: Protocol, signed: Signed) -> list[dict[str, str]]:
    """Return what a record of this exchange says, as codes with sentences."""
    if protocol is Protocol.CHAT:
        signer = f"the key {signed.key}"
    else:
        signer = "the keyset that the receipt names"
    return [
        _told("BODIES", f"The SHA-256 of both bodies, byte for byte, to {signer}."),
        _told(
            "IMAGE",
            "That signer to an image admitted for the app: by a quote on record that answered a "
            "challenge of this chain, and counted when the exchange was recorded.",
        ),
    ]


def does_not_bind(protocol: Protocol, signed: Signed, *, has_session: bool) -> list[dict[str, str]]:
    """Return what a record of this exchange does not say."""
    gaps = [*_ALWAYS, *_BY_PROTOCOL[protocol]]
    if has_session:
        gaps.append(Gap.UPSTREAM)
    told = [Statement(gap).to_json() for gap in gaps]
    if signed.attested:
        told.append(
            _told(
                "COMMITTEE",
                "That the receipt's Ed25519 signature is good: members of the committee say so, "
                "the chain checked all else.",
            )
        )
    return told


def _told(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}
