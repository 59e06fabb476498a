"""What a record on the chain binds, and what nobody should read into it."""

from __future__ import annotations

from quotary.workloads import Gap, Statement

from quotary_bridge.gateways.folder import Protocol
from quotary_bridge.model import Address

__all__ = ["binds", "does_not_bind"]

_ALWAYS = (Gap.MODEL, Gap.REQUEST_IDENTITY, Gap.CUSTODY)
_BY_PROTOCOL = {
    Protocol.CHAT: (Gap.TIME, Gap.CALLER_HASH),
    Protocol.ACI: (Gap.RECEIPT_TIME,),
}


def binds(key: Address | None) -> list[dict[str, str]]:
    """
    Return what a record says, as codes with sentences.

    `key` is whose it is in the first generation; None for receipts, which are a keyset's.
    """
    signer = "the keyset that the receipt names" if key is None else f"the key {key}"
    return [
        _told("BODIES", f"The SHA-256 of both bodies, byte for byte, to {signer}."),
        _told(
            "IMAGE",
            "That signer to an image admitted for the app: by a quote on record that answered a "
            "challenge of this chain, and counted when the exchange was recorded.",
        ),
    ]


def does_not_bind(protocol: Protocol, *, attested: bool, has_session: bool) -> list[dict[str, str]]:
    """Return what a record does not say; `attested` ones rest on the committee's word."""
    gaps = [*_ALWAYS, *_BY_PROTOCOL[protocol]]
    if has_session:
        gaps.append(Gap.UPSTREAM)
    told = [Statement(gap).to_json() for gap in gaps]
    if attested:
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
