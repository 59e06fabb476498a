"""Chapter 3: the chain verifies the genuine quote by itself, and what that costs beside others."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType

from quotary import Quote, RawCollateral
from quotary.collateral import TcbInfo

from quotary_bridge.chain.contracts import CollateralStore, DcapVerifier
from quotary_bridge.collateral import steps
from quotary_bridge.demo.evidence import Sample
from quotary_bridge.demo.stage import NOTARY_APP, Stage
from quotary_bridge.deploy import ROUTES

__all__ = ["PEER_GAS", "verify_on_chain"]

PEER_GAS: Mapping[str, int] = MappingProxyType(
    {
        "verification": 4_171_668,
        "TCB info of 2 levels": 5_837_349,
        "TCB info of 4 levels": 9_027_849,
        "QE identity": 1_459_504,
        "PCK revocation list": 3_184_784,
    }
)
"""
Automata's DCAP contracts and on-chain PCCS on TDX v4 evidence: whole transactions with cold slots,
measured apart on Anvil 1.7.1, hardfork osaka, under their own compiler settings, 2026-11. The list
was of 2,662 bytes. `scripts/bench_gas.py` measures ours.
"""


def verify_on_chain(stage: Stage, sample: Sample) -> None:
    """Bring the sample's collateral, have the chain verify the quote in two forms, and compare."""
    brought = _bring(stage, sample)
    notarization = stage.call_data(
        "QuoteNotary", "notarize", NOTARY_APP, ROUTES["DcapVerifier"], sample.quote, b""
    )
    stage.transact("notarize the genuine quote (on chain)", "QuoteNotary", notarization)
    verifier = DcapVerifier(stage.chain, stage.address("DcapVerifier"))
    prove = verifier.prove(sample.quote)
    raw = stage.transact("verify the raw quote, keep its links", "DcapVerifier", prove)
    quote = Quote.parse(sample.quote)
    key_id = sha256(quote.attestation_key + quote.qe_auth_data).digest()
    again = stage.call_data("DcapVerifier", "verifyCompact", quote.compact, key_id)
    compact = stage.transact("verify its compact form", "DcapVerifier", again)
    _compare(stage, sample, {**brought, "raw": raw.gas_used, "compact": compact.gas_used})


def _bring(stage: Stage, sample: Sample) -> dict[str, int]:
    """Bring the collateral that the chain lacks; returns what each document cost."""
    store = CollateralStore(stage.chain, stage.address("CollateralStore"))
    cost = {}
    for step in steps(store, RawCollateral.from_json(sample.collateral)):
        if step.needed:
            receipt = stage.transact(f"collateral: {step.name}", "CollateralStore", step.data)
            cost[step.name] = receipt.gas_used
    return cost


def _compare(stage: Stage, sample: Sample, gas: Mapping[str, int]) -> None:
    report = stage.report
    info = TcbInfo.parse(RawCollateral.from_json(sample.collateral).tcb_info)
    levels = f"TCB info of {len(info.levels)} levels"
    tee = info.tee_type.name
    rows = (
        ("raw quote", gas["raw"], "verification"),
        ("compact quote", gas["compact"], "verification"),
        (levels, gas[f"{tee} TCB info {info.fmspc.hex()}"], levels),
        ("QE identity", gas[f"{tee} QE identity"], "QE identity"),
        ("PCK revocation list", gas["PCK revocation list"], "PCK revocation list"),
    )
    for label, ours, what in rows:
        theirs = PEER_GAS.get(what)
        note = f"Automata's contracts: {theirs:,} gas" if theirs else ""
        report.fact(label, f"{ours:>9,} gas", note=note, exact={"gas": ours, "peer_gas": theirs})
    report.remark("Automata's figures: measured apart on the same kind of node, not run here")
