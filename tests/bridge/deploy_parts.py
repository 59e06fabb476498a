"""What the tests of deployments share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from eth_utils.crypto import keccak
from quotary import TrustRoot
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.sender import Sender
from quotary_bridge.deploy import Deployer, Parameters
from quotary_bridge.deploy.parameters import Committee
from quotary_bridge.model import Bytes32
from quotary_bridge.zk import RELEASES
from quotary_enclave.simulator import Simulator

APP = Bytes32(keccak(text="app"))
MEASUREMENT = Bytes32(keccak(text="measurement"))
ROOT = TrustRoot.from_certificate(
    Simulator(datetime(2026, 1, 1, tzinfo=UTC), seed=b"a root of our own").root_der
)
TEST_ROOT = ROOT.key_hash
GUEST = keccak(text="a guest's image id")


def parameters(node: AnvilNode, *, stub: bool = True) -> Parameters:
    """Parameters for a node: an account governs, everything there is, under a root of our own."""
    signers = node.signers
    members = tuple(signer.address for signer in signers[3:6])
    return Parameters(
        governor=signers[0].address,
        guardian=signers[1].address,
        committee=Committee(members, 2),
        root_key_hashes=(TEST_ROOT,),
        collateral_root=ROOT,
        allow_stub=stub,
        image_id=GUEST,
        app_id=APP,
        model_id=Bytes32(keccak(text="model")),
    )


SELECTORS = tuple(f"selector 0x{release.selector.hex()}" for release in RELEASES)
OPENED = (*SELECTORS, "route Comm", "route OnCh", "route ZkR0", "route Stub")


def deployer(node: AnvilNode, folder: Path, account: int = 0) -> Deployer:
    """A deployer that sends from one of the node's accounts."""
    return Deployer(Sender(node.chain, node.signers[account], timeout_seconds=300), folder)
