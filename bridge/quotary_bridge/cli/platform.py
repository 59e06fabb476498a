"""`quotary platform`: the links the chain keeps, what they are worth, and their stamps."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from eth_utils.crypto import keccak
from quotary import Quote, TcbStatus, TeeType
from quotary.cli.inputs import read_input
from quotary.cli.output import ExitCode
from quotary.quote import CertificationType, TdReport
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary.x509 import split_pem

from quotary_bridge.chain.contracts import (
    CollateralStore,
    DcapVerifier,
    KeptKey,
    KeptPlatform,
    Reevaluation,
)
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.bringing import dcap_verifier, store_behind
from quotary_bridge.cli.onchain import attestation_key_id
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    identifier,
)
from quotary_bridge.cli.sending import send
from quotary_bridge.errors import ContractError, EvidenceRejected, Reason

__all__ = ["register"]

_SVN_BYTES = 16
_CHAIN_LENGTH = 3
# ISVPRODID of Intel's quoting enclaves: QE for SGX, TD_QE for TDX (PCS API, QE identity).
_TEE_OF_ENCLAVE = {1: TeeType.SGX, 2: TeeType.TDX}
_STATUSES = {status.code: status.value for status in TcbStatus}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose links are asked for, and the TD's own TCB, where that is known."""

    key_id: bytes
    certificate: bytes | None
    svn: bytes | None
    svn2: bytes


