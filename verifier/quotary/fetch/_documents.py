"""
The PCS version 4 protocol: what to ask for, and what the answers mean.

Pure functions over values. Clauses are those of Intel's PCS API version 4; where a PCCS answers
otherwise, or in an older spelling, the answer is accepted in either form.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote as url_quote
from urllib.parse import unquote_to_bytes, urlencode

from quotary.collateral import QeIdentity, TcbInfo, unwrap_signed
from quotary.errors import CollateralError, Reason
from quotary.fetch._exchange import Request, Response
from quotary.fetch.errors import FetchError
from quotary.fetch.settings import CollateralService
from quotary.fetch.targets import PckCa, PckRequest
from quotary.tcb import TeeType
from quotary.x509 import Certificate, PckIdentity, split_pem

__all__ = [
    "PckCrl",
    "SignedDocument",
    "ask",
    "ask_pck_certificate",
    "ask_pck_crl",
    "ask_qe_identity",
    "ask_root_ca_crl",
    "ask_tcb_info",
    "issuer_chain_of",
    "read_pck_chain",
    "read_pck_crl",
    "read_qe_identity",
    "read_root_ca_crl",
    "read_tcb_info",
]

_TCB_CHAINS: Final = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
_QE_CHAINS: Final = ("SGX-Enclave-Identity-Issuer-Chain",)
_CRL_CHAINS: Final = ("SGX-PCK-CRL-Issuer-Chain",)
_PCK_CHAINS: Final = ("SGX-PCK-Certificate-Issuer-Chain",)
_TCBM: Final = "sgx-tcbm"
_SUBSCRIPTION_KEY: Final = "Ocp-Apim-Subscription-Key"
_DER_SEQUENCE: Final = b"\x30"
_PEM_CRL: Final = re.compile(
    rb"\s*-----BEGIN X509 CRL-----\s([A-Za-z0-9+/=\s]+)-----END X509 CRL-----\s*"
)
_HEX_TEXT: Final = re.compile(rb"(?:[0-9a-fA-F]{2})++")


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """
    TCB info, QE identity or a list of TCB evaluations.

    The bytes Intel signed, the signature r ‖ s, and the signer's chain, PEM.
    """

    document: bytes
    signature: bytes
    issuer_chain: bytes


@dataclass(frozen=True, slots=True)
class PckCrl:
    """The revocation list of a PCK CA, DER, and the chain of that CA."""

    crl: bytes
    issuer_chain: bytes


def ask_tcb_info(service: CollateralService, tee_type: TeeType, fmspc: bytes) -> Request:
    """GET /{sgx|tdx}/certification/v4/tcb."""
    query = (("fmspc", fmspc.hex().upper()), service.channel.query)
    path = f"{tee_type.name.lower()}/certification/v4/tcb"
    return ask(service, "TCB info", path, query, service.limits.json_bytes)


def ask_qe_identity(service: CollateralService, tee_type: TeeType) -> Request:
    """GET /{sgx|tdx}/certification/v4/qe/identity."""
    path = f"{tee_type.name.lower()}/certification/v4/qe/identity"
    return ask(service, "QE identity", path, (service.channel.query,), service.limits.json_bytes)


def ask_pck_crl(service: CollateralService, ca: PckCa) -> Request:
    """GET /sgx/certification/v4/pckcrl."""
    query = (("ca", ca.value), ("encoding", "der"))
    path = "sgx/certification/v4/pckcrl"
    return ask(service, "PCK CRL", path, query, service.limits.crl_bytes)


def ask_root_ca_crl(service: CollateralService) -> Request:
    """GET the root's distribution point, or /sgx/certification/v4/rootcacrl of a PCCS."""
    item, limit = "root CA CRL", service.limits.crl_bytes
    if service.root_crl_url is not None:
        return Request(item, service.root_crl_url, limit)
    return ask(service, item, "sgx/certification/v4/rootcacrl", (), limit)


def ask_pck_certificate(service: CollateralService, wanted: PckRequest) -> Request:
    """GET /sgx/certification/v4/pckcert for the platform with this encrypted PPID."""
    query = (
        ("qeid", wanted.qe_id.hex()),
        ("encrypted_ppid", wanted.encrypted_ppid.hex()),
        ("cpusvn", wanted.cpu_svn.hex()),
        ("pcesvn", wanted.pce_svn.hex()),
        ("pceid", wanted.pce_id.hex()),
    )
    path = "sgx/certification/v4/pckcert"
    return ask(service, "PCK certificate", path, query, service.limits.certificate_bytes)


