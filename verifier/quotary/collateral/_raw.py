"""Collateral as it is stored and sent: nine texts in one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from quotary.collateral._json import member_slices, parse_object
from quotary.errors import CollateralError, ParseError, Reason

__all__ = ["MAX_COLLATERAL_BYTES", "RawCollateral", "unwrap_signed"]

MAX_COLLATERAL_BYTES: Final = 4 * 1024 * 1024
"""Two revocation lists at their bound, in hex, are the most that can be."""

_SIGNATURE_BYTES: Final = 64
_CRLS: Final = frozenset({"root_ca_crl", "pck_crl"})
_KEYS: Final = (
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "tcb_info",
    "tcb_info_signature",
    "qe_identity_issuer_chain",
    "qe_identity",
    "qe_identity_signature",
    "pck_certificate_chain",
)
_OPTIONAL: Final = frozenset({"pck_certificate_chain"})
_WRAPPERS: Final = {"tcb_info": "tcbInfo", "qe_identity": "enclaveIdentity"}


@dataclass(frozen=True, slots=True)
class RawCollateral:
    """
    Collateral nobody has checked: see `quotary.trust.Collateral`.

    Chains are PEM, revocation lists DER, signatures r ‖ s; `tcb_info` and `qe_identity` are the
    very bytes Intel signed. `pck_certificate_chain` serves quotes that do not carry their own.
    """

    pck_crl_issuer_chain: bytes
    root_ca_crl: bytes
    pck_crl: bytes
    tcb_info_issuer_chain: bytes
    tcb_info: bytes
    tcb_info_signature: bytes
    qe_identity_issuer_chain: bytes
    qe_identity: bytes
    qe_identity_signature: bytes
    pck_certificate_chain: bytes | None = None

    @classmethod
    def from_json(cls, data: bytes | str) -> RawCollateral:
        """
        Parse the JSON form: PEM chains, revocation lists in hex, signed objects as texts.

        A signed object may stand alone, its signature beside it, or in the wrapped form the PCS
        answers with, its signature inside. Raises `ParseError` or, for what is missing,
        `CollateralError`.
        """
        values = _texts(data)
        for name, wrapper in _WRAPPERS.items():
            signature_name = f"{name}_signature"
            if name in values and signature_name not in values:
                values[name], values[signature_name] = _unwrap(values[name], wrapper, name)
        for name in _KEYS:
            if name not in values and name not in _OPTIONAL:
                reason = Reason.CRL_MISSING if name in _CRLS else Reason.COLLATERAL_INCOMPLETE
                raise CollateralError(reason, name, expected="to be part of the collateral")
        return cls(**{name: _octets(name, text) for name, text in values.items()})

    def to_json(self) -> str:
        """Return the JSON form, which `from_json` reads back."""
        values = {}
        for name in _KEYS:
            value = getattr(self, name)
            if value is None:
                continue
            is_hex = name in _CRLS or name.endswith("_signature")
            values[name] = value.hex() if is_hex else value.decode("utf-8")
        return json.dumps(values, indent=1)


def unwrap_signed(body: bytes, wrapper: str) -> tuple[bytes, bytes]:
    """
    Take apart a PCS answer `{"<wrapper>": {…}, "signature": "<hex>"}`.

    Returns the signed object's bytes exactly as they were sent, and the signature, r ‖ s. Raises
    `ParseError`.
    """
    text = _decode(body, wrapper)
    document, signature = _unwrap(text, wrapper, wrapper)
    return document.encode("utf-8"), _octets(f"{wrapper}_signature", signature)


def _texts(data: bytes | str) -> dict[str, str]:
    item = "collateral"
    if len(data) > MAX_COLLATERAL_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            item,
            expected=f"at most {MAX_COLLATERAL_BYTES} bytes",
            found=str(len(data)),
        )
    members = parse_object(data if isinstance(data, str) else _decode(data, item), item)
    for name, value in members.items():
        if name not in _KEYS:
            raise ParseError(
                Reason.SCHEMA_UNKNOWN_FIELD,
                item,
                expected="known fields only",
                found=ascii(name)[:80],
            )
        if value is not None and not isinstance(value, str):
            raise ParseError(Reason.COLLATERAL_FORMAT_INVALID, name, expected="a text")
    return {name: value for name, value in members.items() if value}


def _unwrap(text: str, wrapper: str, item: str) -> tuple[str, str]:
    members = member_slices(text, item)
    if set(members) != {wrapper, "signature"}:
        raise CollateralError(
            Reason.COLLATERAL_INCOMPLETE, item, expected=f"{wrapper} and its signature"
        )
    signature: Any = json.loads(members["signature"])
    if not isinstance(signature, str):
        raise ParseError(Reason.COLLATERAL_FORMAT_INVALID, item, expected="a signature in hex")
    return members[wrapper], signature


def _octets(name: str, text: str) -> bytes:
    if name in _CRLS or name.endswith("_signature"):
        try:
            octets = bytes.fromhex(text)
        except ValueError as error:
            raise ParseError(Reason.COLLATERAL_FORMAT_INVALID, name, expected="hex") from error
        if name not in _CRLS and len(octets) != _SIGNATURE_BYTES:
            raise ParseError(
                Reason.SIGNATURE_INVALID, name, expected="64 bytes", found=str(len(octets))
            )
        return octets
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ParseError(Reason.COLLATERAL_FORMAT_INVALID, name, expected="UTF-8") from error


def _decode(data: bytes, item: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="UTF-8") from error
