"""
The worker over HTTP.

What is hashed and signed is what is on the wire: bodies are read raw, responses are written as
the bytes that were hashed, and no header influences either. Log lines are one JSON object each;
they never hold a body, a query or a credential.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quotary_enclave.worker import log
from quotary_enclave.worker.aci import API_VERSION
from quotary_enclave.worker.errors import RefusalError, WorkerError, WorkerReason
from quotary_enclave.worker.fields import read_document
from quotary_enclave.worker.openai import encode
from quotary_enclave.worker.service import CHAT_ENDPOINT, ChatReply, Worker

__all__ = ["create_app"]

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]

_ERROR_TYPES: Mapping[int, str] = {
    401: "unauthorized",
    404: "not_found",
    412: "session_not_accepted",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}


def create_app(worker: Worker) -> Starlette:
    """The ASGI application that serves `worker`."""
    gateway = _Gateway(worker)
    return Starlette(
        routes=[
            Route("/healthz", _guarded(gateway.health)),
            Route("/v1/models", _guarded(gateway.models)),
            Route(CHAT_ENDPOINT, _guarded(gateway.chat), methods=["POST"]),
            Route("/v1/attestation/report", _guarded(gateway.chat_report)),
            Route("/v1/signature/{chat_id}", _guarded(gateway.signature)),
            Route("/v1/aci/attestation", _guarded(gateway.aci_report)),
            Route("/v1/aci/receipts/{id}", _guarded(gateway.receipt)),
            Route("/v1/quotary/worker", _guarded(gateway.identity)),
            Route("/v1/quotary/register", _guarded(gateway.register), methods=["POST"]),
            Route("/v1/quotary/results", _guarded(gateway.result), methods=["POST"]),
            Route("/v1/quotary/batches", _guarded(gateway.batch), methods=["POST"]),
            Route("/v1/quotary/commitments", _guarded(gateway.commitment), methods=["POST"]),
            Route("/v1/quotary/reveals", _guarded(gateway.reveal), methods=["POST"]),
        ],
        middleware=[Middleware(_AciHeaders, worker=worker)],
        exception_handlers={HTTPException: _routing_error},
    )


class _Gateway:
    """One method per endpoint; the blocking work runs in a bounded number of threads."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._limits = worker.config.limits
        self._threads = anyio.CapacityLimiter(self._limits.concurrent)
        self._pending = 0

    async def health(self, _: Request) -> Response:
        return _json({"status": "ok", "simulated": self._worker.simulated})

    async def models(self, _: Request) -> Response:
        return _json(self._worker.models())

    async def identity(self, _: Request) -> Response:
        return _json(self._worker.identity())

    async def chat_report(self, request: Request) -> Response:
        query = request.query_params
        report = partial(
            self._worker.reports.chat,
            query.get("signing_algo"),
            query.get("nonce"),
            query.get("signing_address"),
        )
        return _json(await self._run(report))

    async def aci_report(self, request: Request) -> Response:
        nonce = request.query_params.get("nonce")
        return _json(await self._run(partial(self._worker.reports.aci, nonce)))

    async def signature(self, request: Request) -> Response:
        return _json(
            self._worker.signature(
                request.path_params["chat_id"],
                request.query_params.get("signing_algo"),
                request.headers.get("authorization"),
            )
        )

    async def receipt(self, request: Request) -> Response:
        query = request.query_params
        key_id = query.get("key_id", "").removeprefix("receipt-")
        return _json(
            self._worker.receipt(
                request.path_params["id"],
                query.get("algo") or key_id,
                request.headers.get("authorization"),
            )
        )

    async def register(self, request: Request) -> Response:
        document = read_document(await self._body(request))
        return _json(await self._run(partial(self._worker.reports.registration, document)))

    async def result(self, request: Request) -> Response:
        document = read_document(await self._body(request))
        return _json(await self._run(partial(self._worker.result, document)))

    async def batch(self, request: Request) -> Response:
        document = read_document(await self._body(request))
        return _json(await self._run(partial(self._worker.batch, document)))

    async def commitment(self, request: Request) -> Response:
        document = read_document(await self._body(request))
        return _json(await self._run(partial(self._worker.commitment, document)))

    async def reveal(self, request: Request) -> Response:
        document = read_document(await self._body(request))
        return _json(await self._run(partial(self._worker.reveal, document)))

    async def chat(self, request: Request) -> Response:
        body = await self._body(request)
        credential = request.headers.get("authorization")
        reply = await self._run(partial(self._worker.chat, body, credential))
        headers = {"X-Receipt-Id": reply.served.exchange.receipt_id}
        if reply.stream:
            return StreamingResponse(
                self._stream(reply), media_type="text/event-stream", headers=headers
            )
        self._worker.record(reply)
        (chunk,) = reply.chunks
        return Response(chunk, media_type="application/json", headers=headers)

    async def _stream(self, reply: ChatReply) -> AsyncIterator[bytes]:
        """Send the chunks; a stream cut short leaves no receipt for bytes that were never sent."""
        *first, last = reply.chunks
        for chunk in first:
            yield chunk
        # Before the last chunk, not after: a caller may ask for the receipt as soon as it has it.
        self._worker.record(reply)
        yield last

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limits.concurrent + self._limits.waiting:
            raise RefusalError(WorkerReason.OVERLOADED, "too many requests are waiting", 429)
        self._pending += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._pending -= 1

    async def _body(self, request: Request) -> bytes:
        """The body as it is on the wire. Raises `RefusalError`: encoded, too large, too slow."""
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RefusalError(
                WorkerReason.ENCODING_UNSUPPORTED, "bodies are read uncompressed only", 415
            )
        body = bytearray()
        try:
            with anyio.fail_after(self._limits.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._limits.body_bytes:
                        raise RefusalError(
                            WorkerReason.BODY_TOO_LARGE,
                            f"a body has at most {self._limits.body_bytes} bytes",
                            413,
                        )
        except TimeoutError as error:
            raise RefusalError(
                WorkerReason.BODY_TOO_SLOW, "the body did not arrive", 408
            ) from error
        return bytes(body)


class _AciHeaders:
    """Adds the ACI headers to every response (ACI section 5.2); hints, which bind nothing."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-aci-version", API_VERSION.encode()),
                    (b"x-aci-keyset-digest", self._worker.keyset_digest().encode()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _guarded(handler: Handler) -> Handler:
    """
    `handler`, with every failure turned into an OpenAI-style error object and one log line.

    An unforeseen exception is logged by its type and place only: its text may quote an input.
    """

    async def endpoint(request: Request) -> Response:
        route = request.scope["route"].path
        try:
            response = await handler(request)
        except WorkerError as error:
            log.refused(route, error.reason, error.status)
            return _error(error)
        except ClientDisconnect:
            log.refused(route, "client_disconnected", 499)
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the edge: nothing may escape with its text
            log.failed(route, error)
            return _error(WorkerError(WorkerReason.INTERNAL, "the worker failed", 500))
        log.served(route, response.status_code)
        return response

    return endpoint


async def _routing_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    reason = WorkerReason.METHOD_NOT_ALLOWED if status == 405 else WorkerReason.NOT_FOUND  # noqa: PLR2004
    return _error(WorkerError(reason, "no such endpoint", status))


def _error(error: WorkerError) -> Response:
    document = {
        "error": {
            "message": error.detail,
            "type": _ERROR_TYPES.get(error.status, "invalid_request_error"),
            "param": error.param,
            "code": str(error.reason),
        }
    }
    headers = {"Retry-After": "1"} if error.reason == WorkerReason.OVERLOADED else None
    return _json(document, error.status, headers)


def _json(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        encode(document), status_code=status, headers=headers, media_type="application/json"
    )
