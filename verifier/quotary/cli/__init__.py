"""
The `quotary` command: text for people on stdout, one line on stderr when something fails.

Other packages add commands through entry points of the group `quotary.commands`. An entry point is
named after its command and is a callable `register(subparsers) -> None`, whose parsers
`set_defaults(run=callable(args) -> int)`. What they share is in `quotary.cli.output` and
`quotary.cli.inputs`.
"""

from __future__ import annotations

from quotary.cli.main import main

__all__ = ["main"]
