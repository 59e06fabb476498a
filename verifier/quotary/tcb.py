"""
Match a platform's security versions against the TCB levels Intel signed.

Pure: no clock, no network, no logging. Clauses in brackets are those of Intel's quote verification
library: level selection, TDX module levels, convergence of statuses and TD relaunch.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from itertools import chain
from operator import ge
from typing import Final, NamedTuple

from quotary.errors import Reason, VerificationError

__all__ = [
    "COMPONENT_COUNT",
    "IsvLevel",
    "Outcome",
    "PlatformSvn",
    "TcbLevel",
    "TcbStatus",
    "TdxModuleIdentity",
    "TeeType",
    "converge",
    "first_tdx_component",
    "match_isv_level",
    "match_level",
    "merge_advisories",
    "relaunch",
]

COMPONENT_COUNT: Final = 16
"""SGX and TDX both name sixteen components (Intel PCS API, TCB info)."""


class TeeType(IntEnum):
    """The kind of TEE, as journals number it. 3 and 4 are reserved for SEV-SNP and Nitro."""

    SGX = 1
    TDX = 2


class TcbStatus(StrEnum):
    """Intel's judgement of a patch level, in Intel's own spelling."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    REVOKED = "Revoked"

    @property
    def code(self) -> int:
        """The number journals and contracts use: 1 for `UpToDate` up to 9 for `Revoked`."""
        return _CODES[self]


_CODES: Final = {status: number for number, status in enumerate(TcbStatus, start=1)}

_STALE: Final = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})
_CURRENT: Final = frozenset(
    {
        TcbStatus.UP_TO_DATE,
        TcbStatus.SW_HARDENING_NEEDED,
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
    }
)
_CONFIGURATION: Final = frozenset(
    {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
)
_OVERTAKEN: Final = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


class PlatformSvn(NamedTuple):
    """The security versions of one platform, or the floor a level asks for."""

    components: tuple[int, ...]
    pce: int
    tdx_components: tuple[int, ...] = ()


class TcbLevel(NamedTuple):
    """One signed platform level. `date` is Unix seconds."""

    floor: PlatformSvn
    status: TcbStatus
    date: int
    advisories: tuple[str, ...] = ()

    def reached_by(self, platform: PlatformSvn, first_tdx: int) -> bool:
        """Whether every version is at least the floor's; TDX components count from `first_tdx`."""
        floor = self.floor
        return (
            platform.pce >= floor.pce
            and _reach(platform.components, floor.components)
            and _reach(platform.tdx_components[first_tdx:], floor.tdx_components[first_tdx:])
        )


class IsvLevel(NamedTuple):
    """One signed level of an enclave or a TDX module. `date` is Unix seconds."""

    isv_svn: int
    status: TcbStatus
    date: int
    advisories: tuple[str, ...] = ()


class TdxModuleIdentity(NamedTuple):
    """What Intel signed about one major version of the TDX module; levels in descending order."""

    signer: bytes
    attributes: bytes
    attributes_mask: bytes
    levels: tuple[IsvLevel, ...] = ()


class Outcome(NamedTuple):
    """What matching yields. `date` is the oldest TCB date among the levels involved."""

    status: TcbStatus
    date: int
    advisories: tuple[str, ...]


def _reach(versions: tuple[int, ...], floor: tuple[int, ...]) -> bool:
    if versions == floor:
        return True
    if len(versions) != len(floor):
        raise ValueError("a platform and a level have the same components")
    return all(map(ge, versions, floor))


def first_tdx_component(tee_tcb_svn: bytes) -> int:
    """
    Return the first TEE TCB SVN component that platform levels judge.

    Components 0 and 1 are the TDX module's own version, judged by its identity, once the module has
    a major version.
    """
    return 2 if tee_tcb_svn[1] > 0 else 0


def match_level(platform: PlatformSvn, levels: Iterable[TcbLevel], first_tdx: int = 0) -> TcbLevel:
    """
    Return the first of `levels` that `platform` reaches.

    `levels` are in descending order: the collateral parser sorts them once, so the order Intel's
    JSON happens to have never matters. Raises `VerificationError` when none is reached.
    """
    for level in levels:
        if level.reached_by(platform, first_tdx):
            return level
    raise VerificationError(
        Reason.TCB_NO_MATCH,
        "platform TCB",
        expected="versions that reach a signed level",
        found=_describe(platform),
    )


def match_isv_level(
    isv_svn: int, levels: Iterable[IsvLevel], *, reason: Reason, item: str
) -> IsvLevel:
    """Return the first of `levels`, in descending order, that `isv_svn` reaches, or raise."""
    for level in levels:
        if isv_svn >= level.isv_svn:
            return level
    raise VerificationError(
        reason, item, expected="an ISV SVN that reaches a signed level", found=str(isv_svn)
    )


def converge(platform: TcbLevel, module: IsvLevel | None, enclave: IsvLevel) -> Outcome:
    """
    Combine the matched levels of platform, TDX module and quoting enclave.

    A revoked part revokes the whole; an outdated part makes a current platform outdated, keeping
    its need for configuration. Advisories keep the order platform, module, quoting enclave.
    """
    status, date, advisories = platform.status, platform.date, platform.advisories
    further: tuple[str, ...] = ()
    statuses = set()
    for part in (enclave,) if module is None else (module, enclave):
        statuses.add(part.status)
        date = min(date, part.date)
        further += part.advisories
    if TcbStatus.REVOKED in statuses:
        status = TcbStatus.REVOKED
    elif TcbStatus.OUT_OF_DATE in statuses:
        status = _OVERTAKEN.get(status, status)
    return Outcome(status, date, merge_advisories(advisories, further))


def relaunch(launch: Outcome, current: Outcome) -> Outcome:
    """
    Judge a TD 1.5 launched on one TCB and running on another after a TD-preserving update.

    Only a TD launched on an outdated TCB whose platform is current by now is advised to relaunch;
    otherwise the TCB at launch decides. Advisories and date stay those of the launch.
    """
    if TcbStatus.REVOKED in (launch.status, current.status):
        return Outcome(TcbStatus.REVOKED, launch.date, launch.advisories)
    if launch.status not in _STALE or current.status not in _CURRENT:
        return launch
    needs_configuration = launch.status in _CONFIGURATION or current.status in _CONFIGURATION
    return Outcome(
        status=TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
        if needs_configuration
        else TcbStatus.TD_RELAUNCH_ADVISED,
        date=launch.date,
        advisories=launch.advisories,
    )


def merge_advisories(*groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return the advisories of `groups` in order, each where it first occurs."""
    return tuple(dict.fromkeys(chain.from_iterable(groups)))


def _describe(platform: PlatformSvn) -> str:
    text = f"SGX {'.'.join(map(str, platform.components))}, PCE {platform.pce}"
    if platform.tdx_components:
        text += f", TDX {'.'.join(map(str, platform.tdx_components))}"
    return text
