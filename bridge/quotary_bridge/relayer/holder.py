"""Who holds a lease: this process on this machine, and whether another one still lives."""

from __future__ import annotations

import os
import socket

__all__ = ["is_gone", "own_holder"]


def own_holder() -> str:
    """Return the name of this process, unique on this machine while it lives."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(holder: str) -> bool:
    """
    Whether `holder` was a process of this machine that has ended.

    False where that cannot be known: on another machine, or where the process id was given to
    somebody else. Then the lease has to run out.
    """
    host, _, number = holder.rpartition(":")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
