"""Taking an input that the chain has no more than a hash of. What it holds is shown to nobody."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from quotary_bridge.model import Bytes32
from quotary_bridge.store import INPUT_BYTES_LIMIT, InputFolder, InputRefusal, InputRefusedError

__all__ = ["take_input"]

BODY_SECONDS = 30.0
"""Whoever sends 64 KiB more slowly holds a connection for nothing."""

_STATUS = {InputRefusal.TOO_LARGE: 413, InputRefusal.WRONG: 409, InputRefusal.FULL: 507}


async def take_input(inputs: InputFolder, commitment: Bytes32, request: Request) -> Response:
    """Keep the body of `request` as the input of `commitment`; raises `HTTPException`."""
    content = await _body(request)
    try:
        is_new = await run_in_threadpool(inputs.put, commitment, content)
    except InputRefusedError as refused:
        raise HTTPException(_STATUS[refused.reason], refused.detail) from None
    except OSError:
        # Its text names the folder.
        raise HTTPException(503, "the input cannot be written now") from None
    document = {"commitment": f"0x{commitment.hex()}", "bytes": len(content)}
    return JSONResponse(document, 201 if is_new else 200)


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > INPUT_BYTES_LIMIT:
                    raise HTTPException(413, f"at most {INPUT_BYTES_LIMIT} bytes")
    except TimeoutError:
        raise HTTPException(408, f"not complete after {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "not complete") from None
    return bytes(body)
