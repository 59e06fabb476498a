"""
Gateways of confidential models: services that know nothing of this chain, and what they sign.

    folder     what is kept of an exchange, so that no step is asked or paid for twice
    speech     what both generations of their protocols have in common
    chat, aci  the generations
    standing   what the chain holds of keys, quotes and exchanges
    limits     what a record binds, and what not
"""

from __future__ import annotations

from quotary_bridge.gateways.aci import AciSpeech, signed_receipt
from quotary_bridge.gateways.chat import ChatSpeech
from quotary_bridge.gateways.folder import (
    Answered,
    Challenged,
    ExchangeFolder,
    Paper,
    Protocol,
    Terms,
)
from quotary_bridge.gateways.limits import binds, does_not_bind
from quotary_bridge.gateways.speech import Demands, Signed, Signer, Speech
from quotary_bridge.gateways.standing import Desk, Recorded, Standing

__all__ = [
    "Answered",
    "Challenged",
    "Demands",
    "Desk",
    "ExchangeFolder",
    "Paper",
    "Protocol",
    "Recorded",
    "Signed",
    "Signer",
    "Speech",
    "Standing",
    "Terms",
    "binds",
    "does_not_bind",
    "signed_receipt",
    "speech",
]


def speech(protocol: Protocol) -> Speech:
    """Return what is said in a protocol."""
    return ChatSpeech() if protocol is Protocol.CHAT else AciSpeech()
