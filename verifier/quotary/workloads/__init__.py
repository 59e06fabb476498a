"""
Workloads: what the quote of a real AI service says about the app behind it.

    dstack   the guest: event log, compose document, images      (`verify_dstack`)
    chat     first-generation chat gateways (Phala, NEAR AI)      (`verify_chat`)
    aci      Attested Confidential Inference, `aci/1`             (`quotary.workloads.aci`)

Pure functions over bytes. The quote inside is judged by `quotary.verify`; its result enters here
as `Quoted`. Every result lists what it proves and what it does not.
"""

from __future__ import annotations

from quotary.workloads._document import parse_json
from quotary.workloads.chat import (
    ChatProof,
    ChatReport,
    ChatSignature,
    ChatSigner,
    signed_text,
    verify_chat,
    verify_signer,
)
from quotary.workloads.compose import AppCompose, Image
from quotary.workloads.dstack import DstackEvidence, Expectations, Workload, verify_dstack
from quotary.workloads.eventlog import Event, parse_event_log, replay
from quotary.workloads.quoted import HardwareCheck, Quoted, hardware_check
from quotary.workloads.statements import Gap, Proof, Statement
from quotary.workloads.system_events import KeyProvider

__all__ = [
    "AppCompose",
    "ChatProof",
    "ChatReport",
    "ChatSignature",
    "ChatSigner",
    "DstackEvidence",
    "Event",
    "Expectations",
    "Gap",
    "HardwareCheck",
    "Image",
    "KeyProvider",
    "Proof",
    "Quoted",
    "Statement",
    "Workload",
    "hardware_check",
    "parse_event_log",
    "parse_json",
    "replay",
    "signed_text",
    "verify_chat",
    "verify_dstack",
    "verify_signer",
]
