"""
Verdicts, and the one encoding every way of reaching one shares (docs/formats.md, "Journal").

The encoding is Solidity's `abi.encode(Verdict)`, so a contract decodes it without code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypedDict

from quotary._keccak import keccak256
from quotary.errors import ParseError, Reason
from quotary.tcb import TcbStatus, TeeType

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "JOURNAL_VERSION",
    "MAX_JOURNAL_BYTES",
    "MAX_TIME",
    "MEASUREMENT_BYTES",
    "Unhashed",
    "Verdict",
    "VerdictFields",
    "measurement_id",
]

JOURNAL_VERSION: Final = 1
MAX_JOURNAL_BYTES: Final = 16 * 1024
"""Far above any genuine verdict (about 1.6 kB with twenty advisories); bounds what is decoded."""
MAX_TIME: Final = 253_402_300_799
"""The last second of the year 9999, the last one RFC 3339 and X.509 can write."""

_WORD: Final = 32
_HEAD_WORDS: Final = 24
_ADVISORIES_OFFSET: Final = _HEAD_WORDS * _WORD
_STATUSES: Final = {status.code: status for status in TcbStatus if status != TcbStatus.REVOKED}
_COLLATERAL_ITEMS: Final = 6


_TEE_TYPES: Final = {int(tee_type): tee_type for tee_type in TeeType}

MEASUREMENT_BYTES: Final = {TeeType.SGX: 304, TeeType.TDX: 448}
"""How long a measurement is: the part of the report that says which code runs, and how."""


def measurement_id(tee_type: TeeType, measurement: bytes) -> bytes:
    """Return the one hash a measurement is admitted under."""
    return keccak256(bytes([tee_type]) + measurement)


class Unhashed(bytes):
    """Bytes whose Keccak-256 is meant, computed when somebody asks for it."""

    __slots__ = ()


class _KeccakField:
    """A field that is given as a digest or as `Unhashed`, and read as a digest."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> bytes:
        if instance is None:
            raise AttributeError(self._name)  # tells `dataclass` that there is no default
        fields = vars(instance)
        value: bytes | Unhashed = fields[self._name]
        if isinstance(value, Unhashed):
            value = fields[self._name] = keccak256(value)
        return value

    def __set__(self, instance: object, value: bytes | Unhashed) -> None:
        vars(instance)[self._name] = value


class VerdictFields(TypedDict):
    """What `Verdict` is made of: its fields, of which one may still have to be hashed."""

    tee_type: TeeType
    tcb_status: TcbStatus
    verified_at: int
    valid_from: int
    valid_until: int
    tcb_date: int
    tcb_evaluation_data_number: int
    fmspc: bytes
    quote_hash: bytes
    attestation_key_id: bytes
    root_key_hash: bytes
    collateral_hashes: tuple[bytes, ...]
    advisories: tuple[str, ...]
    measurement: bytes
    report_data: bytes
    platform_id: bytes | Unhashed


