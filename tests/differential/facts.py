"""
What evidence says, read without the verifier's code: the ground differences stand on.

Everything here is a plain reading by offsets, `json` and pyca. What cannot be read is empty, or
raises what these raise.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from functools import cached_property
from typing import Any, Final

import dcap_qvl
from cryptography import x509

from tests.differential.judges import Case

__all__ = ["NO_EXTENSION", "Facts"]

NO_EXTENSION: Final = (
    *(x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
    ValueError,
)
"""What pyca raises where an extension is missing, there twice, or not to be read."""

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_BODY_SIZES: Final = {1: 384, 2: 584, 3: 648, 4: 885}
_SGX_RESERVED: Final = ((20, 32), (96, 128), (160, 192), (262, 304))
_INIT: Final = 1


class Facts:
    """Facts about one case."""

    def __init__(self, case: Case) -> None:
        """Read nothing yet."""
        self.case = case
        self._quote = case.quote

    def _number(self, start: int, size: int) -> int:
        return int.from_bytes(self._quote[start : start + size], "little")

    @property
    def version(self) -> int:
        """The quote's version."""
        return self._number(0, 2)

    @property
    def sgx(self) -> bool:
        """Whether the header says SGX."""
        return self._number(4, 4) == 0

    @property
    def header_reserved(self) -> bytes:
        """Four bytes that are reserved since version 4."""
        return self._quote[8:12]

    @cached_property
    def _body_start(self) -> int:
        return 54 if self.version == 5 else 48

    @cached_property
    def body(self) -> bytes:
        """The report the quote is about."""
        if self.version == 5:
            size = _BODY_SIZES.get(self._number(48, 2), 0)
        else:
            size = 384 if self.sgx else 584
        return self._quote[self._body_start : self._body_start + size]

    @cached_property
    def _signature_start(self) -> int:
        return self._body_start + len(self.body) + 4

    @cached_property
    def trailing(self) -> bytes:
        """What follows the signature data."""
        return self._quote[self._signature_start + self._number(self._signature_start - 4, 4) :]

    @property
    def signed_bytes(self) -> bytes:
        """Header to the end of the body."""
        return self._quote[: self._signature_start - 4]

    @property
    def signature(self) -> bytes:
        """The quote's signature and the attestation key."""
        return self._quote[self._signature_start : self._signature_start + 128]

    @property
    def enclave_part(self) -> bytes:
        """QE report, its signature and the authentication data with its length."""
        start = self._qe_report_start
        return self._quote[start : start + 450 + self.auth_length]

    @property
    def outer_type(self) -> int:
        """The type of the outer certification data."""
        return self._number(self._signature_start + 128, 2)

    @property
    def _qe_report_start(self) -> int:
        return self._signature_start + (128 if self.version == 3 else 134)

    @property
    def qe_report(self) -> bytes:
        """The quoting enclave's report."""
        return self._quote[self._qe_report_start : self._qe_report_start + 384]

    @property
    def auth_length(self) -> int:
        """The length of the QE authentication data."""
        return self._number(self._qe_report_start + 448, 2)

    @property
    def certification_type(self) -> int:
        """The type of the inner certification data."""
        return self._number(self._qe_report_start + 450 + self.auth_length, 2)

    @property
    def certification_data(self) -> bytes:
        """All that follows the inner certification data's length, padding included."""
        return self._quote[self._qe_report_start + 456 + self.auth_length :]

    @property
    def reserved_words_set(self) -> bool:
        """Whether a reserved word of header or SGX report is not zero."""
        reports = [self.qe_report, *([self.body] if self.sgx else [])]
        return (self.version != 3 and any(self.header_reserved)) or any(
            any(report[start:end]) for report in reports for start, end in _SGX_RESERVED
        )

    @property
    def uninitialised(self) -> bool:
        """Whether an SGX report lacks the INIT flag, which every running enclave has."""
        return self.sgx and not self.body[48] & _INIT

    @cached_property
    def parts(self) -> dict[str, Any]:
        """The collateral's members."""
        try:
            values = json.loads(self.case.collateral)
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    def document(self, name: str) -> dict[str, Any]:
        """TCB info or QE identity."""
        try:
            value = json.loads(self.parts.get(name) or "")
        except (ValueError, TypeError):
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def chain(self) -> list[bytes]:
        """The PEM blocks of the PCK chain that decides: the quote's own, or the collateral's."""
        own = _PEM.findall(self.certification_data)
        return own or _PEM.findall(str(self.parts.get("pck_certificate_chain")).encode())

    def pem_blocks(self, name: str) -> list[bytes]:
        """The PEM blocks of one part of the collateral."""
        return _PEM.findall(str(self.parts.get(name)).encode())

    @staticmethod
    def der(pem: bytes) -> bytes:
        """The content of a PEM block, empty where it is no base64."""
        try:
            return a2b_base64(b"".join(pem[27:-25].split()))
        except Base64Error:
            return b""

    @property
    def pce_id(self) -> bytes:
        """The PCE id of the PCK certificate."""
        return bytes(self._pck.pce_id) if self._pck else b""

    @cached_property
    def chains(self) -> list[list[bytes]]:
        """The PEM blocks of every chain in quote and collateral."""
        texts = [str(self.parts.get(name)).encode() for name in self.parts if "chain" in name]
        return [_PEM.findall(text) for text in (self.certification_data, *texts)]

    @cached_property
    def _pck(self) -> Any:
        try:
            return dcap_qvl.parse_pck_extension_from_pem(b"\n".join(self.chain[:1]))
        except ValueError:
            return None

    @cached_property
    def cpu_svn_differs(self) -> bool:
        """Whether CPUSVN is something else than the sixteen components."""
        if self._pck is None:
            return False
        components = []
        for number in range(1, 17):
            value = self._pck.get_value(f"1.2.840.113741.1.13.1.2.{number}")
            components.append(value[-1] if value else -1)
        return bytes(self._pck.cpu_svn) != bytes(each & 0xFF for each in components)

    @cached_property
    def pce_svn(self) -> int:
        """PCESVN, -1 where it cannot be read."""
        value = self._pck.get_value("1.2.840.113741.1.13.1.2.17") if self._pck else None
        if value is None:
            return self._pce_svn_by_hand()
        return int.from_bytes(value)

    def _pce_svn_by_hand(self) -> int:
        marker = bytes.fromhex("060b2a864886f84d010d01021102")
        try:
            der = x509.load_pem_x509_certificate(self.chain[0]).tbs_certificate_bytes
        except (ValueError, IndexError, x509.InvalidVersion):
            return -1
        at = der.find(marker) + len(marker)
        return int.from_bytes(der[at + 1 : at + 1 + der[at]])

    @cached_property
    def revocation_lists(self) -> list[x509.CertificateRevocationList]:
        """Both lists, as far as they can be read."""
        found = []
        for name in ("root_ca_crl", "pck_crl"):
            try:
                found.append(x509.load_der_x509_crl(bytes.fromhex(self.parts.get(name) or "")))
            except (ValueError, TypeError, x509.InvalidVersion):
                continue
        return found

    @property
    def list_ends_now(self) -> bool:
        """Whether a revocation list's last second is the time of verification."""
        ends = [each.next_update_utc for each in self.revocation_lists]
        return any(end is not None and int(end.timestamp()) == self.case.at for end in ends)

    @property
    def list_number_is_long(self) -> bool:
        """Whether a revocation list has a number of more than 32 bits."""
        for each in self.revocation_lists:
            try:
                number = each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            except NO_EXTENSION:
                continue
            if number >> 32:
                return True
        return False

    @property
    def levels_unsorted(self) -> bool:
        """Whether QE or module levels stand in another order than the descending one."""
        tables = [self.document("qe_identity").get("tcbLevels")]
        identities = self.document("tcb_info").get("tdxModuleIdentities")
        tables += [each.get("tcbLevels") for each in identities or []]
        for table in tables:
            svns = [level["tcb"]["isvsvn"] for level in table or []]
            if svns != sorted(svns, reverse=True):
                return True
        return False

    @property
    def hex_with_white_space(self) -> bool:
        """Whether white space stands between hex digits of the collateral."""
        names = [n for n in self.parts if n.endswith(("_crl", "_signature"))]
        return any(re.search(r"\s", str(self.parts[name])) for name in names)

    @property
    def pem_with_empty_line(self) -> bool:
        """Whether an empty line, or one of blanks, stands inside a PEM block."""
        blocks = [block for chain in self.chains for block in chain]
        return any(re.search(rb"\n[ \t\r\v\f]*\n|[ \t\v\f]", block[27:-25]) for block in blocks)
