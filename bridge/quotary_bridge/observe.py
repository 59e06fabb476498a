"""Logs: structured, on stderr, and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["configure_logging", "without_secrets"]

# What a field must be called to be withheld, whatever it holds.
_SECRET_FIELD = re.compile(r"(?i)password|passphrase|private|secret|mnemonic|seed|authorization")
# User information and everything behind the host of a URL: RPC providers put access keys there,
# and databases passwords.
_URL_SECRET = re.compile(
    r"((?:https?|postgres(?:ql)?(?:\+\w+)?)://)(?:[^/@\s]+@)?([^/\s?#]+)[/?#][^\s'\"]*"
)
_WITHHELD = "(withheld)"

# web3 logs every request's URL and body at this level.
_QUIET_LIBRARIES = ("web3", "urllib3", "httpx", "httpcore", "requests")


def without_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: withhold secret fields, and all of a URL behind its host."""
    for key, value in event.items():
        if _SECRET_FIELD.search(key):
            event[key] = _WITHHELD
        elif isinstance(value, str):
            event[key] = _URL_SECRET.sub(r"\1\2", value)
    return event


def configure_logging(*, verbosity: int = 0, as_json: bool = False) -> None:
    """
    Send logs to stderr: warnings, or with `verbosity` 1 information, with 2 everything.

    `as_json` writes one JSON object a line, for a machine that collects logs.
    """
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(max(verbosity, 0), 2)]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up for every line: whoever replaces stderr, as tests do, gets what is written then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
