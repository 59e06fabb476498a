"""TCB matching, as tables: level selection, convergence, relaunch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotary import Reason, TcbStatus, VerificationError
from quotary.tcb import (
    IsvLevel,
    Outcome,
    PlatformSvn,
    TcbLevel,
    converge,
    first_tdx_component,
    match_isv_level,
    match_level,
    merge_advisories,
    relaunch,
)

S = TcbStatus
ZEROS = (0,) * 16


def floor(*first: int, pce: int = 0, tdx: tuple[int, ...] = ()) -> PlatformSvn:
    """Sixteen components beginning with `first`."""
    padded = (*tdx, *ZEROS)[:16] if tdx else ()
    return PlatformSvn((*first, *ZEROS)[:16], pce, padded)


def level(svn: PlatformSvn, status: TcbStatus = S.UP_TO_DATE) -> TcbLevel:
    return TcbLevel(svn, status, 0)


def test_status_codes_are_those_of_the_journal() -> None:
    """One-based, in Intel's order; Revoked is 9."""
    assert [status.code for status in TcbStatus] == list(range(1, 10))
    assert S.UP_TO_DATE.code == 1
    assert S.REVOKED.code == 9


def test_every_component_counts_not_their_order() -> None:
    """A platform ahead in one component and behind in another does not reach a level."""
    levels = (level(floor(1, 2, 3)),)
    assert match_level(floor(1, 2, 3), levels) is levels[0]
    assert match_level(floor(9, 9, 9), levels) is levels[0]
    for behind in (floor(1, 3, 2), floor(0, 9, 9), floor(9, 1, 9)):
        with pytest.raises(VerificationError) as caught:
            match_level(behind, levels)
        assert caught.value.reason is Reason.TCB_NO_MATCH


def test_pce_svn_counts() -> None:
    """PCESVN is compared beside the components."""
    with pytest.raises(VerificationError):
        match_level(floor(5, pce=9), (level(floor(5, pce=10)),))


def test_the_first_level_reached_decides() -> None:
    """Levels come in descending order; later ones never override."""
    levels = (level(floor(3)), level(floor(2), S.OUT_OF_DATE), level(floor(1), S.REVOKED))
    assert [match_level(floor(n), levels).status for n in (4, 3, 2, 1)] == [
        S.UP_TO_DATE,
        S.UP_TO_DATE,
        S.OUT_OF_DATE,
        S.REVOKED,
    ]


def test_a_versioned_module_frees_the_first_two_tdx_components() -> None:
    """With a major version, components 0 and 1 belong to the module identity."""
    assert first_tdx_component(bytes([5, 1])) == 2
    assert first_tdx_component(bytes([5, 0])) == 0
    levels = (level(floor(1, tdx=(7, 1, 3))),)
    platform = floor(1, tdx=(0, 1, 3))
    assert match_level(platform, levels, 2) is levels[0]
    with pytest.raises(VerificationError):
        match_level(platform, levels, 0)
    with pytest.raises(VerificationError):
        match_level(floor(1, tdx=(9, 9, 2)), levels, 2)


@given(st.lists(st.integers(0, 255), min_size=16, max_size=16), st.integers(0, 65535))
def test_a_platform_reaches_its_own_versions_and_none_above(
    components: list[int], pce: int
) -> None:
    """Reflexive, and strict in every single component."""
    own = PlatformSvn(tuple(components), pce)
    assert level(own).reached_by(own, 0)
    for i in range(16):
        above = PlatformSvn((*components[:i], components[i] + 1, *components[i + 1 :]), pce)
        assert not level(above).reached_by(own, 0)


