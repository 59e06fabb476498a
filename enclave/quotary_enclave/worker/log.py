"""One line of JSON per request, without anything that came from or goes to the caller."""

from __future__ import annotations

import json
import logging
import traceback

__all__ = ["failed", "refused", "served"]

_logger = logging.getLogger("quotary_enclave.worker")


def served(route: str, status: int) -> None:
    """A request was answered."""
    _logger.info(_line("served", route=route, status=status))


def refused(route: str, reason: str, status: int) -> None:
    """A request was refused."""
    _logger.warning(_line("refused", route=route, reason=str(reason), status=status))


def failed(route: str, error: Exception) -> None:
    """A request ran into a fault of ours: where and of what type, not the exception's text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else None
    _logger.error(_line("failed", route=route, error=type(error).__name__, place=place))


def _line(event: str, **fields: str | int | None) -> str:
    return json.dumps({"event": event, **fields}, separators=(",", ":"))
