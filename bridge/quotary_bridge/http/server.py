"""
Serving beside a relayer: one thread, on the loopback unless a token guards it.

Whoever asks has to ask for an address, `localhost`, or a name that is known to be ours.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.http.hosts import KnownHosts

__all__ = ["Listening", "Server", "listening"]

PORT_LIMIT = 1 << 16
CONNECTIONS_LIMIT = 64
STOP_SECONDS = 5
MINIMUM_TOKEN_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and by which further names; the token stays out of every text."""

    host: str
    port: int
    token: str | None = None
    names: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without the token."""
        return f"Listening({self.host}, {self.port})"


def listening(where: str, token: str | None, names: Iterable[str] = ()) -> Listening:
    """
    Parse `HOST:PORT`; port 0 chooses one. `names` are those that lead there besides.

    Raises `ConfigurationError` where it is none, where the token is short, and where anybody could
    reach it and no token guards it.
    """
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port) >= PORT_LIMIT:
        raise _invalid(f"{where!r} is no HOST:PORT", "give --listen 127.0.0.1:8760")
    if token is not None and len(token) < MINIMUM_TOKEN_CHARACTERS:
        raise _invalid(
            f"the API token has fewer than {MINIMUM_TOKEN_CHARACTERS} characters",
            "make one: openssl rand -hex 32",
        )
    if token is None and not _is_loopback(host):
        raise _invalid(
            f"{host} can be reached by others, and no token guards the API",
            "listen on 127.0.0.1, or give --token-file",
        )
    return Listening(host, int(port), token, frozenset(names))


class Server:
    """Serves an application while its `with` block lasts; `url` is where."""

    def __init__(self, app: Starlette, where: Listening) -> None:
        """Listen at once, so that a taken port is known before any work begins."""
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        try:
            self._socket = socket.create_server((where.host, where.port), family=family)
        except OSError as error:
            raise _invalid(
                f"nothing can listen at {where.host}:{where.port}: {error.strerror}",
                "choose another port, or 0 for any",
            ) from None
        port = self._socket.getsockname()[1]
        self.url = f"http://{f'[{where.host}]' if ':' in where.host else where.host}:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                KnownHosts(app, where.names | {where.host}),
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_LIMIT,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Answer what was asked, then stop."""
        self._server.should_exit = True
        self._thread.join(2 * STOP_SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Reason.CONFIGURATION_INVALID, message, remedy)
