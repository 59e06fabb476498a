"""
Judging evidence on chain, thousands of times: state that the next evidence shares is kept.

A question is a path of steps: a root, a time, then the documents of its collateral. The node is at
the end of the last path; for the next one it goes back to where the two part, and on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quotary import QuotaryError, RawCollateral, TrustRoot
from quotary.x509 import split_pem

from tests.contracts.dcap.dcap_world import Node, Refused, World

__all__ = ["OnChainJudge"]

Step = tuple[str, *tuple[Any, ...]]
"""What is done, and with what."""


@dataclass
class _Reached:
    """A step that was taken, the node's snapshot from before it, and what it left behind."""

    step: Step
    snapshot: str
    world: World | None
    signers: dict[bytes, bytes]
    reason: str | None


@dataclass
class OnChainJudge:
    """One node, and the path it has taken."""

    node: Node
    _path: list[_Reached] = field(default_factory=list)

    def judge(self, quote: bytes, raw: RawCollateral, root: TrustRoot, at: int) -> bytes | str:
        """Return the journal, or the reason."""
        try:
            steps = [("deploy", root.certificate.der), ("time", at), *_documents(raw, root)]
        except QuotaryError as error:
            return str(error.reason)
        reason = self._go(steps)
        if reason is not None:
            return reason
        world = self._path[-1].world
        assert world is not None
        try:
            return world.verifier_call("verify(bytes)", quote)
        except Refused as refused:
            return refused.reason

    def _go(self, steps: list[Step]) -> str | None:
        """Take `steps`; returns the reason of the first that is refused."""
        shared = 0
        for reached, step in zip(self._path, steps, strict=False):
            if reached.step != step:
                break
            if reached.reason is not None:
                return reached.reason
            shared += 1
        self._back(shared)
        for step in steps[shared:]:
            reason = self._take(step)
            if reason is not None:
                return reason
        return None

    def _back(self, length: int) -> None:
        if len(self._path) > length:
            self.node.ask("evm_revert", self._path[length].snapshot)
            del self._path[length:]

    def _take(self, step: Step) -> str | None:
        snapshot = self.node.ask("evm_snapshot")
        last = self._path[-1] if self._path else None
        world = last.world if last else None
        signers = dict(last.signers) if last else {}
        reason = None
        try:
            world = self._done(step, world, signers)
        except Refused as refused:
            reason = refused.reason
        self._path.append(_Reached(step, snapshot, world, signers, reason))
        return reason

    def _done(self, step: Step, world: World | None, signers: dict[bytes, bytes]) -> World:
        match step:
            case ("deploy", der):
                return World.deploy(self.node, der)
            case ("time", at):
                self.node.freeze(at)
            case ("certificate", der):
                assert world is not None
                signers[der] = world.store_call("addCertificate", der)
                world.store_send("addCertificate", der)
            case ("list", der):
                assert world is not None
                world.store_send("putRevocationList", der)
            case (function, document, signature, signer):
                assert world is not None
                world.store_send(function, document, signature, signers[signer])
        assert world is not None
        return world


def _documents(raw: RawCollateral, root: TrustRoot) -> list[Step]:
    """The documents in the order the store wants; raises `QuotaryError` where none can be sent."""
    tcb_signer = _leaf(raw.tcb_info_issuer_chain, "tcb_signer", root)
    qe_signer = _leaf(raw.qe_identity_issuer_chain, "qe_signer", root)
    return [
        ("list", raw.root_ca_crl),
        ("certificate", tcb_signer),
        ("certificate", qe_signer),
        ("certificate", _leaf(raw.pck_crl_issuer_chain, "pck_ca", root)),
        ("list", raw.pck_crl),
        ("putTcbInfo", raw.tcb_info, raw.tcb_info_signature, tcb_signer),
        ("putQeIdentity", raw.qe_identity, raw.qe_identity_signature, qe_signer),
    ]


def _leaf(chain: bytes, item: str, root: TrustRoot) -> bytes:
    leaf, anchor = split_pem(chain, item, 2)
    root.require_pinned(anchor, item)
    return leaf
