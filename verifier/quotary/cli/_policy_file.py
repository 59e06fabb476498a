"""The policy file a command is given."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag
from typing import Any

from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.policy import Policy
from quotary.policy.file import MAX_POLICY_BYTES, PolicyFileError, parse_policy
from quotary.tcb import TeeType

__all__ = ["read_policy", "rule_terms"]


def read_policy(name: str) -> Policy:
    """Return the policy in the file `name`; raises `CommandError`, exit code 6, if it is none."""
    try:
        return parse_policy(read_input(name, MAX_POLICY_BYTES))
    except PolicyFileError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "POLICY_INVALID",
            f"{name}: {error.path}",
            found=error.problem,
            remedy="See docs/policy.md for the keys of a policy file.",
        ) from error
    except CommandError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            error.reason,
            error.item,
            found=error.found,
            remedy="Name a readable policy file.",
        ) from error


def rule_terms(rule: Policy) -> dict[str, str]:
    """Return what one rule asks, as texts: hex, names and numbers, sets in order."""
    return {name: _term(getattr(rule, name)) for name in getattr(rule, "__dataclass_fields__", ())}


def _term(value: Any) -> str:  # noqa: ANN401 - rules have terms of many types
    match value:
        case None:
            return "any"
        case bool():
            return "yes" if value else "no"
        case bytes():
            return value.hex()
        case Flag():
            parts = [flag.name or "" for flag in value]
        case frozenset():
            parts = sorted(map(_term, value))
        case Mapping():
            parts = [f"{_term(key)}: {_term(held)}" for key, held in value.items()]
        case TeeType():
            return value.name
        case _:
            return str(value)
    return ", ".join(parts) or "none"
