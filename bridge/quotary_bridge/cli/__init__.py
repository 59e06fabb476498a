"""
The bridge's commands, added to `quotary` through entry points of the group `quotary.commands`.

Results are text on stdout, or with `--json` one object that has a `schema_version`. Logs and errors
are on stderr. Exit codes are those of `quotary.cli.output.ExitCode`.
"""

from __future__ import annotations