def read_tcb_info(
    service: CollateralService, tee_type: TeeType, fmspc: bytes, response: Response
) -> SignedDocument:
    """
    Take the TCB info apart and see that it is the one asked for.

    Raises `FetchError`, `ParseError`, or `CollateralError` for another platform's document.
    """
    signed = _signed(response, "tcbInfo", _TCB_CHAINS)
    info = TcbInfo.parse(signed.document)
    if info.fmspc != fmspc:
        raise CollateralError(
            Reason.FMSPC_MISMATCH, "TCB info", expected=fmspc.hex(), found=info.fmspc.hex()
        )
    _require_type("TCB info", tee_type, info.tee_type)
    _require_number("TCB info", service, info.evaluation_number)
    return signed


def read_qe_identity(
    service: CollateralService, tee_type: TeeType, response: Response
) -> SignedDocument:
    """Take the QE identity apart and see that it is the one asked for. Raises as TCB info does."""
    signed = _signed(response, "enclaveIdentity", _QE_CHAINS)
    identity = QeIdentity.parse(signed.document)
    _require_type("QE identity", tee_type, identity.tee_type)
    _require_number("QE identity", service, identity.evaluation_number)
    return signed


def read_pck_crl(response: Response) -> PckCrl:
    """Return the list, which may come as DER, PEM or hex text, and its issuer's chain."""
    chain = issuer_chain_of(response, "PCK CRL", _CRL_CHAINS)
    return PckCrl(_crl_der(response.body, "PCK CRL"), chain)


def read_root_ca_crl(response: Response) -> bytes:
    """Return the root's list as DER; a PCCS sends it as hex text."""
    return _crl_der(response.body, "root CA CRL")


def read_pck_chain(response: Response) -> bytes:
    """
    Return the PCK certificate with the authorities above it, PEM, leaf first.

    The leaf must be of the TCB the service says it is of (SGX-TCBm: CPUSVN, then PCESVN). Raises
    `FetchError` or `ParseError`.
    """
    item = "PCK certificate"
    issuers = issuer_chain_of(response, item, _PCK_CHAINS)
    chain = response.body.rstrip(b"\0 \t\r\n") + b"\n" + issuers
    leaf = Certificate.parse(split_pem(chain, item, 3)[0], item)
    pck = PckIdentity.parse(leaf.sgx_extension or b"")
    stated = response.headers.get(_TCBM)
    actual = (pck.cpu_svn + pck.pce_svn.to_bytes(2, "little")).hex()
    if stated is not None and stated.strip().lower() != actual:
        raise _invalid(item, f"a certificate of TCB {ascii(stated)[:60]}", actual)
    return chain


def ask(
    service: CollateralService,
    item: str,
    path: str,
    query: tuple[tuple[str, str], ...],
    max_bytes: int,
) -> Request:
    """Return the request for a document below the service's own address."""
    url = f"{service.base_url.rstrip('/')}/{path}"
    if query:
        url += "?" + urlencode(query, quote_via=url_quote)
    headers = () if service.api_key is None else ((_SUBSCRIPTION_KEY, service.api_key),)
    return Request(item, url, max_bytes, headers)


def _signed(response: Response, wrapper: str, chain_headers: tuple[str, ...]) -> SignedDocument:
    chain = issuer_chain_of(response, wrapper, chain_headers)
    document, signature = unwrap_signed(response.body, wrapper)
    return SignedDocument(document, signature, chain)


def issuer_chain_of(response: Response, item: str, names: tuple[str, ...]) -> bytes:
    """Return the URL-encoded PEM of the first of the headers `names` there is, decoded."""
    for name in names:
        value = response.headers.get(name.lower())
        if value:
            chain = unquote_to_bytes(value).replace(b"\r\n", b"\n")
            split_pem(chain, f"issuer chain of {item}", 2)
            return chain
    raise _invalid(item, f"the header {' or '.join(names)}", "none")


def _crl_der(body: bytes, item: str) -> bytes:
    if body.startswith(_DER_SEQUENCE):
        return body
    text = body.strip()
    if _HEX_TEXT.fullmatch(text):
        return bytes.fromhex(text.decode("ascii"))
    if match := _PEM_CRL.fullmatch(body):
        return _base64(match[1], item)
    raise _invalid(item, "a revocation list in DER, PEM or hex", ascii(bytes(body[:24])))


def _base64(text: bytes, item: str) -> bytes:
    try:
        return b64decode(b"".join(text.split()), validate=True)
    except Base64Error as error:
        raise _invalid(item, "base64 inside PEM", "other characters") from error


def _require_type(item: str, expected: TeeType, found: TeeType) -> None:
    if found is not expected:
        raise CollateralError(
            Reason.COLLATERAL_TYPE_MISMATCH, item, expected=expected.name, found=found.name
        )


def _require_number(item: str, service: CollateralService, found: int) -> None:
    expected = service.channel.evaluation_number
    if expected is not None and found != expected:
        raise CollateralError(
            Reason.COLLATERAL_INCONSISTENT,
            item,
            expected=f"TCB evaluation {expected}",
            found=str(found),
        )


def _invalid(item: str, expected: str, found: str) -> FetchError:
    return FetchError(Reason.FETCH_ANSWER_INVALID, item, expected=expected, found=found)
