"""What `pip install quotary` gives: the built wheel, beside `cryptography` and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from quotary_enclave.simulator import Simulator, sample_td

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_795_000_000
# The base install: what the wheel requires, and what that requires in turn.
BASE = ("cryptography", "cffi", "pycparser")
EXTRAS = {
    "audit": "bridge",
    "batch": "bridge",
    "collateral": "fetch",
    "demo": "demo",
    "deploy": "bridge",
    "doctor": "bridge",
    "gateway": "bridge",
    "measurement": "bridge",
    "model": "bridge",
    "platform": "bridge",
    "relay": "bridge",
    "request": "bridge",
    "work": "bridge",
    "worker": "bridge",
    "zk": "bridge",
}
NEEDS = {"collateral": ("fetch", "--fmspc", "00806f050000")}


def link_distribution(name: str, site: Path) -> None:
    """Make the files of one installed distribution, and no other, visible in `site`."""
    found = distribution(name)
    for file in found.files or ():
        top = site / file.parts[0]
        source = Path(str(found.locate_file(file.parts[0])))
        if file.parts[0] not in {"..", "__pycache__"} and not top.exists():
            top.symlink_to(source)


def required(extra: str) -> set[str]:
    """The distributions that `pip install 'quotary[extra]'` brings, ours left out."""
    found: set[str] = set()
    open_ends = [("quotary", extra), ("quotary", "")]
    seen = set(open_ends)
    while open_ends:
        name, chosen = open_ends.pop()
        found.add(name)
        for line in distribution(name).requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": chosen}):
                ends = {(wanted.name, each) for each in ("", *wanted.extras)} - seen
                seen |= ends
                open_ends += ends
    return found - {"quotary"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as pip leaves it after installing the wheel without extras."""
    built = tmp_path_factory.mktemp("built")
    build = f"from hatchling.build import build_wheel; build_wheel({str(built)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True)
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    for name in BASE:
        link_distribution(name, folder)
    return folder


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python that sees the standard library and `site` alone: `-S` leaves everything else out."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "HOME": str(site)}
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=site,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quote, its collateral and its root, as files."""
    folder = tmp_path_factory.mktemp("evidence")
    simulator = Simulator(datetime.fromtimestamp(NOW, UTC), seed=b"wheel")
    platform = simulator.platform()
    (folder / "quote").write_bytes(platform.quote(sample_td(simulator)))
    (folder / "collateral").write_text(json.dumps(simulator.collateral(platform)))
    (folder / "root").write_bytes(simulator.root_der)
    return folder


def test_quotes_verify_with_cryptography_alone(site: Path, evidence: Path) -> None:
    """The base install verifies a quote from files."""
    ran = run(
        site,
        *("-m", "quotary", "quote", "verify", str(evidence / "quote"), "--at", str(NOW), "--json"),
        *("--collateral", str(evidence / "collateral"), "--root", str(evidence / "root")),
    )
    assert ran.returncode == 0, ran
    assert json.loads(ran.stdout)["tcb_status"] == "UpToDate"


def test_importing_the_library_imports_nothing_else(site: Path) -> None:
    """`import quotary` brings in `cryptography`, and neither commands nor network nor files."""
    code = (
        "import sys, quotary\n"
        "files = {name: getattr(m, '__file__', None) for name, m in sys.modules.items()}\n"
        "print(*{name.partition('.')[0] for name, file in files.items() "
        "if file and file.startswith(sys.argv[1])})\n"
        "print(*[name for name in ('argparse', 'socket', 'ssl', 'quotary.cli', 'quotary.fetch') "
        "if name in sys.modules])"
    )
    ran = run(site, "-c", code, str(site))
    assert ran.returncode == 0, ran
    ours, unwanted = ran.stdout.split("\n")[:2]
    assert {"quotary"} <= set(ours.split()) <= {"quotary", "cryptography", "_cffi_backend"}, ours
    assert not unwanted


@pytest.mark.parametrize(("command", "extra"), EXTRAS.items())
def test_commands_of_extras_say_what_to_install(site: Path, command: str, extra: str) -> None:
    """One line, exit code 6, and the very command that helps."""
    ran = run(site, "-m", "quotary", command, *NEEDS.get(command, ("anything",)))
    assert (ran.returncode, ran.stdout) == (6, ""), ran
    assert ran.stderr.count("\n") == 1
    assert f"pip install 'quotary[{extra}]'" in ran.stderr


def test_a_command_added_to_another_says_what_to_install(site: Path) -> None:
    """The bridge's part of `quotary collateral`, by its whole name."""
    ran = run(site, "-m", "quotary", "collateral", "push", "--file", "collateral.json")
    assert (ran.returncode, ran.stdout) == (6, ""), ran
    assert "quotary collateral push" in ran.stderr
    assert "pip install 'quotary[bridge]'" in ran.stderr


