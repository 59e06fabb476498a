"""Answers as pure values: whatever a service sends, only our errors come out."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary.errors import QuotaryError
from quotary.fetch import CollateralService, PckCa, PlatformKey
from quotary.fetch import _documents as documents
from quotary.fetch._exchange import Response
from quotary.tcb import TeeType
from quotary_enclave.simulator import Platform, Simulator

Reader = Callable[[Response], object]
SERVICE = CollateralService()
HEADERS = (
    "tcb-info-issuer-chain",
    "sgx-enclave-identity-issuer-chain",
    "sgx-pck-crl-issuer-chain",
    "sgx-pck-certificate-issuer-chain",
)


def readers(key: PlatformKey) -> dict[str, Reader]:
    """Every function that reads an answer."""
    return {
        "tcb": lambda answer: documents.read_tcb_info(SERVICE, key.tee_type, key.fmspc, answer),
        "qe": lambda answer: documents.read_qe_identity(SERVICE, key.tee_type, answer),
        "crl": documents.read_pck_crl,
        "root": documents.read_root_ca_crl,
        "pck": documents.read_pck_chain,
    }


def good_answers(simulator: Simulator, platform: Platform) -> dict[str, Response]:
    """A good answer for each reader."""
    parts = simulator.collateral(platform)
    leaf, end, issuers = platform.pck_chain_pem.partition("-----END CERTIFICATE-----\n")

    def signed(part: str, wrapper: str) -> bytes:
        signature = parts[f"{part}_signature"]
        return f'{{"{wrapper}":{parts[part]},"signature":"{signature}"}}'.encode()

    def chain(header: str, pem: str) -> dict[str, str]:
        return {header: quote(pem)}

    return {
        "tcb": Response(
            200, chain(HEADERS[0], parts["tcb_info_issuer_chain"]), signed("tcb_info", "tcbInfo")
        ),
        "qe": Response(
            200,
            chain(HEADERS[1], parts["qe_identity_issuer_chain"]),
            signed("qe_identity", "enclaveIdentity"),
        ),
        "crl": Response(
            200, chain(HEADERS[2], parts["pck_crl_issuer_chain"]), bytes.fromhex(parts["pck_crl"])
        ),
        "root": Response(200, {}, parts["root_ca_crl"].encode()),
        "pck": Response(200, chain(HEADERS[3], issuers), (leaf + end).encode()),
    }


@pytest.mark.parametrize("name", ["tcb", "qe", "crl", "root", "pck"])
def test_damaged_answers_raise_only_our_errors(
    simulator: Simulator, platform: Platform, key: PlatformKey, name: str
) -> None:
    """A good answer with bytes changed, cut or doubled is read or refused, never a crash."""
    reader, good = readers(key)[name], good_answers(simulator, platform)[name]
    reader(good)
    chance = random.Random(name)
    refused = 0
    for _ in range(300):
        body = bytearray(good.body)
        headers = dict(good.headers)
        at = chance.randrange(len(body))
        match chance.randrange(4):
            case 0:
                body[at] = chance.randrange(256)
            case 1:
                del body[at:]
            case 2:
                body[at:at] = body[: chance.randrange(64)]
            case _:
                for header, value in headers.items():
                    cut = value[: chance.randrange(len(value))]
                    headers[header] = cut + chance.choice("%éA")
        try:
            reader(Response(200, headers, bytes(body)))
        except QuotaryError:
            refused += 1
    assert refused > 50


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=400), header=st.text(st.characters(max_codepoint=255), max_size=80))
def test_arbitrary_answers_raise_only_our_errors(body: bytes, header: str) -> None:
    """Bytes that never were a document are refused by every reader that wants a signature."""
    answer = Response(200, dict.fromkeys(HEADERS, header) | {"sgx-tcbm": header}, body)
    found = readers(PlatformKey(TeeType.TDX, bytes(6), PckCa.PLATFORM))
    for name in ("tcb", "qe", "crl", "pck"):
        with pytest.raises(QuotaryError):
            found[name](answer)
