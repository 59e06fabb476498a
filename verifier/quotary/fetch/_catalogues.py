"""
What Intel's service lists besides the collateral of one platform: families, and evaluations.

Pure functions over values, as in `_documents`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from quotary.collateral import TcbEvaluations, unwrap_signed
from quotary.collateral._json import parse_object
from quotary.errors import CollateralError, ParseError, Reason
from quotary.fetch._documents import SignedDocument, ask, issuer_chain_of
from quotary.fetch._exchange import Request, Response
from quotary.fetch.errors import FetchError
from quotary.fetch.settings import CollateralService
from quotary.tcb import TeeType

__all__ = [
    "FmspcPlatform",
    "KnownFmspc",
    "ask_evaluations",
    "ask_fmspcs",
    "read_evaluations",
    "read_fmspcs",
]

_CHAINS: Final = ("TCB-Evaluation-Data-Numbers-Issuer-Chain",)
_MAX_FMSPCS: Final = 4096
"""Intel lists about forty families."""

_FMSPC: Final = re.compile(r"[0-9A-Fa-f]{12}")


class FmspcPlatform(StrEnum):
    """The kinds of platform Intel lists families of."""

    ALL = "all"
    CLIENT = "client"
    E3 = "E3"
    E5 = "E5"


@dataclass(frozen=True, slots=True)
class KnownFmspc:
    """A platform family Intel serves collateral for; `platform` is the service's word for it."""

    fmspc: bytes
    platform: str


def ask_fmspcs(service: CollateralService, platform: FmspcPlatform) -> Request:
    """GET /sgx/certification/v4/fmspcs; a PCCS may not have it."""
    query = (("platform", platform.value),)
    path = "sgx/certification/v4/fmspcs"
    return ask(service, "FMSPCs", path, query, service.limits.json_bytes)


def ask_evaluations(service: CollateralService, tee_type: TeeType) -> Request:
    """GET /{sgx|tdx}/certification/v4/tcbevaluationdatanumbers."""
    path = f"{tee_type.name.lower()}/certification/v4/tcbevaluationdatanumbers"
    return ask(service, "TCB evaluations", path, (), service.limits.json_bytes)


def read_fmspcs(response: Response) -> tuple[KnownFmspc, ...]:
    """Return the families, in the order of the answer, which nobody signs. Raises `FetchError`."""
    try:
        # As the member of an object: the one strict parser there is reads objects.
        document = parse_object(f'{{"fmspcs": {response.body.decode()}}}', "FMSPCs")
    except (ParseError, UnicodeDecodeError) as error:
        raise _invalid("strict JSON") from error
    entries = document.pop("fmspcs", None)
    if document or not isinstance(entries, list) or len(entries) > _MAX_FMSPCS:
        raise _invalid(f"a list of at most {_MAX_FMSPCS} families")
    return tuple(map(_known, entries))


def read_evaluations(tee_type: TeeType, response: Response) -> SignedDocument:
    """
    Take the list of evaluations apart and see that it is of this TEE type; it is not verified.

    Raises `FetchError`, `ParseError`, or `CollateralError` for another TEE's list.
    """
    chain = issuer_chain_of(response, "TCB evaluations", _CHAINS)
    document, signature = unwrap_signed(response.body, "tcbEvaluationDataNumbers")
    found = TcbEvaluations.parse(document).tee_type
    if found is not tee_type:
        raise CollateralError(
            Reason.COLLATERAL_TYPE_MISMATCH,
            "TCB evaluations",
            expected=tee_type.name,
            found=found.name,
        )
    return SignedDocument(document, signature, chain)


def _known(entry: object) -> KnownFmspc:
    fields = entry if isinstance(entry, dict) else {}
    fmspc, platform = fields.get("fmspc"), fields.get("platform")
    if not isinstance(fmspc, str) or not _FMSPC.fullmatch(fmspc):
        raise _invalid("an fmspc of 12 hex digits")
    if not isinstance(platform, str) or not (platform.isascii() and platform.isprintable()):
        raise _invalid("a platform, printable ASCII")
    return KnownFmspc(bytes.fromhex(fmspc), platform)


def _invalid(expected: str) -> FetchError:
    return FetchError(
        Reason.FETCH_ANSWER_INVALID, "FMSPCs", expected=expected, found="another form"
    )