def test_every_command_of_the_wheel_is_covered_here(site: Path) -> None:
    """A command that other packages add is listed above, and the help works without them."""
    ran = run(site, "-m", "quotary", "--help")
    assert ran.returncode == 0, ran
    (entries,) = site.glob("quotary-*.dist-info/entry_points.txt")
    declared = entries.read_text(encoding="utf-8").partition("[quotary.commands]")[2]
    declared = declared.partition("\n[")[0]
    names = {line.partition("=")[0].strip() for line in declared.splitlines() if "=" in line}
    assert names <= set(EXTRAS)
    assert all(name in ran.stdout for name in names)


# What each extra is for: a package of which all modules can be imported once it is installed, but
# for those that are another extra's.
ALONE = {
    "fetch": ("quotary", {"quotary.workloads.aci"}),
    "aci": ("quotary", {"quotary.fetch._http", "quotary.workloads.live"}),
    "enclave": (
        "quotary_enclave",
        {f"quotary_enclave.model.{name}" for name in ("advisor", "bert", "weights")},
    ),
    # Alembic runs `env` by itself; the other one says what to install.
    "bridge": (
        "quotary_bridge",
        {"quotary_bridge.store.migrations.env", "quotary_bridge.work.procrastinate"},
    ),
}
IMPORTING = """
import importlib, pkgutil, sys
top, *others = sys.argv[1:]
refused = set()
for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            refused.add(module.name)
            if module.name not in others:
                print(module.name, repr(error))
print(*sorted(set(others) - refused))
"""
COMMANDS = """
from argparse import _SubParsersAction
from quotary.cli.main import _parser
def show(parser, path):
    parser.format_help()
    groups = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            show(child, (*path, name))
    print(*path)
show(_parser([]), ())
"""


@pytest.fixture(scope="module")
def sites(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Such a folder for the wheel with one extra."""

    def with_extra(extra: str) -> Path:
        folder = tmp_path_factory.mktemp(extra)
        for entry in site.iterdir():
            (folder / entry.name).symlink_to(entry)
        for name in required(extra):
            link_distribution(name, folder)
        return folder

    return with_extra


@pytest.mark.parametrize("extra", ALONE)
def test_an_extra_brings_all_that_it_is_for(
    sites: Callable[[str], Path], extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With it alone its package imports, but for what others bring; all commands are there."""
    package, others = ALONE[extra]
    commands = ""
    if extra == "bridge":
        exec(COMMANDS, {})  # noqa: S102 (the very program that is run there)
        commands = capsys.readouterr().out
    program = IMPORTING + (COMMANDS if commands else "")
    ran = run(sites(extra), "-c", program, package, *others)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert ran.stdout == f"\n{commands}"


def test_the_wheel_carries_no_test_and_no_evidence(site: Path) -> None:
    """Packages, exported contracts, licence: nothing else is distributed."""
    (record,) = site.glob("quotary-*.dist-info/RECORD")
    files = [line.split(",")[0] for line in record.read_text(encoding="utf-8").splitlines()]
    tops = {file.split("/")[0] for file in files if ".dist-info" not in file}
    assert tops == {"quotary", "quotary_bridge", "quotary_enclave"}
    assert {Path(file).suffix for file in files if ".dist-info" not in file} <= {
        *(".py", ".typed", ".json", ".mako", ".ini"),
    }
