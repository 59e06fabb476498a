"""
Measure what DCAP verification on chain costs: whole transactions, cold slots, genuine evidence.

    scripts/bench_gas.py               write build/bench/gas.json
    scripts/bench_gas.py --snapshot    and contracts/snapshots/Dcap.json
    scripts/bench_gas.py --check       exit 1 where a figure exceeds the committed snapshot

Transactions go to Anvil with the osaka rules, each in a block of its own. The evidence is read from
the folder of genuine evidence (`QUOTARY_SHARED`); the list of 129 entries is simulated.
`peer_verify` was measured for Automata's contracts on such a quote and node, not by this script.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("", "verifier", "bridge", "enclave"):
    sys.path.insert(0, str(ROOT / folder))

from quotary import INTEL_ROOT, RawCollateral, TrustRoot  # noqa: E402  (paths come first)
from quotary.collateral import TcbInfo  # noqa: E402
from quotary.quote import Quote  # noqa: E402
from quotary.x509 import RevocationList  # noqa: E402
from quotary_bridge.chain.contracts.long_list import LongList  # noqa: E402
from quotary_enclave.simulator import Simulator, sample_td, samples  # noqa: E402

from tests.contracts.dcap.dcap_world import (  # noqa: E402
    Node,
    World,
    compact_parts,
    key_id,
    running_node,
)
from tests.contracts.dcap.genuine_cases import genuine_cases  # noqa: E402
from tests.contracts.dcap.long_crl import minted, serials  # noqa: E402
from tests.contracts.dcap.registry_world import RegistryWorld  # noqa: E402

OUTPUT = ROOT / "build" / "bench" / "gas.json"
SNAPSHOT = ROOT / "contracts" / "snapshots" / "Dcap.json"
SHARED = Path(os.environ.get("QUOTARY_SHARED", ROOT.parent / "shared"))

PEER_VERIFY_TDX_V4 = 4_171_668
"""Automata DCAP with its on-chain PCCS, TDX v4, collateral stored; measured on an osaka node."""

SGX, TDX = 1, 2
LEVELS_TDX, LEVELS_SGX, ENTRIES = 4, 11, 57
"""What the figures are about: see their keys."""

QUOTE_VERSION = 4

CEILINGS = {
    "verify_hot": 60_000,
    "verify_warm": 100_000,
    "verify_cold": 330_000,
    "verify_raw": 600_000,
    "register_hot": 140_000,
    "tcb_info_upsert": 700_000,
    "tcb_info_upsert_11": 1_000_000,
    "qe_identity_upsert": 300_000,
    "pck_crl_upsert_57": 700_000,
    "pck_crl_upsert_129": 16_777_216,
    "crl_lookup": 4_000,
}

Case = tuple[bytes, RawCollateral, datetime]


def gas(receipt: dict[str, Any]) -> int:
    """Gas a transaction used."""
    return int(receipt["gasUsed"], 16)


def new_world(
    node: Node, raw: RawCollateral, root: TrustRoot, at: int
) -> tuple[World, dict[str, int]]:
    """A world with `raw` at `at`, and what bringing each part cost."""
    world = World.deploy(node, root.certificate.der)
    node.freeze(at)
    return world, {name: gas(receipt) for name, receipt in world.push(raw, root).items()}


def verification(node: Node, case: Case) -> dict[str, int]:
    """The cost of each form of one genuine quote of version 4."""
    data, raw, at = case
    quote = Quote.parse(data)
    data = data[: len(data) - quote.trailing_length]
    world, _ = new_world(node, raw, INTEL_ROOT, int(at.timestamp()))
    compact, endorsement, pem = compact_parts(data)
    leaf, authority, certificate = world.leaf_of(pem)
    costs = {"assemble": gas(world.assemble(int(quote.tee_type), raw, authority))}
    start = node.ask("evm_snapshot")
    costs["verify_raw"] = gas(world.verifier_send("prove", data))
    node.ask("evm_revert", start)
    costs["verify_cold"] = gas(
        world.verifier_send("proveWithCertificate", compact, endorsement, leaf, authority)
    )
    costs["verify_warm"] = gas(
        world.verifier_send("verifyEndorsed", compact, endorsement, certificate)
    )
    costs["verify_hot"] = gas(world.verifier_send("verifyCompact", compact, key_id(quote)))
    svn = getattr(quote.body, "tee_tcb_svn", bytes(16))
    costs["reevaluate"] = gas(
        world.verifier_send("reevaluate", key_id(quote), int(quote.tee_type), svn, bytes(16))
    )
    return costs


def lists_of_129(node: Node) -> dict[str, int]:
    """
    The cost of a simulated list of 129 entries, and of looking a platform up in it.

    The platform was proven under an older list, so that nothing is remembered of this one.
    """
    at = datetime(2026, 11, 1, tzinfo=UTC)
    scenario = samples(Simulator(at, seed=b"bench"))["td10-v4-platform"]
    dice = random.Random(129)  # noqa: S311  (serial numbers of a test)
    serials = tuple(dice.getrandbits(158) | 1 << 158 for _ in range(129))
    older = scenario.with_pck_crl(this_update=at - timedelta(days=1)).mint()
    newer = scenario.with_pck_crl(this_update=at, revokes=serials).mint()
    raw = RawCollateral.from_json(json.dumps(older.collateral))
    root = TrustRoot.from_certificate(older.root_der)
    world, _ = new_world(node, raw, root, int(at.timestamp()))
    compact, endorsement, pem = compact_parts(older.quote)
    _, authority, certificate = world.leaf_of(pem)
    world.verifier_send("prove", older.quote)
    verify = ("verifyEndorsed", compact, endorsement, certificate)
    world.assemble(TDX, raw, authority)
    remembered = gas(world.verifier_send(*verify))
    crl = bytes.fromhex(newer.collateral["pck_crl"])
    upsert = gas(world.store_send("putRevocationList", crl))
    world.assemble(TDX, raw, authority)
    looked_up = gas(world.verifier_send(*verify))
    return {"pck_crl_upsert_129": upsert, "crl_lookup": looked_up - remembered}


def long_lists(node: Node) -> dict[str, int]:
    """
    The cost of a simulated list of 5,000 entries, which comes in parts; and of the dearest of them.

    The platform is looked up in it, as in `lists_of_129`.
    """
    at = datetime(2026, 11, 1, tzinfo=UTC)
    simulator = Simulator(at, seed=b"bench")
    machine = simulator.platform("0")
    quote = machine.quote(sample_td(simulator))
    raw = RawCollateral.from_json(json.dumps(simulator.collateral(machine, "tdx")))
    root = TrustRoot.from_certificate(simulator.root_der)
    world, _ = new_world(node, raw, root, int(at.timestamp()))
    compact, endorsement, pem = compact_parts(quote)
    _, authority, certificate = world.leaf_of(pem)
    world.verifier_send("prove", quote)
    verify = ("verifyEndorsed", compact, endorsement, certificate)
    world.assemble(TDX, raw, authority)
    remembered = gas(world.verifier_send(*verify))
    long = LongList.of(minted(machine, serials(5_000), at))
    parts = ["0x" + world.store_call("keepSerials", part)[-20:].hex() for part in long.parts]
    costs = [gas(world.store_send("keepSerials", part)) for part in long.parts]
    whole = (long.frame, long.cut, long.forms, long.order, parts)
    costs.append(gas(world.store_send("putLongRevocationList", whole)))
    world.assemble(TDX, raw, authority)
    return {
        "pck_crl_long_5000": sum(costs),
        "pck_crl_long_5000_last": costs[-1],
        "pck_crl_long_5000_most": max(costs),
        "crl_lookup_long_5000": gas(world.verifier_send(*verify)) - remembered,
    }


def registration(node: Node) -> dict[str, int]:
    """
    The cost of registering a worker whose quote the chain verifies under a known attestation key.

    Binding a key to this registry takes a quote of our own: simulated. Workers like it are there,
    its key, its platform and its seat are new; beside it stands what the first of a cohort costs.
    """
    at = datetime(2026, 11, 1, tzinfo=UTC)
    simulator = Simulator(at, seed=b"bench")
    machines = {name: simulator.platform(name) for name in ("first", "second")}
    raw = RawCollateral.from_json(json.dumps(simulator.collateral(machines["first"], "tdx")))
    root = TrustRoot.from_certificate(simulator.root_der)
    # From the start: challenges are made of hashes of blocks, whose zeros are cheaper.
    node.freeze(int(at.timestamp()) - 1)
    world, _ = new_world(node, raw, root, int(at.timestamp()))
    town = RegistryWorld.deploy(world, simulator)
    world.assemble(TDX, raw, 1)
    town.admit(town.enrolment(machines["first"], "sample").quote)
    costs = []
    for name, machine in machines.items():
        world.verifier_send("prove", town.enrolment(machine, "older").quote)
        receipt = town.register(town.enrolment(machine, name), compact=True)
        town.require_active(receipt)
        costs.append(gas(receipt))
    return {"register_hot_first": costs[0], "register_hot": costs[1]}


def documents(cases: list[Case]) -> dict[str, int]:
    """The cost of bringing genuine documents: the longest of each kind asked for."""
    wanted: dict[str, Case] = {}
    for case in cases:
        raw = case[1]
        info = TcbInfo.parse(raw.tcb_info)
        if info.tee_type == TDX and len(info.levels) == LEVELS_TDX:
            wanted.setdefault("tcb_info_upsert", case)
        if info.tee_type == SGX and len(info.levels) == LEVELS_SGX:
            old = wanted.get("tcb_info_upsert_11")
            if old is None or len(raw.tcb_info) > len(old[1].tcb_info):
                wanted["tcb_info_upsert_11"] = case
        count = len(RevocationList.parse(raw.pck_crl, "pck_crl").revoked)
        if count <= ENTRIES:
            best = wanted.get("pck_crl_upsert_57")
            if best is None or len(raw.pck_crl) > len(best[1].pck_crl):
                wanted["pck_crl_upsert_57"] = case
    costs = {}
    for key, (_, raw, at) in wanted.items():
        with running_node() as node:
            _, parts = new_world(node, raw, INTEL_ROOT, int(at.timestamp()))
        costs[key] = parts["pck_crl" if key.startswith("pck") else "tcb_info"]
        if key == "tcb_info_upsert":
            costs["qe_identity_upsert"] = parts["qe_identity"]
    return costs


def measure() -> dict[str, Any]:
    """All figures by key."""
    cases = list(genuine_cases(SHARED, accepted=True))
    version_4 = [case for case in cases if Quote.parse(case[0]).version == QUOTE_VERSION]
    # A node each: one that was taken back may lose a transaction that it has seen before.
    with running_node() as node:
        figures: dict[str, Any] = verification(node, version_4[-1])
    for measured in (registration, lists_of_129, long_lists):
        with running_node() as node:
            figures |= measured(node)
    figures |= documents(cases)
    figures["peer_verify"] = PEER_VERIFY_TDX_V4
    figures["peer_verify_source"] = "measured apart: see the module's documentation"
    return figures


def main() -> int:
    """Return the exit code: 0, or 1 where a figure grew past the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the snapshot")
    parser.add_argument("--snapshot", action="store_true", help="write the snapshot")
    options = parser.parse_args()
    figures = measure()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    for key, most in CEILINGS.items():
        found = figures.get(key)
        verdict = "not measured" if found is None else "ok" if found <= most else "OVER"
        print(f"{key:20} {found or '-':>12} at most {most:>12,}  {verdict}")
    if options.snapshot:
        SNAPSHOT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    if not options.check:
        return 0
    known = json.loads(SNAPSHOT.read_text())
    grown = [key for key in CEILINGS if figures.get(key, 0) > known.get(key, CEILINGS[key])]
    for key in grown:
        print(f"bench_gas: {key} grew from {known.get(key)} to {figures[key]}", file=sys.stderr)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
