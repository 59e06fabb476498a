"""Receipts as files: a journal, who ran, and the seal that proves it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from quotary import ParseError, Verdict

from quotary_bridge.errors import EvidenceRejected, Reason
from quotary_bridge.zk.claim import claim_digest
from quotary_bridge.zk.risc_zero import RELEASES, SELECTOR_BYTES, Release, require_receipt
from quotary_bridge.zk.structs import DIGEST_BYTES
from quotary_bridge.zk.stub import STUB_SELECTOR

__all__ = ["MAX_RECEIPT_BYTES", "Receipt"]

MAX_RECEIPT_BYTES: Final = 1 << 18
"""A journal of at most some tens of kilobytes in hex, and a seal of 260 bytes."""
_FORMAT: Final = "quotary-receipt"
_VERSION: Final = 1
_FIELDS: Final = ("image_id", "journal", "seal")
_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What a prover gives for a job: anybody can check it, nobody needs to trust the prover.

    Warning: a receipt proves that the guest `image_id` wrote `journal`. Whether that guest is the
    one you mean is yours to compare.
    """

    image_id: bytes
    journal: bytes
    seal: bytes

    @property
    def journal_digest(self) -> bytes:
        """SHA-256 of the journal."""
        return sha256(self.journal).digest()

    @property
    def claim_digest(self) -> bytes:
        """What the seal proves: the guest halted well and wrote the journal."""
        return claim_digest(self.image_id, self.journal_digest)

    @property
    def selector(self) -> bytes:
        """The seal's first four bytes."""
        return self.seal[:SELECTOR_BYTES]

    @property
    def is_stub(self) -> bool:
        """Whether the seal is a mock one, which proves nothing."""
        return self.selector == STUB_SELECTOR

    def verify(self, releases: Iterable[Release] = RELEASES) -> Release:
        """
        Return the release that the seal was made with; raises `EvidenceRejected`.

        A mock seal is refused with `SEAL_SELECTOR_UNKNOWN`: it proves nothing.
        """
        return require_receipt(self.seal, self.image_id, self.journal_digest, releases)

    def verdict(self) -> Verdict:
        """Return the journal as the verdict it is; raises `ParseError`. Proves nothing."""
        return Verdict.from_journal(self.journal)

    def to_json(self) -> str:
        """Return the file's text."""
        values = {name: f"0x{getattr(self, name).hex()}" for name in _FIELDS}
        document = {"format": _FORMAT, "version": _VERSION, **values}
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> Receipt:
        """Read what `to_json` wrote; raises `EvidenceRejected` (`RECEIPT_MALFORMED`)."""
        document = _document(text)
        values = {}
        for name in _FIELDS:
            value = document.get(name)
            if not isinstance(value, str) or not _HEX.fullmatch(value):
                raise _malformed(f"{name} is not 0x and hex digits")
            values[name] = bytes.fromhex(value[2:])
        receipt = cls(**values)
        if len(receipt.image_id) != DIGEST_BYTES:
            raise _malformed(f"an image id of {len(receipt.image_id)} bytes")
        try:
            receipt.verdict()
        except ParseError as error:
            raise _malformed(f"its journal is none: {error}") from error
        return receipt


def _document(text: bytes | str) -> dict[str, Any]:
    if len(text) > MAX_RECEIPT_BYTES:
        raise _malformed(f"longer than {MAX_RECEIPT_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is no JSON") from error
    if not isinstance(document, dict):
        raise _malformed("it is no JSON object")
    if (document.get("format"), document.get("version")) != (_FORMAT, _VERSION):
        raise _malformed(f"it does not say that it is {_FORMAT} version {_VERSION}")
    unknown = set(document) - {"format", "version", *_FIELDS}
    if unknown:
        raise _malformed(f"unknown fields: {', '.join(ascii(name) for name in sorted(unknown))}")
    return document


def _malformed(what: str) -> EvidenceRejected:
    return EvidenceRejected(
        Reason.RECEIPT_MALFORMED,
        f"the receipt is malformed: {what}",
        "give the file that `quotary zk prove` wrote",
    )