@dataclass(frozen=True, slots=True)
class _Revocation:
    """What the list in force says of a platform's certificate."""

    revoked: bool
    this_update: int
    next_update: int
    entries: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is told of a link; `refused` says why it is worth nothing, or cannot be judged."""

    key_id: bytes
    platform: KeptPlatform
    key: KeptKey | None
    revocation: _Revocation | None
    worth: Reevaluation | None
    refused: str

    def fields(self) -> dict[str, object]:
        it = self.platform
        fields: dict[str, object] = {
            "attestation_key_id": self.key_id if self.key else None,
            "platform_id": it.platform_id,
            "fmspc": it.fmspc,
            "authority": it.authority.name.lower(),
            "components": it.components,
            "pce_svn": it.pce_svn,
            "pce_id": it.pce_id,
            "pck_serial": f"{it.serial:x}",
            "pck_not_before": it.not_before,
            "pck_not_after": it.not_after,
            "qe_svn": self.key.qe_svn if self.key else None,
            "qe_mr_signer": self.key.mr_signer if self.key else None,
            "revocation": asdict(self.revocation) if self.revocation else None,
            "tcb_status": _STATUSES[self.worth.tcb_status] if self.worth else None,
            "reason": self.refused,
        }
        if self.worth is not None:
            fields["tcb_date"] = self.worth.tcb_date
            fields["valid_from"] = self.worth.valid_from
            fields["valid_until"] = self.worth.valid_until
        return fields

    def text(self) -> str:
        it = self.platform
        rows = {
            "attestation key": f"0x{self.key_id.hex()}" if self.key else "none kept",
            "platform": f"0x{it.platform_id.hex()}",
            "FMSPC": f"{it.fmspc.hex()}, PCK {it.authority.name.lower()} CA",
            "components": " ".join(map(str, it.components)),
            "PCE SVN": str(it.pce_svn),
            "QE SVN": str(self.key.qe_svn) if self.key else "none kept",
            "PCK certificate": f"{it.serial:x}, until {_day(it.not_after)}",
            "revocation": self._revocation_text(),
            "TCB now": self._worth_text(),
        }
        return "\n".join(f"{name:<16} {value}" for name, value in rows.items())

    def _revocation_text(self) -> str:
        found = self.revocation
        if found is None:
            return "no list in force: bring one"
        verdict = "REVOKED by" if found.revoked else "not in"
        return (
            f"{verdict} the list of {_day(found.this_update)} ({found.entries} entries, "
            f"until {_day(found.next_update)})"
        )

    def _worth_text(self) -> str:
        if self.worth is None:
            return f"none: {self.refused}"
        return (
            f"{_STATUSES[self.worth.tcb_status]}, levels of {_day(self.worth.tcb_date)}, "
            f"holds until {_day(self.worth.valid_until)}"
        )


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    platform = subparsers.add_parser("platform", help="look at platforms the chain has proven")
    commands = platform.add_subparsers(dest="platform_command", required=True)
    show = commands.add_parser(
        "show",
        help="show a kept platform or attestation key, and what it is worth today",
        description="Show what the DCAP verifier keeps of a platform or attestation key, the state "
        "of its revocation list, and its TCB status under the collateral in force now: no quote "
        "is needed for that.",
        epilog="example: quotary platform show --quote quote.bin",
    )
    _add_key(show)
    show.add_argument(
        "--tee-tcb-svn",
        type=_svn,
        metavar="HEX",
        help="with an id of TDX: TEE_TCB_SVN of the TD's report, 16 bytes",
    )
    show.add_argument(
        "--tee-tcb-svn2",
        type=_svn,
        default=bytes(_SVN_BYTES),
        metavar="HEX",
        help="the same from TD report 1.5 on: TEE_TCB_SVN2",
    )
    add_chain_flags(show)
    add_output_flags(show)
    show.set_defaults(run=_show)
    _add_refresh(commands)


def _add_refresh(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "refresh",
        help="look a kept attestation key's platform up in the newest revocation list",
        description="Quotes of a kept key look its platform up in each new revocation list, some "
        "3,000 gas each, until somebody has the verifier remember the answer. Anybody may; it "
        "changes what a verification costs, and nothing else.",
        epilog="example: quotary platform refresh --quote quote.bin --account me",
    )
    _add_key(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_refresh, tee_tcb_svn=None, tee_tcb_svn2=bytes(_SVN_BYTES))


def _add_key(parser: ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "id",
        nargs="?",
        type=identifier,
        metavar="ID",
        help="an attestation key's id, or Keccak-256 of a PCK certificate",
    )
    one.add_argument("--quote", metavar="FILE", help="the key and platform of this quote")


def _svn(text: str) -> bytes:
    try:
        svn = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        svn = b""
    if len(svn) != _SVN_BYTES:
        raise ArgumentTypeError(f"{text!r} is not {_SVN_BYTES} bytes of hexadecimal")
    return svn


@command
def _show(args: Namespace) -> int:
    context = Context.of(args)
    verifier = dcap_verifier(context, context.deployment())
    asked = _asked(args)
    key = verifier.attestation_key_of(asked.key_id)
    platform = key.platform if key else verifier.platform_of(asked.certificate or asked.key_id)
    if platform is None:
        raise EvidenceRejected(
            Reason.EVIDENCE_REJECTED,
            "the chain keeps no platform and no attestation key by that name",
            "have it proven: quotary worker submit --via onchain --keep",
        )
    revocation = _revocation(store_behind(verifier), platform)
    shown = _Shown(asked.key_id, platform, key, revocation, *_worth(verifier, asked, key))
    answer(args, shown.fields(), shown.text())
    return ExitCode.OK


@command
def _refresh(args: Namespace) -> int:
    context = Context.of(args)
    verifier = dcap_verifier(context, context.deployment())
    key_id = _asked(args).key_id
    key = verifier.attestation_key_of(key_id)
    tee = _TEE_OF_ENCLAVE.get(key.isv_prod_id) if key else None
    if key is None or tee is None:
        raise EvidenceRejected(
            Reason.EVIDENCE_REJECTED,
            "the chain keeps no attestation key of a known quoting enclave by that name",
            "have it proven: quotary worker submit --via onchain --keep",
        )
    sent = send(args, context, verifier.address, verifier.refresh(key_id, tee))
    fields = {"attestation_key_id": key_id, "platform_id": key.platform.platform_id}
    shown = f"refreshed    0x{key_id.hex()}\n{sent.text()}"
    answer(args, {**fields, **sent.fields()}, shown)
    return ExitCode.OK


def _asked(args: Namespace) -> _Asked:
    if args.id is not None:
        return _Asked(args.id, None, args.tee_tcb_svn, args.tee_tcb_svn2)
    quote = Quote.parse(decode_quote(read_input(args.quote, MAX_ENCODED_BYTES)))
    svn, svn2 = bytes(_SVN_BYTES), bytes(_SVN_BYTES)
    if isinstance(quote.body, TdReport):
        svn, svn2 = quote.body.tee_tcb_svn, quote.body.tee_tcb_svn2 or svn2
    certificate = None
    if quote.certification_type is CertificationType.PCK_CHAIN:
        leaf = split_pem(quote.certification_data, "PCK chain", _CHAIN_LENGTH)[0]
        certificate = keccak(leaf)
    return _Asked(attestation_key_id(quote), certificate, svn, svn2)


def _revocation(store: CollateralStore, platform: KeptPlatform) -> _Revocation | None:
    found = store.revocation_list(platform.authority)
    if found is None:
        return None
    revoked = platform.serial in found.serials
    return _Revocation(revoked, found.this_update, found.next_update, len(found.serials))


def _worth(
    verifier: DcapVerifier, asked: _Asked, key: KeptKey | None
) -> tuple[Reevaluation | None, str]:
    """Return what the key is worth now, or why that cannot be said."""
    if key is None:
        return None, "only the platform is kept, no attestation key"
    tee = _TEE_OF_ENCLAVE.get(key.isv_prod_id)
    if tee is None:
        return None, f"no known quoting enclave has ISVPRODID {key.isv_prod_id}"
    svn = bytes(_SVN_BYTES) if tee is TeeType.SGX else asked.svn
    if svn is None:
        return None, "a TD's TCB is judged with its TEE_TCB_SVN: give --quote or --tee-tcb-svn"
    try:
        return verifier.reevaluate(asked.key_id, tee, svn, asked.svn2), ""
    except ContractError as error:
        return None, str(error.values.get("reason", error.name))


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
