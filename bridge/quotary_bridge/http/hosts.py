"""
Answering those only who asked for us by a name of ours.

A page of somebody else may give its own name the address 127.0.0.1 once the browser has it, and
then reads what the loopback answers as its own (DNS rebinding): no token guards a loopback. What
such a page cannot change is the `Host` that the browser sends, which is the page's own name. So a
name has to be known; an address in numbers is nobody's to change, and always passes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["KnownHosts", "is_known"]

_LOCAL = "localhost"


class KnownHosts:
    """An application that refuses (403) whoever asks for a host that is not among `names`."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Serve `app`; `names` are compared without case, ports are not compared."""
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one without a `Host` comes from no browser."""
        app = self._app
        if scope["type"] == "http":
            asked = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if not all(is_known(host, self._names) for host in asked):
                app = JSONResponse(
                    {"error": {"code": "Forbidden", "message": "not asked for by a name of ours"}},
                    403,
                )
        await app(scope, receive, send)


def is_known(host: str, names: Collection[str]) -> bool:
    """Whether `host`, as in the header of that name, is an address, `localhost` or in `names`."""
    if host.startswith("["):
        name, _, _ = host[1:].partition("]")
    else:
        name, _, _ = host.partition(":")
    name = name.lower().removesuffix(".")
    if name == _LOCAL or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
