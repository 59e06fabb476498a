"""A chain with Intel's collateral on it, and every way of proving a verdict beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eth_account import Account
from quotary import INTEL_ROOT, RawCollateral
from quotary.collateral import TcbInfo
from quotary.x509 import split_pem
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.committee import committee_proof
from quotary_bridge.model import Address
from quotary_bridge.zk import Release, stub_seal

from tests.contracts.zk_chain import Contract, deploy, key_argument
from tests.contracts.zk_trapdoor import forged_seal, known_release

__all__ = ["IMAGE", "MAX_AGE", "Paths", "deploy_release"]

IMAGE = sha256(b"guest").digest()
MAX_AGE = 3600
_MEMBER = sha256(b"a committee of one").digest()


def deploy_release(node: AnvilNode, release: Release) -> Contract:
    """The Groth16 verifier of one release."""
    key = key_argument(release.key)
    return deploy(node, "RiscZeroGroth16Verifier", key, release.control_root, release.control_id)


@dataclass(frozen=True, slots=True)
class Paths:
    """The contracts of all paths on one node."""

    node: AnvilNode
    store: Contract
    on_chain: Contract
    receipts: Contract
    zk: Contract
    stub: Contract
    committee: Contract

    @classmethod
    def deploy(cls, node: AnvilNode, root: bytes = INTEL_ROOT.certificate.der) -> Paths:
        """Deploy them, the known release behind the router as a real one would be."""
        account = node.signers[0].address
        release = known_release()
        parsers = [deploy(node, it).address for it in ("DocumentParser", "RevocationListParser")]
        store = deploy(node, "CollateralStore", root, *parsers)
        groth16 = deploy_release(node, release)
        log = deploy(node, "ChangeLog", 1)
        router = deploy(node, "RiscZeroRouter", account, account, log.address)
        router.send("addVerifier", release.selector, groth16.address)
        mock = deploy(node, "RiscZeroStubVerifier")
        member = Account.from_key(_MEMBER).address
        return cls(
            node,
            store,
            deploy(node, "DcapVerifier", store.address),
            router,
            deploy(node, "ZkQuoteVerifier", router.address, IMAGE, MAX_AGE, store.address),
            deploy(node, "StubQuoteVerifier", mock.address, IMAGE, MAX_AGE),
            deploy(node, "CommitteeVerifier", [member], 1, MAX_AGE),
        )

    def freeze(self, seconds: int) -> None:
        """Give all blocks from now on this time."""
        self.node.chain.rpc("anvil_setBlockTimestampInterval", [0])
        self.node.chain.rpc("evm_setNextBlockTimestamp", [seconds])
        self.node.mine()

    def push(self, raw: RawCollateral) -> None:
        """Bring every part of `raw`, and put the family's collateral together."""
        self.store.send("putRevocationList", raw.root_ca_crl)
        signers = []
        for item, chain in (
            ("TCB signer", raw.tcb_info_issuer_chain),
            ("QE signer", raw.qe_identity_issuer_chain),
            ("PCK CA", raw.pck_crl_issuer_chain),
        ):
            leaf, _ = split_pem(chain, item, 2)
            signers += self.store.call("addCertificate", leaf)
            self.store.send("addCertificate", leaf)
        self.store.send("putRevocationList", raw.pck_crl)
        self.store.send("putTcbInfo", raw.tcb_info, raw.tcb_info_signature, signers[0])
        self.store.send("putQeIdentity", raw.qe_identity, raw.qe_identity_signature, signers[1])

    def assemble(self, tee_type: int, raw: RawCollateral) -> None:
        """Keep the family's collateral in one piece, under the authority that it is of."""
        leaf, _ = split_pem(raw.pck_crl_issuer_chain, "PCK CA", 2)
        authority = 1 if b"Platform CA" in leaf else 2
        fmspc = int.from_bytes(TcbInfo.parse(raw.tcb_info).fmspc)
        self.store.send("assemble", tee_type, fmspc, authority)

    def journals(self, quote: bytes, journal: bytes) -> dict[str, bytes]:
        """What each path returns for the same evidence; raises `ContractError`."""
        digest = sha256(journal).digest()
        member = Signer.from_key(_MEMBER.hex(), self.node.chain_id)
        attested = committee_proof(
            digest, self.node.chain_id, Address(self.committee.address), [member]
        )
        return {
            "on chain": self.ask(self.on_chain, quote, b""),
            "zk": self.ask(self.zk, journal, forged_seal(IMAGE, digest)),
            "stub": self.ask(self.stub, journal, stub_seal(IMAGE, digest)),
            "committee": self.ask(self.committee, journal, attested),
        }

    def ask(self, verifier: Contract, evidence: bytes, proof: bytes) -> bytes:
        """The bytes a verifier returns: a journal, if it is what it should be."""
        return verifier.raw("verify(bytes,bytes)", evidence, proof)

    def gas(self, verifier: Contract, *arguments: Any) -> int:
        """What a verification costs as a transaction."""
        return verifier.send("verify", *arguments)
