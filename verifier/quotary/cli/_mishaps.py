"""What stops a fetch besides the service: a missing extra, an unreadable file, a wrong address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from quotary.cli.output import CommandError, ExitCode
from quotary.fetch import MissingExtraError

__all__ = ["translated"]


@contextmanager
def translated() -> Iterator[None]:
    """Turn exceptions of the machine into errors with a reason; those of the service have one."""
    try:
        yield
    except MissingExtraError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "EXTRA_MISSING",
            "quotary collateral",
            found="httpcore is not installed",
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
            ExitCode.USAGE,
            "USAGE",
            "address of the service",
            found=str(error),
            remedy="See --help.",
        ) from error
