"""The policy file a command is given."""

from __future__ import annotations

from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.policy import Policy
from quotary.policy.file import MAX_POLICY_BYTES, PolicyFileError, parse_policy

__all__ = ["read_policy"]


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