def test_isv_levels() -> None:
    """The first at or below the version; none is an error with the given reason."""
    levels = (IsvLevel(8, S.UP_TO_DATE, 0), IsvLevel(6, S.OUT_OF_DATE, 0))
    for svn, expected in ((9, 8), (8, 8), (7, 6), (6, 6)):
        found = match_isv_level(svn, levels, reason=Reason.QE_TCB_NO_MATCH, item="QE")
        assert found.isv_svn == expected
    with pytest.raises(VerificationError) as caught:
        match_isv_level(5, levels, reason=Reason.QE_TCB_NO_MATCH, item="QE")
    assert caught.value.reason is Reason.QE_TCB_NO_MATCH


OVERTAKEN = {
    S.UP_TO_DATE: S.OUT_OF_DATE,
    S.SW_HARDENING_NEEDED: S.OUT_OF_DATE,
    S.CONFIGURATION_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.CONFIGURATION_AND_SW_HARDENING_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.OUT_OF_DATE: S.OUT_OF_DATE,
    S.OUT_OF_DATE_CONFIGURATION_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.REVOKED: S.REVOKED,
}
PARTS = (None, S.UP_TO_DATE, S.OUT_OF_DATE, S.REVOKED)


@pytest.mark.parametrize("platform", OVERTAKEN)
@pytest.mark.parametrize("module", PARTS)
@pytest.mark.parametrize("enclave", PARTS[1:])
def test_convergence(platform: TcbStatus, module: TcbStatus | None, enclave: TcbStatus) -> None:
    """Revoked wins; an outdated part overtakes a current platform; else the platform decides."""
    parts = {module, enclave}
    expected = platform
    if S.REVOKED in parts:
        expected = S.REVOKED
    elif S.OUT_OF_DATE in parts:
        expected = OVERTAKEN[platform]
    outcome = converge(
        TcbLevel(floor(1), platform, 30, ("P", "Q")),
        None if module is None else IsvLevel(1, module, 20, ("M", "P")),
        IsvLevel(1, enclave, 25, ("E", "M")),
    )
    assert outcome.status is expected
    assert outcome.date == (25 if module is None else 20)
    assert outcome.advisories == (("P", "Q", "E", "M") if module is None else ("P", "Q", "M", "E"))


RELAUNCH = {
    (S.OUT_OF_DATE, S.UP_TO_DATE): S.TD_RELAUNCH_ADVISED,
    (S.OUT_OF_DATE, S.SW_HARDENING_NEEDED): S.TD_RELAUNCH_ADVISED,
    (S.OUT_OF_DATE, S.CONFIGURATION_NEEDED): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    (
        S.OUT_OF_DATE,
        S.CONFIGURATION_AND_SW_HARDENING_NEEDED,
    ): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    (
        S.OUT_OF_DATE_CONFIGURATION_NEEDED,
        S.UP_TO_DATE,
    ): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    (
        S.OUT_OF_DATE_CONFIGURATION_NEEDED,
        S.SW_HARDENING_NEEDED,
    ): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    (
        S.OUT_OF_DATE_CONFIGURATION_NEEDED,
        S.CONFIGURATION_NEEDED,
    ): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    (
        S.OUT_OF_DATE_CONFIGURATION_NEEDED,
        S.CONFIGURATION_AND_SW_HARDENING_NEEDED,
    ): S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
}


@pytest.mark.parametrize("launch", OVERTAKEN)
@pytest.mark.parametrize("current", OVERTAKEN)
def test_relaunch(launch: TcbStatus, current: TcbStatus) -> None:
    """All 49 pairs: Intel's list of advised relaunches, revoked if either is, else the launch."""
    expected = RELAUNCH.get((launch, current), launch)
    if S.REVOKED in (launch, current):
        expected = S.REVOKED
    outcome = relaunch(Outcome(launch, 1, ("L",)), Outcome(current, 2, ("C",)))
    assert outcome == Outcome(expected, 1, ("L",))


def test_advisories_keep_their_first_place() -> None:
    """Merged in order, each once."""
    assert merge_advisories(("A", "B"), ("B", "C"), (), ("A", "D")) == ("A", "B", "C", "D")
