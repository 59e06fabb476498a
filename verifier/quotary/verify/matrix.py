"""The check matrix: what a strict verifier of DCAP quotes checks, one numbered row each."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["MATRIX"]

MATRIX: Final = MappingProxyType(
    {
        1: "quote version, attestation key type and TEE type are known",
        2: "the QE vendor id is Intel's",
        3: "version 3 carries SGX, TDX comes in versions 4 and 5",
        4: "SGX in versions 4 and 5 is accepted",
        5: "version 5: body type, body size and TEE type agree",
        6: "the outer certification data type is 6",
        7: "the inner certification data type is 1 to 5, and nested lengths are exact",
        8: "zero padding after the quote is tolerated",
        9: "QE authentication data of any length is accepted",
        10: "the PCK chain has three certificates, signing chains two",
        11: "certificates have the names of their roles",
        12: "the TCB signer is issued by the root itself",
        13: "the root is pinned",
        14: "basic constraints and path lengths are evaluated",
        15: "key usage is evaluated",
        16: "the extensions that must be there are",
        17: "no certificate is used before its time",
        18: "no certificate is used after its time",
        19: "revocation lists are signed by the authority they are used for",
        20: "no revocation list is used before its time",
        21: "no revocation list is used after its time",
        22: "revocation lists have a number and name their authority",
        23: "PCK CA, TCB signer and PCK certificate are not revoked",
        24: "the root is not revoked",
        25: "TCB info and QE identity are signed",
        26: "no document is used before its issue date",
        27: "no document is used after its next update",
        28: "TCB info: version 2 or 3, TEE type, TCB type 0",
        29: "TCB levels are unique and have sixteen components",
        30: "the TCB info is of the platform's FMSPC",
        31: "the TCB info is of the platform's PCE",
        32: "TCB matching uses the certified components, never CPUSVN",
        33: "the order of platform levels in a document does not matter",
        34: "the order of QE and module levels in a document does not matter",
        35: "TDX components are compared from the third on once the module has a version",
        36: "the TDX module's signer, attributes and level are checked",
        37: "TD 1.5: launch and current TCB are both evaluated",
        38: "the QE report is signed and binds the attestation key, which signed the quote",
        39: "the quoting enclave is the one identified for this TEE type",
        40: "a quoting enclave in debug mode is refused by name",
        41: "statuses of platform, module and quoting enclave converge by Intel's table",
        42: "a revoked TCB is an error",
        43: "debug, TD attributes, XFAM and service TDs are judged",
        44: "the SGX extension is complete, exact and unrepeated",
        45: "documents nest only so deep",
        46: "platform instance, PPID and configuration can be judged",
    }
)
"""Rows by number. Explanations name the rows a check answers; a test covers every row."""
