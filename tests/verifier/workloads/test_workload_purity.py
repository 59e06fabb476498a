"""Workload verification does no I/O, and asks for an extra only where it needs one."""

from __future__ import annotations

import subprocess
import sys

import pytest
import quotary.workloads
import quotary.workloads.aci
from quotary.workloads import Gap, Proof, Statement


def loaded_by(program: str) -> set[str]:
    """The modules a program leaves behind."""
    probe = f"import sys; sys.path[:0] = {sys.path!r}\n{program}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", probe], capture_output=True, check=True, text=True
    )
    return set(done.stdout.split())


def test_the_base_install_is_enough_to_import() -> None:
    """No YAML, no canonical JSON, no HTTP, no socket."""
    loaded = loaded_by("import quotary.workloads")
    assert not {"yaml", "rfc8785", "httpx", "httpcore", "socket", "logging", "asyncio"} & loaded


def test_aci_needs_canonical_json_only() -> None:
    """The live module is not part of it."""
    loaded = loaded_by("import quotary.workloads.aci")
    assert "rfc8785" in loaded
    assert not {"yaml", "httpx", "httpcore", "socket", "quotary.workloads.live"} & loaded


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        (
            "rfc8785",
            "'aci','verify','--no-hardware','--report',sys.argv[0],'--unchallenged'",
            "aci",
        ),
        (
            "httpcore",
            "'chat','verify','--no-hardware','--url','http://127.0.0.1:9','--request',sys.argv[0]",
            "fetch",
        ),
    ],
)
def test_a_missing_extra_is_named(module: str, arguments: str, extra: str) -> None:
    """Exit code 6 and what to install, not a stack trace."""
    program = (
        f"import sys\nsys.path[:0] = {sys.path!r}\nsys.modules[{module!r}] = None\n"
        f"sys.argv = [{__file__!r}]\nfrom quotary.cli import main\nsys.exit(main([{arguments}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    assert f"quotary[{extra}" in done.stderr


@pytest.mark.parametrize("code", [*Proof, *Gap])
def test_every_statement_has_its_sentence(code: Proof | Gap) -> None:
    """Codes are stable and equal their names; sentences end."""
    statement = Statement(code)
    assert code.value == code.name
    assert statement.text.endswith(".")
    assert statement.to_json() == {"code": code.value, "text": statement.text}


@pytest.mark.parametrize("module", [quotary.workloads, quotary.workloads.aci])
def test_public_names_are_sorted_and_exist(module: object) -> None:
    """`__all__` is what a reader may rely on."""
    names: list[str] = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(module, name) for name in names)
