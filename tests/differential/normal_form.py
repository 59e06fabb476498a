"""
The same evidence, rewritten in everything nobody signed.

The peer does not read the root a chain ends with, the PCK CRL's issuer chain, what surrounds PEM
blocks, and what surrounds the parts of the signature data. Evidence that we refuse for one of
these must be acceptable, with the same claims, once it is written properly; that is a proof that
nothing else is the matter.
"""

from __future__ import annotations

import json
import re
import struct
import warnings
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import replace
from typing import Final

from cryptography import x509

from tests.differential.facts import Facts
from tests.differential.judges import Case

__all__ = ["normal_form"]

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_CHAINS: Final = ("tcb_info_issuer_chain", "qe_identity_issuer_chain")
_PCK_CHAIN: Final = "pck_certificate_chain"


def normal_form(case: Case) -> Case:
    """`case`, its container and chains written anew; the case itself where that fails."""
    facts = Facts(case)
    try:
        certificates = _certificates(str(facts.parts.get(_PCK_CHAIN) or "").encode())
        certificates = certificates or _certificates(facts.certification_data)
        leaf, authority = certificates[0], _issuer(certificates)
        parts = {**facts.parts, "pck_crl_issuer_chain": _armoured(authority, case.root_der)}
        for name in _CHAINS:
            signer = _certificates(facts.parts[name].encode())[0]
            parts[name] = _armoured(signer, case.root_der)
    except (
        *(KeyError, IndexError, ValueError, AttributeError, Base64Error),
        x509.InvalidVersion,
    ):
        return case
    parts.pop(_PCK_CHAIN, None)
    chain = _armoured(leaf, authority, case.root_der).encode()
    return replace(case, quote=_quote(facts, chain), collateral=json.dumps(parts))


def _certificates(text: bytes) -> list[bytes]:
    return [a2b_base64(b"".join(block.split())) for block in _PEM.findall(text)]


def _issuer(certificates: list[bytes]) -> bytes:
    """The leaf's issuer wherever it stands, as the peer searches for it; else the second one."""
    leaf, *others = certificates
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = x509.load_der_x509_certificate(leaf).issuer
        for other in others:
            if x509.load_der_x509_certificate(other).subject == name:
                return other
    return others[0]


def _armoured(*certificates: bytes) -> str:
    return "".join(
        f"-----BEGIN CERTIFICATE-----\n{b64encode(each).decode()}\n-----END CERTIFICATE-----\n"
        for each in certificates
    )


def _quote(facts: Facts, chain: bytes) -> bytes:
    """Version, body, signatures and authentication data as they are; the rest as it should be."""
    signed, signature, enclave = facts.signed_bytes, facts.signature, facts.enclave_part
    inner = enclave + struct.pack("<HI", 5, len(chain)) + chain
    if facts.version != 3:
        inner = struct.pack("<HI", 6, len(inner)) + inner
    data = signature + inner
    return signed + struct.pack("<I", len(data)) + data
