"""
Attested Confidential Inference, `aci/1`: report, receipt and session, by its specification.

`verify_report` establishes who serves, once per keyset; `verify_receipt` checks each exchange
offline under that identity. Needs rfc8785 (extra `aci`) and, for the compose document inside the
evidence, PyYAML (extra `dstack`). Source: Dstack-TEE/private-ai-gateway, spec/aci.md.
"""

from __future__ import annotations

from quotary.workloads.aci.keyset import (
    Keyset,
    ReceiptAlgorithm,
    ReceiptKey,
    TlsKey,
    report_data,
    statement,
)
from quotary.workloads.aci.receipt import (
    AciReceipt,
    Exchange,
    ReceiptPolicy,
    Upstream,
    verify_receipt,
)
from quotary.workloads.aci.report import (
    AciPolicy,
    AciReport,
    Channel,
    Identity,
    Provenance,
    Serving,
    verify_report,
)
from quotary.workloads.aci.session import (
    TEE_BY_HARDWARE,
    Claim,
    ClaimStatus,
    RequiredClaim,
    Session,
)

__all__ = [
    "TEE_BY_HARDWARE",
    "AciPolicy",
    "AciReceipt",
    "AciReport",
    "Channel",
    "Claim",
    "ClaimStatus",
    "Exchange",
    "Identity",
    "Keyset",
    "Provenance",
    "ReceiptAlgorithm",
    "ReceiptKey",
    "ReceiptPolicy",
    "RequiredClaim",
    "Serving",
    "Session",
    "TlsKey",
    "Upstream",
    "report_data",
    "statement",
    "verify_receipt",
    "verify_report",
]
