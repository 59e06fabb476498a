"""Which exit code says what about fetching: the service, the configuration, or the collateral."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from quotary.cli.output import CommandError, ExitCode
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch import FetchError, MissingExtraError

__all__ = ["command_error", "translated"]

_CONFIGURATION: Final = frozenset(
    {Reason.HOST_NOT_ALLOWED, Reason.TLS_REQUIRED, Reason.PATH_ESCAPE}
)
_STALE: Final = frozenset({Reason.COLLATERAL_ROLLBACK, Reason.CACHE_EMPTY, Reason.CACHE_DAMAGED})


@contextmanager
def translated() -> Iterator[None]:
    """Turn what stops a fetch into errors with the exit code that says so."""
    try:
        yield
    except (FetchError, CollateralError) as error:
        translation = command_error(error)
        if translation is None:
            raise
        raise translation from error
    except MissingExtraError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "EXTRA_MISSING",
            "quotary collateral",
            found="httpx is not installed",
            remedy="Install it with: pip install 'quotary[fetch]'.",
        ) from error
    except OSError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "FILE_UNREADABLE",
            str(error.filename or "file"),
            found=error.strerror or type(error).__name__,
            remedy="Look at the file or folder named, its permissions and the space left.",
        ) from error
    except ValueError as error:
        raise CommandError(
            ExitCode.USAGE, "USAGE", "collateral service", found=str(error), remedy="See --help."
        ) from error


def command_error(error: QuotaryError) -> CommandError | None:
    """Return `error` with its exit code, None where the general rule is right."""
    if error.reason in _CONFIGURATION:
        code = ExitCode.CONFIGURATION
    elif error.reason in _STALE:
        code = ExitCode.STALE
    elif isinstance(error, FetchError):
        code = ExitCode.NETWORK
    else:
        return None
    found = error.found
    if error.expected is not None:
        found = f"{found or 'nothing'}, expected {error.expected}"
    return CommandError(code, str(error.reason), error.item, found=found, remedy=error.remedy)
