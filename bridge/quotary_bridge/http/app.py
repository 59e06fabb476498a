"""
The routes. Everything is read from the record at the moment it is asked for; nothing is written but
inputs that the chain has no more than a hash of.

Inputs of requests are not shown, only how long they are: they may be somebody's secret.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quotary_bridge.errors import BridgeError
from quotary_bridge.http.inputs import take_input
from quotary_bridge.http.metrics import CONTENT_TYPE, Metrics
from quotary_bridge.http.openapi import LIMIT_DEFAULT, LIMIT_MOST, OPENAPI
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import Bytes32, JobKey, SignedResult
from quotary_bridge.rounds import Round
from quotary_bridge.store import BatchRecord, InputFolder, Store
from quotary_bridge.workers import Endpoint, Health

__all__ = ["View", "create_app"]

_KEY = re.compile(r"0x[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")
_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json"})
_BEARER = "Bearer "
_CODES = {
    400: "BadParameter",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "TooSlow",
    409: "WrongInput",
    413: "InputTooLarge",
    507: "InputsFull",
}

Answer = Callable[["View", Request], Response]


@dataclass(frozen=True, slots=True)
class View:
    """
    What the routes look at: `ready` tells whether cycles come to their end.

    `inputs` is where inputs are handed in, None where they are not.
    """

    store: Store
    metrics: Metrics
    workers: Callable[[], Mapping[Endpoint, Health]]
    ready: Callable[[], bool]
    open_jobs: Callable[[], Mapping[JobState, int]]
    inputs: InputFolder | None = None


def create_app(view: View, token: str | None = None) -> Starlette:
    """Return the application; with `token`, everything but health asks for it."""
    routes = {
        "/v1/requests": _requests,
        "/v1/requests/{key}": _request,
        "/v1/rounds/{key}": _rounds,
        "/v1/batches": _batches,
        "/v1/batches/{key}": _batch,
        "/v1/errands": _errands,
        "/v1/results": _results,
        "/v1/results/{key}": _result,
        "/v1/workers": _workers,
        "/healthz": _healthz,
        "/readyz": _readyz,
        "/metrics": _metrics,
        "/openapi.json": lambda _view, _request: JSONResponse(OPENAPI),
    }
    return Starlette(
        routes=[
            Route(path, _endpoint(view, answer, token), methods=["GET"])
            for path, answer in routes.items()
        ]
        + [Route("/v1/inputs/{commitment}", _taking(view, token), methods=["PUT"])],
        exception_handlers={HTTPException: _refused},
    )


def _endpoint(view: View, answer: Answer, token: str | None) -> Callable[[Request], Any]:
    async def _answered(request: Request) -> Response:
        if token is not None and request.url.path not in _OPEN_PATHS:
            _require(request, token)
        try:
            return await run_in_threadpool(answer, view, request)
        except BridgeError as error:
            # Its text may name files and hosts: whoever asks learns the stable reason only.
            raise HTTPException(503, error.reason.value) from None

    return _answered


def _taking(view: View, token: str | None) -> Callable[[Request], Any]:
    async def _taken(request: Request) -> Response:
        if token is not None:
            _require(request, token)
        _only(request)
        commitment = Bytes32(_key(request.path_params["commitment"]))
        if "origin" in request.headers:
            # Whatever name it found us by, a page in somebody's browser says where it is from.
            raise HTTPException(403, "no page hands inputs in")
        if view.inputs is None:
            raise HTTPException(404, "no inputs are taken here")
        return await take_input(view.inputs, commitment, request)

    return _taken


def _require(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "")
    expected = f"{_BEARER}{token}"
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    document = {
        "error": {"code": _CODES.get(error.status_code, "Unavailable"), "message": error.detail}
    }
    return JSONResponse(document, error.status_code, error.headers)


def _requests(view: View, request: Request) -> Response:
    limit, after = _page(request, "state")
    state = request.query_params.get("state")
    if state is not None and state not in set(JobState):
        raise HTTPException(400, "no such state")
    jobs = view.store.page(after, limit, None if state is None else JobState(state))
    return _listed([_job(job) for job in jobs], jobs[-1].key if len(jobs) == limit else None)


def _request(view: View, request: Request) -> Response:
    return JSONResponse(_job(_known(view, request)))


def _rounds(view: View, request: Request) -> Response:
    key = _known(view, request).key
    found = view.store.rounds([key]).get(key, [])
    return _listed([_round(held) for held in found], None)


def _batches(view: View, request: Request) -> Response:
    limit, after = _page(request)
    found = view.store.batch_page(after, limit)
    return _listed([_kept(held) for held in found], found[-1].key if len(found) == limit else None)


def _batch(view: View, request: Request) -> Response:
    document = view.store.batch_document_for(_known(view, request).key)
    if document is None:
        raise HTTPException(404, "no batch yet")
    return Response(document, media_type="application/json")


def _errands(view: View, request: Request) -> Response:
    limit, after = _page(request)
    jobs = view.store.page(after, limit, errands=True)
    return _listed([_errand(job) for job in jobs], jobs[-1].key if len(jobs) == limit else None)


def _results(view: View, request: Request) -> Response:
    limit, after = _page(request)
    jobs = view.store.page(after, limit, answered=True)
    found = view.store.results([(job.key, job.result) for job in jobs if job.result is not None])
    items = [_signed(job, signed) for job, signed in zip(jobs, found, strict=True)]
    return _listed(items, jobs[-1].key if len(jobs) == limit else None)


def _result(view: View, request: Request) -> Response:
    job = _known(view, request)
    if job.result is None:
        raise HTTPException(404, "no result yet")
    return JSONResponse(_signed(job, view.store.result(job.key, job.result)))


def _workers(view: View, request: Request) -> Response:
    _only(request)
    return _listed(
        [
            {
                "endpoint": endpoint.name,
                "worker": endpoint.worker,
                "failures": health.failures,
                "restsUntil": health.rests_until,
                "lastFault": health.last_fault,
                "leaving": health.leaving,
            }
            for endpoint, health in view.workers().items()
        ],
        None,
    )


def _healthz(_view: View, _request: Request) -> Response:
    return JSONResponse({"status": "alive"})


def _readyz(view: View, _request: Request) -> Response:
    ready = view.ready()
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


def _metrics(view: View, _request: Request) -> Response:
    store = view.store
    text = view.metrics.exposition(view.open_jobs(), store.open_rounds(), store.open_batch_counts())
    return Response(text, media_type=CONTENT_TYPE)


def _page(request: Request, *more: str) -> tuple[int, JobKey | None]:
    _only(request, "limit", "after", *more)
    limit = request.query_params.get("limit", str(LIMIT_DEFAULT))
    if not _NUMBER.fullmatch(limit) or int(limit) > LIMIT_MOST:
        raise HTTPException(400, f"a limit is a number from 1 to {LIMIT_MOST}")
    after = request.query_params.get("after")
    return int(limit), None if after is None else _key(after)


def _only(request: Request, *known: str) -> None:
    if not set(request.query_params) <= set(known):
        raise HTTPException(400, "an unknown parameter")


def _key(text: str) -> JobKey:
    if not _KEY.fullmatch(text):
        raise HTTPException(400, "a key is 0x and 64 lower-case hexadecimal digits")
    return JobKey(bytes.fromhex(text[2:]))


def _known(view: View, request: Request) -> Job:
    _only(request)
    job = view.store.job(_key(request.path_params["key"]))
    if job is None or job.errand is not None:
        raise HTTPException(404, "no such request")
    return job


def _listed(items: list[dict[str, Any]], after: JobKey | None) -> Response:
    return JSONResponse({"items": items, "next": None if after is None else _hex(after)})


def _job(job: Job) -> dict[str, Any]:
    asked = job.request
    return {
        "key": _hex(job.key),
        "requestId": _hex(asked.request_id),
        "chainId": asked.chain_id,
        "oracle": asked.oracle,
        "appId": _hex(asked.app_id),
        "modelId": _hex(asked.model_id),
        "requester": asked.requester,
        "inputBytes": len(asked.input),
        "deadline": asked.deadline,
        "callbackGas": asked.callback_gas,
        "fee": str(asked.fee),
        "resultsNeeded": asked.results_needed,
        "block": asked.block.number,
        "state": job.state.value,
        "reason": job.reason,
        "retries": job.retries,
        "terminal": job.terminal,
    }


def _errand(job: Job) -> dict[str, Any]:
    return {
        "key": _hex(job.key),
        "requestId": _hex(job.request.request_id),
        "kind": job.kind.value,
        "target": None if job.errand is None else job.errand.target,
        "state": job.state.value,
        "reason": job.reason,
        "terminal": job.terminal,
    }


def _kept(held: BatchRecord) -> dict[str, Any]:
    told = held.commitment
    return {
        "key": _hex(held.key),
        "chainId": held.chain_id,
        "oracle": held.oracle,
        "appId": _hex(held.app_id),
        "modelId": _hex(held.model_id),
        "worker": held.worker,
        "root": _hex(held.root),
        "state": held.state.value,
        "reason": held.reason,
        "batchId": None if told is None else str(told.batch_id),
        "operator": None if told is None else told.operator,
    }


def _round(held: Round) -> dict[str, Any]:
    return {
        "round": held.ordinal,
        "state": held.state.value,
        "commitments": [_hex(each) for each in held.commitments],
        "seats": [
            {
                "worker": seat.worker,
                "commitment": None if seat.commitment is None else _hex(seat.commitment),
                "decision": None if seat.signed is None else _hex(seat.signed.result.decision),
                "fault": seat.fault,
            }
            for seat in held.seats
        ],
    }


def _signed(job: Job, signed: SignedResult) -> dict[str, Any]:
    said = signed.result
    return {
        "key": _hex(job.key),
        "requestId": _hex(said.request_id),
        "worker": said.worker,
        "outputHash": _hex(said.output_hash),
        "output": _hex(signed.output),
        "signature": _hex(signed.signature),
        "units": said.units,
        "nonce": str(said.nonce),
        "deadline": said.deadline,
        "final": job.state is JobState.FINAL,
    }


def _hex(raw: bytes) -> str:
    return f"0x{raw.hex()}"