@dataclass(frozen=True, init=False)
class Verdict:
    """
    What evidence proves. It exists only for evidence that passed every check.

    Times are Unix seconds. A verdict speaks of the time `verified_at`; what it says holds at most
    until `valid_until`, inclusive.
    """

    tee_type: TeeType
    tcb_status: TcbStatus
    verified_at: int
    valid_from: int
    valid_until: int
    tcb_date: int
    tcb_evaluation_data_number: int
    fmspc: bytes
    quote_hash: bytes
    attestation_key_id: bytes
    root_key_hash: bytes
    collateral_hashes: tuple[bytes, ...]
    advisories: tuple[str, ...]
    measurement: bytes
    report_data: bytes
    platform_id: _KeccakField = _KeccakField()

    def __init__(self, **fields: Unpack[VerdictFields]) -> None:
        """State what was proven; raises `TypeError` unless every field is given, by its name."""
        if fields.keys() != VerdictFields.__annotations__.keys():
            raise TypeError(f"a verdict has the fields {', '.join(VerdictFields.__annotations__)}")
        vars(self).update(fields)

    @classmethod
    def of(cls, fields: VerdictFields) -> Verdict:
        """State the same out of a dictionary, in half the time that a call with names takes."""
        verdict = object.__new__(cls)
        verdict.__dict__.update(fields)
        return verdict

    @property
    def measurement_id(self) -> bytes:
        """The hash the registry knows this measurement by."""
        return measurement_id(self.tee_type, self.measurement)

    @property
    def advisories_hash(self) -> bytes:
        """Keccak-256 of the concatenated advisory words."""
        return keccak256(b"".join(map(_advisory_word, self.advisories)))

    @property
    def journal_digest(self) -> bytes:
        """SHA-256 of the journal: what receipts and committees sign."""
        return sha256(self.journal()).digest()

    def journal(self) -> bytes:
        """Return the canonical encoding, `abi.encode(Verdict)`."""
        advisories = b"".join(map(_advisory_word, self.advisories))
        measurement_offset = _ADVISORIES_OFFSET + _WORD + len(advisories)
        report_data_offset = measurement_offset + _WORD + _padded(len(self.measurement))
        return b"".join(
            (
                _number(_WORD),
                _number(JOURNAL_VERSION),
                _number(self.tee_type),
                _number(self.tcb_status.code),
                _number(self.verified_at),
                _number(self.valid_from),
                _number(self.valid_until),
                _number(self.tcb_date),
                _number(self.tcb_evaluation_data_number),
                self.fmspc.ljust(_WORD, b"\0"),
                self.quote_hash,
                self.measurement_id,
                self.platform_id,
                self.attestation_key_id,
                self.root_key_hash,
                *self.collateral_hashes,
                keccak256(advisories),
                _number(_ADVISORIES_OFFSET),
                _number(measurement_offset),
                _number(report_data_offset),
                _number(len(self.advisories)),
                advisories,
                _dynamic(self.measurement),
                _dynamic(self.report_data),
            )
        )

    @classmethod
    def from_journal(cls, journal: bytes) -> Verdict:
        """
        Decode a journal; raises `ParseError` unless it is the canonical encoding of a verdict.

        Warning: decoding proves nothing. Who signed or proved the journal's digest does.
        """
        if len(journal) > MAX_JOURNAL_BYTES:
            raise ParseError(
                Reason.INPUT_TOO_LARGE,
                "journal",
                expected=f"at most {MAX_JOURNAL_BYTES} bytes",
                found=str(len(journal)),
            )
        verdict = _decode(journal)
        if verdict.journal() != journal:
            raise _invalid("journal", "the canonical encoding")
        return verdict

    def to_json(self) -> dict[str, object]:
        """Return the verdict as JSON values: bytes as hex, times as RFC 3339."""
        return {
            "tee_type": self.tee_type.name,
            "tcb_status": self.tcb_status.value,
            "advisories": list(self.advisories),
            "verified_at": _rfc3339(self.verified_at),
            "valid_from": _rfc3339(self.valid_from),
            "valid_until": _rfc3339(self.valid_until),
            "tcb_date": _rfc3339(self.tcb_date),
            "tcb_evaluation_data_number": self.tcb_evaluation_data_number,
            "fmspc": self.fmspc.hex(),
            "quote_hash": self.quote_hash.hex(),
            "measurement_id": self.measurement_id.hex(),
            "platform_id": self.platform_id.hex(),
            "attestation_key_id": self.attestation_key_id.hex(),
            "root_key_hash": self.root_key_hash.hex(),
            "collateral_hashes": [item.hex() for item in self.collateral_hashes],
            "measurement": _measurement_fields(self.tee_type, self.measurement),
            "report_data": self.report_data.hex(),
            "journal_digest": self.journal_digest.hex(),
        }


_SGX_FIELDS: Final = {
    "misc_select": (0, 4),
    "isv_ext_prod_id": (16, 32),
    "attributes": (32, 48),
    "mr_enclave": (48, 80),
    "mr_signer": (112, 144),
    "config_id": (176, 240),
    "isv_prod_id": (240, 242),
    "isv_svn": (242, 244),
    "config_svn": (244, 246),
    "isv_family_id": (288, 304),
}
_TDX_FIELDS: Final = {
    "td_attributes": (0, 8),
    "xfam": (8, 16),
    "mr_td": (16, 64),
    "mr_config_id": (64, 112),
    "mr_owner": (112, 160),
    "mr_owner_config": (160, 208),
    "rtmr0": (208, 256),
    "rtmr1": (256, 304),
    "rtmr2": (304, 352),
    "rtmr3": (352, 400),
    "mr_service_td": (400, 448),
}
_SVN_FIELDS: Final = frozenset({"isv_prod_id", "isv_svn", "config_svn"})


