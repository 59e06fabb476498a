"""
Journals of Automata's DCAP guest: another program that does the same job, with another layout.

    length (2) ‖ output (length) ‖ timestamp (8) ‖ six content hashes (32 each), big-endian

    present output: quote version (2) ‖ body type (2) ‖ status (1) ‖ FMSPC (6) ‖ body ‖ advisories
    earlier output: quote version (2) ‖ TEE type (4) ‖ status (1) ‖ FMSPC (6) ‖ body

What such a journal does NOT say: the quote's header and hash, platform, attestation key, root, when
its collateral ends and its evaluation number. It can inform, and it is not a `Verdict`: nothing
here turns it into one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from quotary import TcbStatus, TeeType

from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.zk.groth16 import Groth16Key, require_proof
from quotary_bridge.zk.risc_zero import RELEASES, SELECTOR_BYTES, Release, require_receipt

__all__ = ["AutomataJournal", "Body", "Sp1Release"]

_LENGTH_BYTES: Final = 2
_TIME_BYTES: Final = 8
_HASH_BYTES: Final = 32
_HASHES: Final = 6
_TAIL_BYTES: Final = _TIME_BYTES + _HASHES * _HASH_BYTES
_FMSPC_BYTES: Final = 6
_MAX_BYTES: Final = 1 << 16
_DIGEST_MASK: Final = (1 << 253) - 1

# By the guest's numbers. Its 6 is revoked and its 7 unrecognised: neither makes a verdict.
_STATUSES: Final = {
    0: TcbStatus.UP_TO_DATE,
    1: TcbStatus.SW_HARDENING_NEEDED,
    2: TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
    3: TcbStatus.CONFIGURATION_NEEDED,
    4: TcbStatus.OUT_OF_DATE,
    5: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


class Body(Enum):
    """Which report the quote has: the number of the present form, and its length in bytes."""

    SGX = (1, 384)
    TD10 = (2, 584)
    TD15 = (3, 648)

    @property
    def tee_type(self) -> TeeType:
        """The kind of TEE that makes such reports."""
        return TeeType.SGX if self is Body.SGX else TeeType.TDX


# The earlier form gives the TEE type as a number, or as the quote's own little-endian bytes.
_EARLIER: Final = {
    bytes(4): Body.SGX,
    bytes.fromhex("00000081"): Body.TD10,
    bytes.fromhex("81000000"): Body.TD10,
}
_PRESENT: Final = {body.value[0]: body for body in Body}


@dataclass(frozen=True, slots=True)
class Sp1Release:
    """One release of SP1 before 6: its Groth16 key, and the hash that names it."""

    verifier_hash: bytes
    key: Groth16Key

    def require(self, proof: bytes, program: bytes, public_values: bytes) -> None:
        """
        Require that `proof` shows that `program` wrote these values; raises `EvidenceRejected`.

        Reasons: `SEAL_SELECTOR_UNKNOWN`, and those of `require_proof`.
        """
        if proof[:SELECTOR_BYTES] != self.verifier_hash[:SELECTOR_BYTES]:
            raise EvidenceRejected(
                Reason.SEAL_SELECTOR_UNKNOWN, "the proof is of another release of SP1"
            )
        digest = int.from_bytes(sha256(public_values).digest()) & _DIGEST_MASK
        require_proof(self.key, proof[SELECTOR_BYTES:], (int.from_bytes(program), digest))


@dataclass(frozen=True, slots=True)
class AutomataJournal:
    """
    What Automata's guest says of a quote.

    `verified_at` is in Unix seconds and the prover's choice. The six hashes are of the contents of
    TCB info and QE identity, root CA, TCB signing certificate, root CRL and PCK CRL, as Automata's
    on-chain PCCS hashes them; they are not those of our journal.
    """

    quote_version: int
    body: Body
    tcb_status: TcbStatus
    fmspc: bytes
    report: bytes
    advisories: tuple[str, ...]
    verified_at: int
    content_hashes: tuple[bytes, ...]

    @property
    def report_data(self) -> bytes:
        """The 64 bytes a quote binds: where they are depends on the report."""
        if self.body is Body.SGX:
            return self.report[320:384]
        return self.report[520:584]

    @classmethod
    def decode(cls, journal: bytes) -> AutomataJournal:
        """
        Read a journal; raises `EvidenceRejected` (`RECEIPT_MALFORMED`).

        Warning: decoding proves nothing. Ask `of_risc_zero` or `of_sp1`.
        """
        length = int.from_bytes(journal[:_LENGTH_BYTES])
        if len(journal) > _MAX_BYTES or len(journal) != _LENGTH_BYTES + length + _TAIL_BYTES:
            raise _malformed("its length is not what it says")
        output, tail = journal[_LENGTH_BYTES:-_TAIL_BYTES], journal[-_TAIL_BYTES:]
        body, rest = _body(output)
        if len(rest) < 1 + _FMSPC_BYTES + body.value[1]:
            raise _malformed("its output ends early")
        status = _STATUSES.get(rest[0])
        if status is None:
            raise _malformed(f"TCB status {rest[0]} yields no verdict")
        start = 1 + _FMSPC_BYTES
        end = start + body.value[1]
        return cls(
            quote_version=int.from_bytes(output[:2]),
            body=body,
            tcb_status=status,
            fmspc=rest[1:start],
            report=rest[start:end],
            advisories=_advisories(rest[end:]),
            verified_at=int.from_bytes(tail[:_TIME_BYTES]),
            content_hashes=tuple(
                tail[_TIME_BYTES + _HASH_BYTES * index :][:_HASH_BYTES] for index in range(_HASHES)
            ),
        )

    @classmethod
    def of_risc_zero(
        cls,
        journal: bytes,
        seal: bytes,
        image_id: bytes,
        releases: Iterable[Release] = RELEASES,
    ) -> AutomataJournal:
        """Return what a RISC Zero receipt proves; raises `EvidenceRejected`."""
        require_receipt(seal, image_id, sha256(journal).digest(), releases)
        return cls.decode(journal)

    @classmethod
    def of_sp1(
        cls, journal: bytes, proof: bytes, program: bytes, release: Sp1Release
    ) -> AutomataJournal:
        """Return what an SP1 proof proves; raises `EvidenceRejected`."""
        release.require(proof, program, journal)
        return cls.decode(journal)


def _body(output: bytes) -> tuple[Body, bytes]:
    """Which report follows, and the output from the status on."""
    earlier = _EARLIER.get(output[2:6])
    # The earlier form has nothing after the report, which tells the two apart for SGX's zeros.
    if earlier is not None and len(output) == 6 + 1 + _FMSPC_BYTES + earlier.value[1]:
        return earlier, output[6:]
    present = _PRESENT.get(int.from_bytes(output[2:4]))
    if present is None:
        raise _malformed("it names no report that is known")
    return present, output[4:]


def _advisories(data: bytes) -> tuple[str, ...]:
    if not data:
        return ()
    try:
        (found,) = decode(["string[]"], data)
        canonical = encode(["string[]"], [found])
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise _malformed("its advisories are none") from error
    if canonical != data:
        raise _malformed("its advisories are not in their one encoding")
    return tuple(str(item) for item in found)


def _malformed(what: str) -> EvidenceRejected:
    return EvidenceRejected(
        Reason.RECEIPT_MALFORMED, f"this is no journal of Automata's guest to rely on: {what}"
    )
