"""The cache: it never goes back, survives a crash at any moment, and believes no disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from quotary.collateral import RawCollateral
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch import CollateralCache, PckCa, PlatformKey, UpdateChannel
from quotary.tcb import TeeType
from quotary.trust import INTEL_ROOT, TrustRoot
from quotary_enclave.simulator import Platform

from tests.verifier.fetch.conftest import AT, Twin
from tests.verifier.fetch.service import Service

STANDARD = UpdateChannel()
DAY = timedelta(days=1)


@pytest.fixture
def cache(tmp_path: Path, root: TrustRoot) -> CollateralCache:
    return CollateralCache(tmp_path / "cache", root=root)


def minted(platform: Platform, *, issued: datetime | None = None, **marks: int) -> RawCollateral:
    """The platform's collateral, with other numbers or dates. `marks` name what they number."""
    spec = platform.collateral_spec(tdx=True)
    info, identity, root_crl, pck_crl = (
        spec.tcb_info,
        spec.qe_identity,
        spec.root_crl,
        spec.pck_crl,
    )
    if "evaluation" in marks:
        info = replace(info, evaluation_number=marks["evaluation"])
    if "qe" in marks:
        identity = replace(identity, evaluation_number=marks["qe"])
    if "root_crl" in marks:
        root_crl = replace(root_crl, number=marks["root_crl"])
    if "pck_crl" in marks:
        pck_crl = replace(pck_crl, number=marks["pck_crl"])
    if issued is not None:
        info = replace(info, issue_date=issued)
    changed = replace(spec, tcb_info=info, qe_identity=identity, root_crl=root_crl, pck_crl=pck_crl)
    return RawCollateral.from_json(json.dumps(changed.mint(platform.pki)))


def reason_of(call: Callable[[], object]) -> Reason:
    """The reason `call` is refused for."""
    with pytest.raises(QuotaryError) as caught:
        call()
    return caught.value.reason


