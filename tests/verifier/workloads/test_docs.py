"""docs/workloads.md shows commands that parse and code that runs."""

from __future__ import annotations

import json
import re
import shlex
from hashlib import sha256
from pathlib import Path

import pytest
from quotary import RawCollateral, TrustRoot
from quotary.cli.main import _parser
from quotary.errors import Reason
from quotary.policy.file import parse_policy
from quotary.workloads import Gap, Proof, Workload

from tests.verifier.workloads.guests import AT, Guest, collateral, simulator

PAGE = (Path(__file__).parents[3] / "docs" / "workloads.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (quotary (?:[^\n\\]|\\\n)+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    """Each command shown is one the parser takes."""
    arguments = shlex.split(command.replace("\\\n", "").replace("HEX", "00" * 32))[1:]
    assert _parser(arguments).parse_args(arguments).run


def test_every_command_is_shown() -> None:
    """Files and live, where there is both."""
    assert [command.split()[1] for command in COMMANDS] == ["workload", "chat", "aci", "aci"]


def test_code_runs() -> None:
    """With evidence, collateral and a policy of the reader's."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    guest = Guest()
    names: dict[str, object] = {
        "answer": json.dumps(guest.document()),
        "app_compose": guest.compose,
        "collateral": RawCollateral.from_json(json.dumps(collateral())),
        "policy": parse_policy("version = 1\n"),
        "now": AT,
        "root": TrustRoot.from_certificate(simulator().root_der),
        "mine": sha256(guest.compose).digest()[:20],
    }
    exec(compile(code, "docs/workloads.md", "exec"), names)  # noqa: S102 - our own page
    workload = names["workload"]
    assert isinstance(workload, Workload)
    assert Proof.GENUINE_TEE in workload.proofs


def test_names_exist() -> None:
    """Every reason, gap and proof the page names is one."""
    named = set(re.findall(r"`([A-Z][A-Z]+(?:_[A-Z]+)*)`", PAGE))
    variables = {name for name in named if name.startswith("QUOTARY_")}
    assert named - variables <= {*Reason, *Gap, *Proof} | {"IMAGE"}
