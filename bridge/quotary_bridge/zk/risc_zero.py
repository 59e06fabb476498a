"""
RISC Zero's Groth16 receipts: which releases there are, and whether a seal proves a claim.

The same rules as `contracts/src/zk/RiscZeroGroth16Verifier.sol`. A release of the zkVM is named by
its control root and BN254 control id; with the verification key they hash to the parameters'
digest, whose first four bytes lead every seal of that release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.zk.claim import claim_digest
from quotary_bridge.zk.groth16 import G1Point, G2Point, Groth16Key, require_proof
from quotary_bridge.zk.structs import tagged_list, tagged_struct

__all__ = ["KEY", "RELEASES", "SELECTOR_BYTES", "Release", "key_digest", "require_receipt", "split"]

SELECTOR_BYTES = 4

KEY = Groth16Key(
    alpha=(
        20491192805390485299153009773594534940189261866228447918068658471970481763042,
        9383485363053290200918347156157836566562967994039712273449902621266178545958,
    ),
    beta=(
        4252822878758300859123897981450591353533073413197771768651442665752259397132,
        6375614351688725206403948262868962793625744043794305715222011528459656738731,
        21847035105528745403288232691147584728191162732299865338377159692350059136679,
        10505242626370262277552901082094356697409835680220590971873171140371331206856,
    ),
    gamma=(
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
    ),
    delta=(
        1668323501672964604911431804142266013250380587483576094566949227275849579036,
        12043754404802191763554326994664886008979042643626290185762540825416902247219,
        7710631539206257456743780535472368339139328733484942210876916214502466455394,
        13740680757317479711909903993315946540841369848973133181051452051592786724563,
    ),
    ic=(
        (
            8446592859352799428420270221449902464741693648963397251242447530457567083492,
            1064796367193003797175961162477173481551615790032213185848276823815288302804,
        ),
        (
            3179835575189816632597428042194253779818690147323192973511715175294048485951,
            20895841676865356752879376687052266198216014795822152491318012491767775979074,
        ),
        (
            5332723250224941161709478398807683311971555792614491788690328996478511465287,
            21199491073419440416471372042641226693637837098357067793586556692319371762571,
        ),
        (
            12457994489566736295787256452575216703923664299075106359829199968023158780583,
            19706766271952591897761291684837117091856807401404423804318744964752784280790,
        ),
        (
            19617808913178163826953378459323299110911217259216006187355745713323154132237,
            21663537384585072695701846972542344484111393047775983928357046779215877070466,
        ),
        (
            6834578911681792552110317589222010969491336870276623105249474534788043166867,
            15060583660288623605191393599883223885678013570733629274538391874953353488393,
        ),
    ),
)
"""The key of RISC Zero's ceremony for its STARK-to-SNARK circuit (risc0-ethereum)."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the zkVM, as its verifier is parametrised."""

    version: str
    control_root: bytes
    control_id: bytes
    key: Groth16Key = KEY

    @property
    def parameters_digest(self) -> bytes:
        """What names all parameters together."""
        children = (self.control_root, self.control_id[::-1], key_digest(self.key))
        return tagged_struct("risc0.Groth16ReceiptVerifierParameters", children)

    @property
    def selector(self) -> bytes:
        """The first four bytes of every seal of this release."""
        return self.parameters_digest[:SELECTOR_BYTES]

    def require(self, seal: bytes, claim: bytes) -> None:
        """
        Require that `seal` proves the claim with this digest; raises `EvidenceRejected`.

        Reasons: `SEAL_SELECTOR_UNKNOWN`, and those of `require_proof`.
        """
        if seal[:SELECTOR_BYTES] != self.selector:
            raise _unknown(seal)
        inputs = (*split(self.control_root), *split(claim), int.from_bytes(self.control_id))
        require_proof(self.key, seal[SELECTOR_BYTES:], inputs)


# The control id of the program that runs the BN254 circuit, the same since 1.2.
_CONTROL_ID = bytes.fromhex("04446e66d300eb7fb45c9726bb53c793dda407a62e9601618bb43c5c14657ac0")
RELEASES = (
    Release(
        "2.2",
        bytes.fromhex("ce52bf56033842021af3cf6db8a50d1b7535c125a34f1a22c6fdcf002c5a1529"),
        _CONTROL_ID,
    ),
    Release(
        "3.0",
        bytes.fromhex("a54dc85ac99f851c92d7c96d7318af41dbe7c0194edfcc37eb4d422a998c1f56"),
        _CONTROL_ID,
    ),
    Release(
        "5.0",
        bytes.fromhex("b1f64013f70bbb386a8b3a3d63552c5cb5ea4a549ec7fb1ecc2a031dbf488167"),
        _CONTROL_ID,
    ),
)
"""
The releases whose receipts are accepted here (risc0-ethereum, ControlID.sol of each).

None before 2.2: earlier ones have known flaws in their circuits (GHSA-g3qg-6746-3mg9 and others).
"""


def require_receipt(
    seal: bytes,
    image_id: bytes,
    journal_digest: bytes,
    releases: Iterable[Release] = RELEASES,
) -> Release:
    """
    Return the release whose receipt proves that `image_id` wrote the journal with this digest.

    Takes about a second. Raises `EvidenceRejected`: `SEAL_SELECTOR_UNKNOWN` where no release has
    the seal's selector (a mock seal's among them), else as `Release.require`.
    """
    for release in releases:
        if release.selector == seal[:SELECTOR_BYTES]:
            release.require(seal, claim_digest(image_id, journal_digest))
            return release
    raise _unknown(seal)


def key_digest(key: Groth16Key) -> bytes:
    """Return the digest of a verification key."""
    points = (key.alpha, key.beta, key.gamma, key.delta)
    ic = tagged_list("risc0_groth16.VerifyingKey.IC", [_point_digest(point) for point in key.ic])
    return tagged_struct(
        "risc0_groth16.VerifyingKey", (*(_point_digest(point) for point in points), ic)
    )


def split(digest: bytes) -> tuple[int, int]:
    """Return a digest as two public inputs: each half as a little-endian number."""
    half = len(digest) // 2
    return int.from_bytes(digest[:half], "little"), int.from_bytes(digest[half:], "little")


def _point_digest(point: G1Point | G2Point) -> bytes:
    return sha256(b"".join(word.to_bytes(32) for word in point)).digest()


def _unknown(seal: bytes) -> EvidenceRejected:
    return EvidenceRejected(
        Reason.SEAL_SELECTOR_UNKNOWN,
        f"no verifier for seals that begin with 0x{seal[:SELECTOR_BYTES].hex()}",
        "prove with a release of the prover that is accepted here",
    )
