"""toolchain/solc behaves as solc does, as far as forge and py-solc-x rely on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOLC = ROOT / "toolchain" / "solc"
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"


def _run(
    *arguments: str, given: str = "", solc: Path = SOLC, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [solc, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings},
    )


def _compile(sources: dict[str, str], *arguments: str, solc: Path = SOLC) -> dict[str, Any]:
    given = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {"outputSelection": {"*": {"*": ["evm.bytecode.object"]}}},
    }
    done = _run("--standard-json", *arguments, given=json.dumps(given), solc=solc)
    assert done.returncode == 0, done.stderr
    output: dict[str, Any] = json.loads(done.stdout)
    return output


def test_it_says_its_version_as_solc_does() -> None:
    """Both tools read the version off the last line."""
    done = _run("--version")
    assert done.stdout.strip().splitlines()[-1].startswith("Version: 0.8.30+commit.")


def test_it_resolves_imports_between_given_sources_and_on_disk(tmp_path: Path) -> None:
    """Given sources come first; what is missing is read below the base path."""
    (tmp_path / "B.sol").write_text(f"{LICENCE}pragma solidity 0.8.30; contract B {{}}")
    imports = 'import "B.sol"; import "C.sol";'
    sources = {
        "A.sol": f"{LICENCE}pragma solidity 0.8.30; {imports} contract A {{}}",
        "C.sol": f"{LICENCE}pragma solidity 0.8.30; contract C {{}}",
    }
    output = _compile(sources, "--base-path", str(tmp_path), "--allow-paths", str(tmp_path))
    assert set(output["contracts"]) == {"A.sol", "B.sol", "C.sol"}
    assert "errors" not in output


def test_large_inputs_do_not_overflow_it() -> None:
    """Megabytes of source are more than soljson's own stack takes in one JSON text."""
    padding = "// " + "x" * 997 + "\n"
    sources = {
        f"S{i}.sol": f"{LICENCE}pragma solidity 0.8.30;\n{padding * 200}contract S{i} {{}}"
        for i in range(40)
    }
    assert len(_compile(sources)["contracts"]) == 40


def test_it_runs_from_a_path_with_spaces(tmp_path: Path) -> None:
    """Nothing in it depends on where it lies."""
    home = tmp_path / "a path with spaces"
    shutil.copytree(SOLC.parent, home / "toolchain")
    (home / "node_modules").symlink_to(ROOT / "node_modules")
    source = {"A.sol": f"{LICENCE}pragma solidity 0.8.30; contract A {{}}"}
    output = _compile(source, solc=home / "toolchain" / "solc")
    assert output["contracts"]["A.sol"]["A"]["evm"]["bytecode"]["object"]


def test_it_takes_the_node_it_is_given() -> None:
    """`$NODE` wins over PATH."""
    assert _run("--version", NODE=os.devnull).returncode != 0
    node = shutil.which("node")
    assert node is not None
    assert _run("--version", NODE=node).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--bin"], ["--standard-json", "--base-path"]])
def test_it_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    """A wrapper that ignores an option answers another question than was asked."""
    done = _run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("solc: ")


def test_input_that_is_no_json_is_refused() -> None:
    """The reason goes to stderr; stdout stays empty for the programs that parse it."""
    done = _run("--standard-json", given="no json")
    assert (done.returncode, done.stdout) == (2, "")
