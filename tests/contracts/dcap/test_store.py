"""What the store keeps moves one way, and reaches links that were proven before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from quotary import RawCollateral, TrustRoot, verify
from quotary.quote import Quote
from quotary_enclave.simulator import Evidence, Role, Simulator, samples

from tests.contracts.dcap.dcap_world import (
    Node,
    Refused,
    World,
    compact_parts,
    key_id,
    running_node,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)
SCENARIO = samples(Simulator(AT, seed=b"store"))["td10-v4-platform"].with_pck_crl(
    this_update=AT - timedelta(days=1)
)


def raw_of(evidence: Evidence) -> RawCollateral:
    """The evidence's collateral."""
    return RawCollateral.from_json(json.dumps(evidence.collateral))


@pytest.fixture(params=["osaka", "prague"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node with the precompile for P-256, and one without."""
    with running_node(request.param) as node:
        yield node


def world_of(node: Node, evidence: Evidence) -> World:
    """A world under the evidence's root, at its time."""
    world = World.deploy(node, evidence.root_der)
    node.freeze(int(AT.timestamp()))
    return world


def test_verdicts_do_not_depend_on_the_precompile(node: Node) -> None:
    """The Solidity fallback says the same as Python."""
    evidence = SCENARIO.mint()
    world = world_of(node, evidence)
    world.push(raw_of(evidence), TrustRoot.from_certificate(evidence.root_der))
    expected = verify(
        evidence.quote,
        raw_of(evidence),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )
    assert world.verifier_call("verify(bytes)", evidence.quote) == expected.journal()


def test_a_new_list_revokes_keys_that_were_proven(node: Node) -> None:
    """And an older list, which does not, cannot be brought back."""
    evidence = SCENARIO.mint()
    world = world_of(node, evidence)
    raw = raw_of(evidence)
    world.push(raw, TrustRoot.from_certificate(evidence.root_der))
    world.verifier_send("prove", evidence.quote)
    world.assemble(2, raw, 1)
    compact, _, _ = compact_parts(evidence.quote)
    named = ("verifyCompact", compact, key_id(Quote.parse(evidence.quote)))
    assert world.verifier_call(*named)
    revoking = SCENARIO.with_pck_crl(this_update=AT, revoked_roles=(Role.PCK,)).mint()
    world.store_send("putRevocationList", raw_of(revoking).pck_crl)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        world.verifier_call(*named)
    with pytest.raises(Refused, match=r"^COLLATERAL_ROLLBACK$"):
        world.store_call("putRevocationList", raw.pck_crl)
    world.assemble(2, raw, 1)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        world.verifier_call(*named)


def test_a_kept_key_is_looked_up_once_in_a_new_list(node: Node) -> None:
    """Until then every quote of it is; a key whose platform the list names is not remembered."""
    evidence = SCENARIO.mint()
    world = world_of(node, evidence)
    raw = raw_of(evidence)
    world.push(raw, TrustRoot.from_certificate(evidence.root_der))
    world.verifier_send("prove", evidence.quote)
    world.assemble(2, raw, 1)
    compact, _, _ = compact_parts(evidence.quote)
    name = key_id(Quote.parse(evidence.quote))

    def cost() -> int:
        return int(world.verifier_send("verifyCompact", compact, name)["gasUsed"], 16)

    remembered = cost()
    later = SCENARIO.with_pck_crl(this_update=AT - timedelta(hours=1), revokes=(7,)).mint()
    world.store_send("putRevocationList", raw_of(later).pck_crl)
    world.assemble(2, raw, 1)
    assert cost() > remembered + 2_600  # the account that keeps the list
    with pytest.raises(Refused, match=r"^KEY_UNKNOWN$"):
        world.verifier_call("refresh", bytes(32), 2)
    receipt = world.verifier_send("refresh", name, 2)
    assert cost() == remembered
    assert int(receipt["gasUsed"], 16) < remembered
    revoking = SCENARIO.with_pck_crl(this_update=AT, revoked_roles=(Role.PCK,)).mint()
    world.store_send("putRevocationList", raw_of(revoking).pck_crl)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        world.verifier_call("refresh", name, 2)
    with pytest.raises(Refused, match=r"^CERT_REVOKED$"):
        world.verifier_call("verifyCompact", compact, name)


def test_nothing_unsigned_is_stored(node: Node) -> None:
    """A changed document, or one that another key signed, leaves no trace."""
    evidence = SCENARIO.mint()
    world = world_of(node, evidence)
    raw = raw_of(evidence)
    with pytest.raises(Refused, match=r"^CRL_MISSING$"):
        world.store_call("putTcbInfo", raw.tcb_info, raw.tcb_info_signature, bytes(32))
    world.push(raw, TrustRoot.from_certificate(evidence.root_der))
    before = world.store_call("tcbInfo", 2, 0)
    altered = raw.tcb_info.replace(b'"version":3', b'"version":4')
    with pytest.raises(Refused, match=r"^COLLATERAL_INCOMPLETE$"):
        world.store_call("putTcbInfo", altered, raw.tcb_info_signature, bytes(32))
    assert world.store_call("tcbInfo", 2, 0) == before
