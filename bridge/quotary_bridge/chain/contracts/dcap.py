"""DCAP on chain: the store of Intel's collateral, and the verifier with the links it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import ClassVar, Self

from eth_utils.crypto import keccak
from quotary import TeeType

from quotary_bridge.chain.contracts.base import Contract, address_of
from quotary_bridge.chain.contracts.long_list import LongList
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.errors import ContractError, Reason, RpcUnavailable
from quotary_bridge.model import Address, Bytes32

__all__ = [
    "Authority",
    "CollateralStore",
    "DcapVerifier",
    "KeptKey",
    "KeptPlatform",
    "Reevaluation",
    "StoredDocument",
    "StoredList",
]

ROOT_ISSUER = 0
"""The issuer number of the root's revocation list."""

_PLATFORM_BYTES = 155
_LIST_HEAD_BYTES = 44


class Authority(IntEnum):
    """Who issues PCK certificates."""

    PLATFORM = 1
    PROCESSOR = 2


@dataclass(frozen=True, slots=True)
class StoredList:
    """A revocation list in force; `id` is SHA-256 of its signed bytes, times are Unix seconds."""

    this_update: int
    next_update: int
    id: bytes
    serials: frozenset[int]

    @classmethod
    def unpack(cls, data: bytes, code_of: Callable[[Address], bytes]) -> Self:
        """
        Read the form that `CrlLib` packs; raises `RpcUnavailable`.

        Of a long list it names the accounts whose code, which `code_of` returns, has its numbers.
        """
        fields = _Fields(data)
        this_update, next_update, identity = fields.number(5), fields.number(5), fields.take(32)
        count = fields.number(2)
        if (len(data) - _LIST_HEAD_BYTES) % 20:
            numbers = b""
            for _ in range((len(data) - _LIST_HEAD_BYTES) // 40):
                fields.take(20)  # the first of the part
                numbers += code_of(address_of("0x" + fields.take(20).hex()))[1:]
            fields = _Fields(numbers)
        return cls(
            this_update, next_update, identity, frozenset(fields.number(20) for _ in range(count))
        )


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A TCB info or QE identity in force; `id` is SHA-256 of its bytes, times are Unix seconds."""

    issue_date: int
    next_update: int
    evaluation_number: int
    id: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read the head that `DocumentLib` describes; raises `RpcUnavailable`."""
        fields = _Fields(data)
        issue_date, next_update, evaluation = fields.number(5), fields.number(5), fields.number(4)
        fields.take(1 + 6 + 2)  # TEE type, FMSPC and PCE id, which the document was asked for by
        return cls(issue_date, next_update, evaluation, fields.take(32))


@dataclass(frozen=True, slots=True)
class KeptPlatform:
    """
    What is kept of a platform whose PCK certificate was proven; times are Unix seconds.

    `components` are the 16 SGX TCB components of the certificate, and `epoch` says under which key
    of its authority it was proven.
    """

    platform_id: Bytes32
    components: tuple[int, ...]
    pce_svn: int
    pce_id: bytes
    fmspc: bytes
    authority: Authority
    epoch: int
    serial: int
    not_before: int
    not_after: int

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read the form that `PlatformRecord` packs; raises `RpcUnavailable`."""
        fields = _Fields(data)
        return cls(
            platform_id=Bytes32(fields.take(32)),
            components=tuple(fields.take(16)),
            pce_svn=fields.number(2),
            pce_id=fields.take(2),
            fmspc=fields.take(6),
            authority=Authority(fields.number(1)),
            epoch=fields.number(2),
            serial=fields.number(20),
            not_before=fields.number(5),
            not_after=fields.number(5),
        )


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What is kept of an attestation key: its platform, and the QE report that vouched for it."""

    platform: KeptPlatform
    key: bytes
    mr_signer: bytes
    isv_prod_id: int
    qe_svn: int

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read the form that `PlatformRecord` packs; raises `RpcUnavailable`."""
        fields = _Fields(data[_PLATFORM_BYTES:])
        key = fields.take(64)
        fields.take(4 + 16)  # MISCSELECT and ATTRIBUTES
        signer = fields.take(32)
        # The report's own byte order.
        product, svn = (int.from_bytes(fields.take(2), "little") for _ in range(2))
        return cls(KeptPlatform.unpack(data), key, signer, product, svn)


@dataclass(frozen=True, slots=True)
class Reevaluation:
    """What a kept link is worth under the collateral in force; times are Unix seconds."""

    tcb_status: int
    tcb_date: int
    valid_from: int
    valid_until: int


class CollateralStore(Contract):
    """Intel's collateral, proven down from one root certificate."""

    abi_name: ClassVar[str] = "CollateralStore"

    def root_certificate(self) -> Bytes32:
        """Return the Keccak-256 of the root certificate that is trusted, for ever."""
        return Bytes32(self.read("ROOT_CERTIFICATE"))

    def revocation_list(self, issuer: int, at: BlockTag = "latest") -> StoredList | None:
        """Return the list in force of the root (0) or of an authority."""
        data = self.read("revocationList", issuer, at=at)
        code_of = partial(self.chain.code, at=at)
        return StoredList.unpack(data, code_of) if data else None

    def tcb_info(
        self, tee: TeeType, fmspc: bytes, at: BlockTag = "latest"
    ) -> StoredDocument | None:
        """Return the TCB info of a platform family in force."""
        data = self.read("tcbInfo", int(tee), int.from_bytes(fmspc), at=at)
        return StoredDocument.unpack(data) if data else None

    def qe_identity(self, tee: TeeType, at: BlockTag = "latest") -> StoredDocument | None:
        """Return the QE identity in force."""
        data = self.read("qeIdentity", int(tee), at=at)
        return StoredDocument.unpack(data) if data else None

    def knows_signer(self, tbs_hash: bytes, at: BlockTag = "latest") -> bool:
        """Whether the TCB signer with this SHA-256 of its `tbsCertificate` was brought."""
        return bool(self.read("signerRecord", tbs_hash, at=at))

    def knows_authority(self, der: bytes, at: BlockTag = "latest") -> bool:
        """Whether this very certificate of a PCK CA is in force."""
        return bool(self.read("authorityOf", keccak(der), at=at))

    def authority_since(self, authority: Authority, at: BlockTag = "latest") -> int | None:
        """Return notBefore of an authority's certificate in force, None where there is none."""
        try:
            record = self.read("authorityRecord", int(authority), at=at)
        except ContractError:
            return None
        fields = _Fields(record)
        fields.take(64)  # the key
        return fields.number(5)

    def is_assembled(
        self, tee: TeeType, fmspc: bytes, authority: Authority, at: BlockTag = "latest"
    ) -> bool:
        """Whether a family's collateral is in one piece and current."""
        number = int.from_bytes(fmspc)
        return bool(self.read("isAssembled", int(tee), number, int(authority), at=at))

    def add_certificate(self, der: bytes) -> bytes:
        """Return call data; anybody may send it, as all that follow."""
        return self.encode("addCertificate", der)

    def put_revocation_list(self, der: bytes) -> bytes:
        """Return call data."""
        return self.encode("putRevocationList", der)

    def serials_at(self, serials: bytes, at: BlockTag = "latest") -> Address:
        """Return where this part of a long list is kept, or will be."""
        return address_of(self.read("keepSerials", serials, at=at))

    def keep_serials(self, serials: bytes) -> bytes:
        """Return call data."""
        return self.encode("keepSerials", serials)

    def put_long_revocation_list(self, long: LongList, accounts: Sequence[Address]) -> bytes:
        """Return call data; `accounts` are where the parts of `long` are."""
        return self.encode(
            "putLongRevocationList", (long.frame, long.cut, long.forms, long.order, list(accounts))
        )

    def put_tcb_info(self, document: bytes, signature: bytes, signer: bytes) -> bytes:
        """Return call data; `signer` is SHA-256 of the signer's `tbsCertificate`."""
        return self.encode("putTcbInfo", document, signature, signer)

    def put_qe_identity(self, document: bytes, signature: bytes, signer: bytes) -> bytes:
        """Return call data; `signer` is SHA-256 of the signer's `tbsCertificate`."""
        return self.encode("putQeIdentity", document, signature, signer)

    def assemble(self, tee: TeeType, fmspc: bytes, authority: Authority) -> bytes:
        """Return call data."""
        return self.encode("assemble", int(tee), int.from_bytes(fmspc), int(authority))


class DcapVerifier(Contract):
    """Verifies quotes against the store, and keeps what was proven."""

    abi_name: ClassVar[str] = "DcapVerifier"

    def store(self) -> Address:
        """Return where the collateral is."""
        return address_of(self.read("STORE"))

    def platform_of(self, certificate: bytes, at: BlockTag = "latest") -> KeptPlatform | None:
        """Return what is kept of the platform whose PCK certificate has this Keccak-256."""
        data = self.read("platformOf", certificate, at=at)
        return KeptPlatform.unpack(data) if data else None

    def attestation_key_of(self, key_id: bytes, at: BlockTag = "latest") -> KeptKey | None:
        """Return what is kept of an attestation key, its platform with it."""
        data = self.read("attestationKeyOf", key_id, at=at)
        return KeptKey.unpack(data) if data else None

    def reevaluate(
        self, key_id: bytes, tee: TeeType, svn: bytes, svn2: bytes, at: BlockTag = "latest"
    ) -> Reevaluation:
        """
        Return what a kept key is worth today; raises `ContractError` where it is worth nothing.

        `svn` is TEE_TCB_SVN of a TD's report and `svn2` its TEE_TCB_SVN2, 16 bytes, zero where the
        report has none.
        """
        return Reevaluation(*self.read("reevaluate", key_id, int(tee), svn, svn2, at=at))

    def refresh(self, key_id: bytes, tee: TeeType) -> bytes:
        """Return call data that remembers that a kept key's platform is not in the newest list."""
        return self.encode("refresh", key_id, int(tee))

    def prove(self, quote: bytes) -> bytes:
        """Return call data that verifies a raw quote and keeps its platform and attestation key."""
        return self.encode("prove", quote)


class _Fields:
    """Fields of a packed record, from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def take(self, length: int) -> bytes:
        if len(self._rest) < length:
            raise RpcUnavailable(
                Reason.RPC_BROKEN_ANSWER,
                f"a record of the chain ends {length - len(self._rest)} bytes early",
                "check that the contracts and this installation are of the same version",
            )
        field, self._rest = self._rest[:length], self._rest[length:]
        return field

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length))
