"""
Sending one request over HTTP, with bounds on time and memory, synchronously or with asyncio.

httpcore is the layer beneath httpx. It follows no redirect, reads no environment, keeps no cookie
and decodes no content, so there is nothing of this to switch off and nothing to forget. Every
document gets a connection of its own: clients hold no socket between calls.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

import httpcore

from quotary.errors import Reason
from quotary.fetch._exchange import Request, Response
from quotary.fetch.errors import FetchError
from quotary.fetch.settings import CollateralService, Limits

__all__ = ["FAILURES", "AsyncHttp", "DeadlineBackend", "Http", "failure", "tls_context"]

_USER_AGENT: Final = "quotary"
_IDENTITY: Final = ("", "identity")


class Http:
    """Sends requests one at a time; blocks."""

    def __init__(self, service: CollateralService) -> None:
        """Load the TLS authorities once. Raises `OSError` for a `ca_file` that cannot be read."""
        self._limits = service.limits
        self._tls = tls_context(service.ca_file)

    def send(self, request: Request, seconds: float) -> Response | FetchError:
        """Return the answer, or what happened instead of one within `seconds`."""
        seconds = min(seconds, self._limits.document_seconds)
        backend = DeadlineBackend(monotonic() + seconds)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
                pool.stream(
                    "GET",
                    request.url,
                    headers=_headers(request),
                    extensions={"timeout": _timeouts(self._limits, seconds)},
                ) as answer,
            ):
                body = _Body(request, answer)
                for chunk in answer.iter_stream():
                    body.add(chunk)
                return body.response()
        except FetchError as error:
            return error
        except FAILURES as error:
            return failure(request.item, error)


class AsyncHttp:
    """Sends requests as asyncio tasks ask for them."""

    def __init__(self, service: CollateralService) -> None:
        """Load the TLS authorities once. Raises `OSError` for a `ca_file` that cannot be read."""
        self._limits = service.limits
        self._tls = tls_context(service.ca_file)

    async def send(self, request: Request, seconds: float) -> Response | FetchError:
        """Return the answer, or what happened instead of one within `seconds`."""
        seconds = min(seconds, self._limits.document_seconds)
        backend = _OwnedBackend()
        try:
            async with (
                asyncio.timeout(seconds),
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, network_backend=backend
                ) as pool,
                pool.stream(
                    "GET",
                    request.url,
                    headers=_headers(request),
                    extensions={"timeout": _timeouts(self._limits, seconds)},
                ) as answer,
            ):
                body = _Body(request, answer)
                async for chunk in answer.aiter_stream():
                    body.add(chunk)
                return body.response()
        except FetchError as error:
            return error
        except FAILURES as error:
            return failure(request.item, error)
        finally:
            await backend.aclose()


FAILURES: Final = (
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
    # Host names that are none (`a..b`) are found out by the resolver's encoding only.
    UnicodeError,
)


class _Body:
    """Collects an answer's body up to the bound of its request."""

    def __init__(self, request: Request, answer: httpcore.Response) -> None:
        self._request = request
        self._status = answer.status
        self._headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in answer.headers
        }
        self._chunks: list[bytes] = []
        self._length = 0
        length = self._headers.get("content-length", "")
        if length.isascii() and length.isdigit():
            self._require_fits(int(length[:20]))
        encoding = self._headers.get("content-encoding", "").strip().lower()
        if encoding not in _IDENTITY:
            raise FetchError(
                Reason.FETCH_ANSWER_INVALID,
                request.item,
                expected="no content encoding",
                found=ascii(encoding)[:40],
            )

    def add(self, chunk: bytes) -> None:
        self._length += len(chunk)
        self._require_fits(self._length)
        self._chunks.append(chunk)

    def response(self) -> Response:
        return Response(self._status, self._headers, b"".join(self._chunks))

    def _require_fits(self, length: int) -> None:
        if length > self._request.max_bytes:
            raise FetchError(
                Reason.INPUT_TOO_LARGE,
                self._request.item,
                expected=f"at most {self._request.max_bytes} bytes",
                found="more",
            )


class _DeadlineStream(httpcore.NetworkStream):
    """
    A stream whose every operation ends by one deadline.

    Timeouts alone bound the gaps between bytes: a peer that drips one byte per gap never times out.
    """

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects streams whose every operation ends by one deadline of the monotonic clock."""

    def __init__(self, deadline: float) -> None:
        """End everything by `deadline`."""
        self._backend = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _DeadlineStream(stream, self._deadline)


class _OwnedBackend(httpcore.AsyncNetworkBackend):
    """
    Remembers the streams it opened, to close them whatever happens.

    httpcore loses the stream of a TLS handshake that is cancelled, as a deadline does it.
    """

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()
        self._streams: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore declares it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        self._streams.append(stream)
        return stream

    async def aclose(self) -> None:
        for stream in self._streams:
            await stream.aclose()


def _left(deadline: float, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise error("the time for the document is over")
    return left if timeout is None else min(left, timeout)


def _headers(request: Request) -> list[tuple[str, str]]:
    return [
        ("User-Agent", _USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
        *request.headers,
    ]


def _timeouts(limits: Limits, whole: float) -> dict[str, float]:
    return {
        "connect": min(limits.connect_seconds, whole),
        "read": min(limits.read_seconds, whole),
        "write": min(limits.read_seconds, whole),
        "pool": whole,
    }


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Certificates and host names are always checked; there is no way to ask for less."""
    if ca_file is None:
        context = httpcore.default_ssl_context()
    else:
        context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def failure(item: str, error: BaseException) -> FetchError:
    """Return what `error`, one of `FAILURES`, means for the document `item`."""
    if isinstance(error, (TimeoutError, httpcore.TimeoutException)):
        return FetchError(
            Reason.FETCH_TIMEOUT, item, expected="a whole answer in time", found="none"
        )
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError):
            return FetchError(
                Reason.TLS_UNTRUSTED,
                item,
                expected="a certificate of a known authority, for this host",
                found=ascii(chain.verify_message),
            )
        chain = chain.__cause__ or chain.__context__
    text = ascii(str(error))[:200] if str(error) else type(error).__name__
    return FetchError(Reason.FETCH_FAILED, item, expected="an answer", found=text)