def test_what_is_stored_is_loaded(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """An entry comes back byte for byte, with the time it was fetched."""
    raw = minted(platform)
    cache.store(key, STANDARD, raw, at=AT)
    entry = cache.load(key, STANDARD)
    assert (entry.raw, entry.fetched_at) == (raw, AT)
    assert list(cache.entries()) == [(key, STANDARD)]


@pytest.mark.parametrize("mark", ["evaluation", "qe", "root_crl", "pck_crl"])
def test_numbers_never_go_back(
    cache: CollateralCache, platform: Platform, key: PlatformKey, mark: str
) -> None:
    """A genuine document with a lower number is refused, and what was filed stays."""
    cache.store(key, STANDARD, minted(platform, **{mark: 20}), at=AT)
    before = cache.path(key, STANDARD).read_bytes()
    older = minted(platform, **{mark: 19})
    assert reason_of(lambda: cache.store(key, STANDARD, older, at=AT)) is Reason.COLLATERAL_ROLLBACK
    assert cache.path(key, STANDARD).read_bytes() == before
    cache.store(key, STANDARD, minted(platform, **{mark: 21}), at=AT)


def test_dates_never_go_back(cache: CollateralCache, platform: Platform, key: PlatformKey) -> None:
    """The same evaluation, issued earlier, is a rollback too; issued later, it is news."""
    cache.store(key, STANDARD, minted(platform, issued=AT - 3 * DAY), at=AT)
    older = minted(platform, issued=AT - 4 * DAY)
    assert reason_of(lambda: cache.store(key, STANDARD, older, at=AT)) is Reason.COLLATERAL_ROLLBACK
    cache.store(key, STANDARD, minted(platform, issued=AT - 2 * DAY), at=AT)


def test_stale_entries_still_guard_against_older_ones(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """That the filed entry expired does not let an older evaluation in."""
    cache.store(key, STANDARD, minted(platform, evaluation=20), at=AT)
    later = AT + 60 * DAY
    assert cache.fresh(key, STANDARD, at=later, margin=DAY) is None
    spec = platform.collateral_spec(tdx=True)
    due = later + 5 * DAY
    older = replace(
        spec,
        tcb_info=replace(spec.tcb_info, evaluation_number=19, next_update=due),
        qe_identity=replace(spec.qe_identity, next_update=due),
        pck_crl=replace(spec.pck_crl, next_update=due),
    ).mint(platform.pki)
    raw = RawCollateral.from_json(json.dumps(older))
    assert reason_of(lambda: cache.store(key, STANDARD, raw, at=later)) is (
        Reason.COLLATERAL_ROLLBACK
    )


def test_channels_are_kept_apart(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """Early collateral is ahead of standard collateral, which is no rollback."""
    early = UpdateChannel.parse("early")
    cache.store(key, early, minted(platform, evaluation=18), at=AT)
    cache.store(key, STANDARD, minted(platform, evaluation=17), at=AT)
    assert cache.load(key, early).collateral.tcb_info.evaluation_number == 18
    assert cache.load(key, STANDARD).collateral.tcb_info.evaluation_number == 17


def test_client_never_takes_older_collateral_from_a_service(
    client_of: Callable[..., Twin],
    pcs: Service,
    cache: CollateralCache,
    platform: Platform,
    key: PlatformKey,
) -> None:
    """A service rolled back, or a liar in its place, is noticed by clients that remember."""
    client = client_of(pcs, options={"cache": cache})
    pcs.publish(platform_collateral(platform, 18))
    client.fetch(key, at=AT)
    pcs.publish(platform_collateral(platform, 17))
    with pytest.raises(CollateralError) as caught:
        client.fetch(key, at=AT)
    assert caught.value.reason is Reason.COLLATERAL_ROLLBACK
    assert client.current(key, at=AT).collateral.evaluation_number == 18


def test_roots_are_kept_apart(
    tmp_path: Path, root: TrustRoot, platform: Platform, key: PlatformKey
) -> None:
    """Collateral under a test root is not even found by who trusts Intel's."""
    CollateralCache(tmp_path, root=root).store(key, STANDARD, minted(platform), at=AT)
    intel = CollateralCache(tmp_path, root=INTEL_ROOT)
    assert list(intel.entries()) == []
    assert reason_of(lambda: intel.load(key, STANDARD)) is Reason.CACHE_EMPTY


def test_only_genuine_collateral_of_this_platform_is_filed(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """What does not verify, or is about others, never reaches the disk."""
    raw = minted(platform)
    forged = replace(raw, tcb_info=raw.tcb_info.replace(b"UpToDate", b"Revoked", 1))
    other_fmspc = PlatformKey(TeeType.TDX, bytes(6), PckCa.PLATFORM)
    other_tee = PlatformKey(TeeType.SGX, key.fmspc, PckCa.PLATFORM)
    other_ca = PlatformKey(TeeType.TDX, key.fmspc, PckCa.PROCESSOR)
    refusals = {
        reason_of(lambda: cache.store(key, STANDARD, forged, at=AT)),
        reason_of(lambda: cache.store(key, STANDARD, raw, at=AT + 60 * DAY)),
        reason_of(lambda: cache.store(other_fmspc, STANDARD, raw, at=AT)),
        reason_of(lambda: cache.store(other_tee, STANDARD, raw, at=AT)),
        reason_of(lambda: cache.store(other_ca, STANDARD, raw, at=AT)),
    }
    assert refusals == {
        Reason.TCB_INFO_SIGNATURE_INVALID,
        Reason.COLLATERAL_EXPIRED,
        Reason.FMSPC_MISMATCH,
        Reason.COLLATERAL_TYPE_MISMATCH,
        Reason.CRL_ISSUER_MISMATCH,
    }
    assert list(cache.entries()) == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda data: data[: len(data) // 2],
    "no JSON": lambda _: b"\x00\xff",
    "another form": lambda _: b"[1, 2]",
    "too deep": lambda _: b"[" * 100_000,
    "another version": lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 2'),
    "a changed byte": lambda data: data.replace(b"UpToDate", b"UpToDatf", 1),
    "white space no signature covers": lambda data: data.replace(rb"\\n", rb"\\t", 1),
    "another date": lambda data: data.replace(b'"fetched_at": "2026', b'"fetched_at": "2036'),
    "a date that is none": lambda data: data.replace(b'"fetched_at": "2026', b'"fetched_at": "x'),
    "too long": lambda data: data + b" " * (9 * 1024 * 1024),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_entries_are_noticed_and_fetched_again(
    *,
    client_of: Callable[..., Twin],
    pcs: Service,
    cache: CollateralCache,
    key: PlatformKey,
    name: str,
) -> None:
    """Damage is never used, never fatal, and gone after the next fetch."""
    client = client_of(pcs, options={"cache": cache})
    client.current(key, at=AT)
    path = cache.path(key, STANDARD)
    path.write_bytes(DAMAGES[name](path.read_bytes()))
    assert reason_of(lambda: cache.load(key, STANDARD)) is Reason.CACHE_DAMAGED
    assert not client.current(key, at=AT).from_cache
    assert client.current(key, at=AT).from_cache


def test_entry_moved_to_another_platform_is_damaged(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """A file counts for what it says, not for where it lies."""
    cache.store(key, STANDARD, minted(platform), at=AT)
    other = PlatformKey(TeeType.TDX, bytes(6), PckCa.PLATFORM)
    target = cache.path(other, STANDARD)
    target.parent.mkdir(parents=True)
    target.write_bytes(cache.path(key, STANDARD).read_bytes())
    assert reason_of(lambda: cache.load(other, STANDARD)) is Reason.CACHE_DAMAGED


def test_links_out_of_the_cache_are_refused(
    cache: CollateralCache, platform: Platform, key: PlatformKey, tmp_path: Path
) -> None:
    """Neither reading nor writing follows a link to another folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    base = cache.path(key, STANDARD).parents[2]
    base.parent.mkdir(parents=True)
    base.symlink_to(outside, target_is_directory=True)
    assert reason_of(lambda: cache.load(key, STANDARD)) is Reason.PATH_ESCAPE
    store = minted(platform)
    assert reason_of(lambda: cache.store(key, STANDARD, store, at=AT)) is Reason.PATH_ESCAPE
    assert list(outside.iterdir()) == []


def test_strange_files_are_no_entries(
    cache: CollateralCache, platform: Platform, key: PlatformKey
) -> None:
    """What others leave in the folder is passed over."""
    cache.store(key, STANDARD, minted(platform), at=AT)
    folder = cache.path(key, STANDARD).parent
    (folder / "late.json").write_text("{}")
    (folder / ".standard.json.x.tmp").write_text("{}")
    stranger = folder.parent.parent / "no-fmspc" / "platform"
    stranger.mkdir(parents=True)
    (stranger / "standard.json").write_text("{}")
    assert list(cache.entries()) == [(key, STANDARD)]


CRASH = """
    import os, signal, sys
    from datetime import datetime
    from pathlib import Path
    from quotary.collateral import RawCollateral
    from quotary.fetch import CollateralCache, PckCa, PlatformKey, UpdateChannel
    from quotary.tcb import TeeType
    from quotary.trust import TrustRoot

    folder, root, fmspc, collateral, at, moment = sys.argv[1:]

    def die(event, args):
        names = [str(arg) for arg in args]
        if event == "os.rename" and moment == "before the rename":
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "open" and moment == "before the write" and names[0].endswith(".tmp"):
            os.kill(os.getpid(), signal.SIGKILL)

    def die_after(event, args):
        # The folder is opened to be synced right after the rename.
        if event == "open" and Path(str(args[0])).is_dir() and moment == "after the rename":
            os.kill(os.getpid(), signal.SIGKILL)

    cache = CollateralCache(Path(folder), root=TrustRoot.from_certificate(bytes.fromhex(root)))
    key = PlatformKey(TeeType.TDX, bytes.fromhex(fmspc), PckCa.PLATFORM)
    raw = RawCollateral.from_json(Path(collateral).read_text())
    sys.addaudithook(die)
    sys.addaudithook(die_after)
    cache.store(key, UpdateChannel(), raw, at=datetime.fromisoformat(at))
"""


@pytest.mark.parametrize(
    ("moment", "number"),
    [("before the write", 17), ("before the rename", 17), ("after the rename", 18)],
)
def test_a_kill_mid_write_leaves_the_old_entry_or_the_new_one(
    *,
    root: TrustRoot,
    platform: Platform,
    key: PlatformKey,
    tmp_path: Path,
    moment: str,
    number: int,
) -> None:
    """The process is killed for real; then the entry is whole and the next store works."""
    cache = CollateralCache(tmp_path / "cache", root=root)
    cache.store(key, STANDARD, minted(platform, evaluation=17), at=AT)
    newer = minted(platform, evaluation=18)
    (tmp_path / "newer.json").write_text(newer.to_json())
    arguments = [
        str(tmp_path / "cache"),
        root.certificate.der.hex(),
        key.fmspc.hex(),
        str(tmp_path / "newer.json"),
        AT.isoformat(),
        moment,
    ]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CRASH), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert cache.load(key, STANDARD).collateral.tcb_info.evaluation_number == number
    cache.store(key, STANDARD, newer, at=AT)
    assert cache.load(key, STANDARD).collateral.tcb_info.evaluation_number == 18
    left = {path.name for path in cache.path(key, STANDARD).parent.iterdir()}
    assert left == {"standard.json", "standard.lock"}


def test_full_disk_leaves_the_old_entry(
    cache: CollateralCache, platform: Platform, key: PlatformKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system cannot make the bytes durable, nothing is replaced and nothing is left."""
    cache.store(key, STANDARD, minted(platform, evaluation=17), at=AT)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    newer = minted(platform, evaluation=18)
    with pytest.raises(OSError, match="No space"):
        cache.store(key, STANDARD, newer, at=AT)
    assert cache.load(key, STANDARD).collateral.tcb_info.evaluation_number == 17
    left = {path.name for path in cache.path(key, STANDARD).parent.iterdir()}
    assert left == {"standard.json", "standard.lock"}


def test_many_processes_never_go_back(
    root: TrustRoot, platform: Platform, key: PlatformKey, tmp_path: Path
) -> None:
    """Writers that race end with the newest evaluation, whatever their order."""
    cache = CollateralCache(tmp_path / "cache", root=root)
    writers = []
    for number in (21, 17, 20, 18, 19):
        file = tmp_path / f"{number}.json"
        file.write_text(minted(platform, evaluation=number).to_json())
        arguments = [
            str(tmp_path / "cache"),
            root.certificate.der.hex(),
            key.fmspc.hex(),
            str(file),
            AT.isoformat(),
            "never",
        ]
        command = [sys.executable, "-c", textwrap.dedent(CRASH), *arguments]
        writers.append(subprocess.Popen(command, stderr=subprocess.PIPE))
    errors = [writer.communicate(timeout=600)[1] for writer in writers]
    assert cache.load(key, STANDARD).collateral.tcb_info.evaluation_number == 21
    assert all(not error or b"COLLATERAL_ROLLBACK" in error for error in errors)


def platform_collateral(platform: Platform, number: int) -> dict[str, str]:
    """The platform's collateral of one evaluation, as a service has it."""
    spec = platform.collateral_spec(tdx=True)
    return replace(
        spec,
        tcb_info=replace(spec.tcb_info, evaluation_number=number),
        qe_identity=replace(spec.qe_identity, evaluation_number=number),
    ).mint(platform.pki)