def _measurement_fields(tee_type: TeeType, measurement: bytes) -> dict[str, object]:
    fields = _SGX_FIELDS if tee_type == TeeType.SGX else _TDX_FIELDS
    return {
        name: int.from_bytes(measurement[start:end], "little")
        if name in _SVN_FIELDS
        else measurement[start:end].hex()
        for name, (start, end) in fields.items()
    }


def _decode(journal: bytes) -> Verdict:
    words = [journal[i : i + _WORD] for i in range(0, len(journal), _WORD)]
    if len(words) < _HEAD_WORDS + 4 or len(words[-1]) != _WORD:
        raise _invalid("length", f"whole words, at least {_HEAD_WORDS + 4}")
    head = words[1 : _HEAD_WORDS + 1]
    if int.from_bytes(head[0]) != JOURNAL_VERSION:
        raise _invalid("version", str(JOURNAL_VERSION))
    tee_type = _TEE_TYPES.get(int.from_bytes(head[1]))
    status_code = int.from_bytes(head[2])
    if tee_type is None:
        raise _invalid("teeType", "1 or 2")
    if status_code not in _STATUSES:
        raise _invalid("tcbStatus", "1 to 8")
    advisories, position = _decode_advisories(words)
    measurement, position = _decode_bytes(words, position, MEASUREMENT_BYTES[tee_type])
    report_data, _ = _decode_bytes(words, position, 64)
    return Verdict(
        tee_type=tee_type,
        tcb_status=_STATUSES[status_code],
        verified_at=_bounded(head[3], MAX_TIME),
        valid_from=_bounded(head[4], MAX_TIME),
        valid_until=_bounded(head[5], MAX_TIME),
        tcb_date=_bounded(head[6], MAX_TIME),
        tcb_evaluation_data_number=_bounded(head[7], 0xFFFFFFFF),
        fmspc=head[8][:6],
        quote_hash=head[9],
        platform_id=head[11],
        attestation_key_id=head[12],
        root_key_hash=head[13],
        collateral_hashes=tuple(head[14 : 14 + _COLLATERAL_ITEMS]),
        advisories=advisories,
        measurement=measurement,
        report_data=report_data,
    )


def _decode_advisories(words: list[bytes]) -> tuple[tuple[str, ...], int]:
    start = _HEAD_WORDS + 1
    count = int.from_bytes(words[start])
    if count > len(words):
        raise _invalid("advisories", "a count that fits the journal")
    position = start + 1 + count
    advisories = []
    for word in words[start + 1 : position]:
        text = word.rstrip(b"\0")
        if not text.isascii():
            raise _invalid("advisories", "ASCII ids")
        advisories.append(text.decode("ascii"))
    return tuple(advisories), position


def _decode_bytes(words: list[bytes], position: int, length: int) -> tuple[bytes, int]:
    end = position + 1 + _padded(length) // _WORD
    if end > len(words) or int.from_bytes(words[position]) != length:
        raise _invalid("bytes", f"{length} bytes")
    return b"".join(words[position + 1 : end])[:length], end


def _bounded(word: bytes, limit: int) -> int:
    value = int.from_bytes(word)
    if value > limit:
        raise _invalid("number", f"at most {limit}")
    return value


def _invalid(item: str, expected: str) -> ParseError:
    return ParseError(Reason.JOURNAL_INVALID, item, expected=expected)


def _advisory_word(advisory: str) -> bytes:
    return advisory.encode("ascii").ljust(_WORD, b"\0")


def _number(value: int) -> bytes:
    return value.to_bytes(_WORD)


def _padded(length: int) -> int:
    return -(-length // _WORD) * _WORD


def _dynamic(data: bytes) -> bytes:
    return _number(len(data)) + data.ljust(_padded(len(data)), b"\0")


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
