"""What surrounds the verifier, as type checkers see it: collateral, workloads, late verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

from quotary import (
    AttestationKey,
    Collateral,
    CompactQuote,
    QuotaryError,
    RawCollateral,
    TeeType,
    Verdict,
    verify_compact,
    verify_many,
    verify_with_key,
)
from quotary.collateral import TcbEvaluations
from quotary.fetch import (
    AsyncCollateralClient,
    CollateralCache,
    CollateralClient,
    CollateralService,
    FetchedCollateral,
    FmspcPlatform,
    KnownFmspc,
    PckCa,
    PlatformKey,
    SignedDocument,
    UpdateChannel,
)
from quotary.policy.file import parse_policy
from quotary.trust import verify_evaluations
from quotary.verify.expired import Expired, LateVerdict, verify_late
from quotary.workloads import (
    ChatProof,
    ChatReport,
    ChatSignature,
    DstackEvidence,
    Expectations,
    HardwareCheck,
    Quoted,
    Statement,
    Workload,
    hardware_check,
    verify_chat,
    verify_dstack,
)
from quotary.workloads.aci import (
    AciPolicy,
    AciReceipt,
    AciReport,
    Exchange,
    Identity,
    verify_receipt,
    verify_report,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)


def further(quotes: Sequence[bytes], collateral: Collateral) -> None:
    """Many quotes, and those of a proven key."""
    assert_type(verify_many(quotes, collateral, at=AT, threads=2), list[Verdict | QuotaryError])
    verdict, key = verify_with_key(quotes[0], collateral, at=AT)
    assert_type(verdict, Verdict)
    assert_type(key, AttestationKey)
    assert_type(verify_compact(CompactQuote.parse(quotes[0]), key, at=AT), Verdict)


def late(quote: bytes, raw: RawCollateral) -> None:
    """Collateral that is over, knowingly."""
    result = verify_late(quote, raw, tolerance=timedelta(days=3), at=AT)
    assert_type(result, LateVerdict)
    assert_type(result.expired, tuple[Expired, ...])


def fetched(folder: Path) -> None:
    """The client that blocks."""
    service = CollateralService.pccs("https://pccs.example", channel=UpdateChannel.parse("19"))
    client = CollateralClient(service, cache=CollateralCache(folder))
    key = PlatformKey(TeeType.TDX, bytes(6), PckCa.PLATFORM)
    assert_type(client.current(key, at=AT), FetchedCollateral)
    assert_type(client.fetch(key, at=AT).collateral, Collateral)
    assert_type(client.fmspcs(FmspcPlatform.E5), tuple[KnownFmspc, ...])
    signed = client.tcb_evaluations(TeeType.TDX)
    assert_type(signed, SignedDocument)
    evaluations = verify_evaluations(
        signed.document, signed.signature, signed.issuer_chain, client.root_ca_crl(), at=AT
    )
    assert_type(evaluations, TcbEvaluations)


async def awaited(client: AsyncCollateralClient, key: PlatformKey) -> None:
    """The client for asyncio: the same, awaited."""
    assert_type(await client.current(key, at=AT), FetchedCollateral)
    assert_type(await client.fmspcs(), tuple[KnownFmspc, ...])
    assert_type(await client.tcb_evaluations(TeeType.SGX), SignedDocument)


def workloads(answer: str, compose: bytes, collateral: Collateral) -> None:
    """A guest, a chat and an ACI exchange, judged by one check with a policy of one's own."""
    check = hardware_check(collateral, policy=parse_policy("version = 1"), at=AT)
    assert_type(check, HardwareCheck)
    evidence = DstackEvidence.parse(answer, compose)
    assert_type(check(evidence.quote), Quoted)
    workload = verify_dstack(evidence, check(evidence.quote), Expectations(app_id=bytes(20)))
    assert_type(workload, Workload)
    assert_type(workload.does_not_prove, tuple[Statement, ...])
    report, signature = ChatReport.parse(answer), ChatSignature.parse(answer)
    proof = verify_chat(report, signature, b"request", b"response", check, nonce=bytes(32))
    assert_type(proof, ChatProof)
    identity = verify_report(
        AciReport.parse(answer), check, nonce=bytes(32), at=AT, policy=AciPolicy()
    )
    assert_type(identity, Identity)
    exchange = verify_receipt(AciReceipt.parse(answer), identity, b"request", b"response")
    assert_type(exchange, Exchange)
