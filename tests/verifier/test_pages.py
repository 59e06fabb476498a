"""docs/library.md, cli.md and policy.md run as they stand; completion knows every command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from quotary.cli import main
from quotary.cli.completion import completion_script
from quotary.cli.main import _parser
from quotary.errors import REMEDIES, Reason
from quotary.policy import AllOf
from quotary.policy.file import parse_policy

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("library.md", "cli.md", "policy.md")
}


def blocks(page: str, language: str) -> list[str]:
    """The code of one language on a page."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)
    assert found
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files the first example of the library page writes."""
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("library.md", "python")[0], "library.md", "exec"), {})  # noqa: S102
    (tmp_path / "policy.toml").write_text("version = 1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_library_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """All examples in order, in one namespace, as a reader would paste them."""
    names: dict[str, object] = {}
    for code in blocks("library.md", "python"):
        exec(compile(code, "docs/library.md", "exec"), names)  # noqa: S102 - our own page
    assert "QUOTE_TRUNCATED" in capsys.readouterr().out
    assert Path("explained.html").stat().st_size > 10_000


@pytest.mark.usefixtures("folder")
def test_the_command_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command shown ends with exit code 0."""
    commands = [line for code in blocks("cli.md", "console") for line in code.splitlines()]
    assert len(commands) >= 12
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "quotary"
        assert main(arguments) == 0, command
        out, err = capsys.readouterr()
        assert out
        assert err == ""


def test_the_policy_page_parses() -> None:
    """Its files are policies, its commands parse, and the long one names every key there is."""
    shortest, longest = blocks("policy.md", "toml")
    assert isinstance(parse_policy(shortest), AllOf)
    assert len(parse_policy(longest).policies) > len(parse_policy(shortest).policies)
    for line in "".join(blocks("policy.md", "console")).splitlines():
        arguments = shlex.split(line)[1:]
        assert _parser(arguments).parse_args(arguments).command == "policy"
    from quotary.policy import file  # noqa: PLC0415

    for keys in (file._TCB_KEYS, file._PLATFORM_KEYS, file._SGX_KEYS, file._TD_KEYS):
        for key in keys.split(", "):
            assert key in PAGES["policy.md"], key


def test_generated_pages_are_what_the_code_says() -> None:
    """Every reason with its remedy, every row of the matrix."""
    reasons = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    for reason in Reason:
        assert f"| `{reason}` |" in reasons, f"run scripts/build_docs.py: {reason}"
        assert REMEDIES[reason].replace("|", "\\|") in reasons


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script of each shell names commands, subcommands and options; it parses where it can."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("quote", "verify", "policy", "simulate", "completion", "collateral", "explain"):
        assert word in script
    if shutil.which(shell):
        done = subprocess.run(
            [shell, "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("qu", {"quote"}),
        ("quote v", {"verify"}),
        ("quote verify --allow-s", {"--allow-status"}),
        ("quote verify --allow-status Up", {"UpToDate"}),
        ("collateral fetch --tee ", {"sgx", "tdx"}),
        ("collateral fetch --quote ", set()),
        ("quote verify ", set()),
        ("completion f", {"fish"}),
    ],
)
def test_completion_completes(typed: str, offered: set[str], tmp_path: Path) -> None:
    """Commands, options and choices; nothing where a file is meant, so that bash names files."""
    script = tmp_path / "completion.bash"
    script.write_text(completion_script(_parser([]), "bash"), encoding="utf-8")
    words = " ".join(f"'{word}'" for word in ["quotary", *typed.split(" ")])
    asked = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=({words}); "
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _quotary; echo ${COMPREPLY[*]}"
    )
    done = subprocess.run(
        [shutil.which("bash") or "", "--norc", "-c", asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")


def test_no_completion_for_other_shells() -> None:
    """A mistake of the caller, and of usage on the command line."""
    with pytest.raises(ValueError, match="tcsh"):
        completion_script(_parser([]), "tcsh")
    assert main(["completion", "tcsh"]) == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to complete in")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["quotary", "quo"], "quote"),
        (["quotary", "quote", "ver"], "verify"),
        (["quotary", "quote", "verify", "quote.bin", "--exp"], "--explain"),
        (["quotary", "--json", "policy", "sim"], "simulate"),
        (["quotary", "completion", "fi"], "fish"),
    ],
)
def test_bash_completes(line: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In a real bash, words in between do not lose the command."""
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    words = " ".join(shlex.quote(word) for word in line)
    script += f"COMP_WORDS=({words}); COMP_CWORD={len(line) - 1}; _quotary; "
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    bash = shutil.which("bash") or ""
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True, env={})
    assert done.stdout.split() == [expected]


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_public_face_is_typed(checker: str, tmp_path: Path) -> None:
    """`tests/typing` passes strictly under mypy, and under pyright where it is installed."""
    places = (Path(sys.executable).parent, ROOT / "node_modules" / ".bin")
    program = next((place / checker for place in places if (place / checker).exists()), None)
    if program is None:
        pytest.skip(f"{checker} is not installed, neither from PyPI nor from npm")
    options = ["--pythonpath", sys.executable]
    files = [f"tests/typing/{name}.py" for name in ("api", "clients", "layers")]
    if checker == "mypy":
        options = ["--strict", "--cache-dir", str(tmp_path)]
    packages = os.pathsep.join(str(ROOT / name) for name in ("verifier", "bridge"))
    done = subprocess.run(
        [str(program), *options, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "MYPYPATH": packages,
            "PYTHONPATH": packages,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
