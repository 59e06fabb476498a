"""The interface, as OpenAPI 3.1 says it: a test holds what is answered to it."""

from __future__ import annotations

from typing import Any

from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import JobKind
from quotary_bridge.rounds import RoundState
from quotary_bridge.store import BatchState

__all__ = ["LIMIT_DEFAULT", "LIMIT_MOST", "OPENAPI"]

LIMIT_MOST = 100
LIMIT_DEFAULT = 50

_HEX_32 = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}
_HEX = {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}
_ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
_DECIMAL = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}
_COUNT = {"type": "integer", "minimum": 0}
_ERRANDS = [kind.value for kind in JobKind if kind not in (JobKind.ANSWER, JobKind.QUORUM)]
_STATE = {"type": "string", "enum": [state.value for state in JobState]}


def _object(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 (schemas are JSON)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(name: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return _object(items=items, next=_maybe(_HEX_32))


_SCHEMAS = {
    "Request": _object(
        key=_HEX_32,
        requestId=_HEX_32,
        chainId=_COUNT,
        oracle=_ADDRESS,
        appId=_HEX_32,
        modelId=_HEX_32,
        requester=_ADDRESS,
        inputBytes=_COUNT,
        deadline=_COUNT,
        callbackGas=_COUNT,
        fee=_DECIMAL,
        resultsNeeded=_COUNT,
        block=_COUNT,
        state=_STATE,
        reason=_maybe({"type": "string"}),
        retries=_COUNT,
        terminal={"type": "boolean"},
    ),
    "Round": _object(
        round=_COUNT,
        state={"type": "string", "enum": [state.value for state in RoundState]},
        commitments={"type": "array", "items": _HEX_32},
        seats={
            "type": "array",
            "items": _object(
                worker=_ADDRESS,
                commitment=_maybe(_HEX_32),
                decision=_maybe(_HEX_32),
                fault=_maybe({"type": "string"}),
            ),
        },
    ),
    "Batch": _object(
        key=_HEX_32,
        chainId=_COUNT,
        oracle=_ADDRESS,
        appId=_HEX_32,
        modelId=_HEX_32,
        worker=_ADDRESS,
        root=_HEX_32,
        state={"type": "string", "enum": [state.value for state in BatchState]},
        reason=_maybe({"type": "string"}),
        batchId=_maybe(_DECIMAL),
        operator=_maybe(_ADDRESS),
    ),
    "BatchDocument": _object(
        chain_id=_COUNT,
        oracle=_ADDRESS,
        batch={"type": "object", "additionalProperties": {"type": "string"}},
        answers={"type": "array", "items": _object(made=_HEX, output=_HEX, units=_COUNT)},
        signature=_HEX,
    ),
    "Errand": _object(
        key=_HEX_32,
        requestId=_HEX_32,
        kind={"type": "string", "enum": _ERRANDS},
        target=_maybe(_ADDRESS),
        state=_STATE,
        reason=_maybe({"type": "string"}),
        terminal={"type": "boolean"},
    ),
    "Result": _object(
        key=_HEX_32,
        requestId=_HEX_32,
        worker=_ADDRESS,
        outputHash=_HEX_32,
        output=_HEX,
        signature=_HEX,
        units=_COUNT,
        nonce=_DECIMAL,
        deadline=_COUNT,
        final={"type": "boolean"},
    ),
    "Worker": _object(
        endpoint={"type": "string"},
        worker=_maybe(_ADDRESS),
        failures=_COUNT,
        restsUntil=_COUNT,
        lastFault={"type": "string"},
        leaving={"type": "boolean"},
    ),
    "Input": _object(commitment=_HEX_32, bytes=_COUNT),
    "Error": _object(error=_object(code={"type": "string"}, message={"type": "string"})),
}


def _answer(description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    if schema is None:
        return {"description": description}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_ERROR = {"$ref": "#/components/schemas/Error"}
_REFUSED = {
    "400": _answer("a parameter makes no sense", _ERROR),
    "401": _answer("the token is missing or wrong", _ERROR),
    "403": _answer("not asked for by an address, localhost, or a name of ours", _ERROR),
    "503": _answer("the record cannot be read now", _ERROR),
}
_PAGE = [
    {
        "name": "limit",
        "in": "query",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": LIMIT_MOST,
            "default": LIMIT_DEFAULT,
        },
    },
    {"name": "after", "in": "query", "description": "`next` of the last page", "schema": _HEX_32},
]
_BY_STATE = {"name": "state", "in": "query", "schema": _STATE}
_KEY = {"name": "key", "in": "path", "required": True, "schema": _HEX_32}


def _get(
    summary: str, schema: dict[str, Any], *parameters: dict[str, Any], **more: dict[str, Any]
) -> dict[str, Any]:
    responses = {"200": _answer(summary, schema), **_REFUSED, **more}
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}


def _one(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_UNKNOWN = {"404": _answer("there is none", _ERROR)}
_HEALTH = _object(status={"type": "string"})

_HAND_IN = {
    "summary": "Hand in an input that the chain has no more than a hash of",
    "parameters": [_KEY | {"name": "commitment", "description": "SHA-256 of the input"}],
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    },
    "responses": {
        "200": _answer("it was here already", _one("Input")),
        "201": _answer("it is here now", _one("Input")),
        **_REFUSED,
        "403": _answer("as elsewhere; and no page of a browser hands inputs in", _ERROR),
        "404": _answer("no inputs are taken here", _ERROR),
        "408": _answer("the input took too long", _ERROR),
        "409": _answer("the input has another hash", _ERROR),
        "413": _answer("the input is too long", _ERROR),
        "507": _answer("there is no room for another input", _ERROR),
    },
}

OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Quotary relayer",
        "version": "1",
        "description": "What a relayer knows; lists come in pages, ordered by key.",
    },
    "security": [{"token": []}, {}],
    "paths": {
        "/v1/requests": _get("Requests", _list("Request"), *_PAGE, _BY_STATE),
        "/v1/requests/{key}": _get("One request", _one("Request"), _KEY, **_UNKNOWN),
        "/v1/rounds/{key}": _get("The rounds of a request", _list("Round"), _KEY, **_UNKNOWN),
        "/v1/batches": _get("Batches", _list("Batch"), *_PAGE),
        "/v1/batches/{key}": _get(
            "What a worker signed for a request and others, as claims are made of it",
            _one("BatchDocument"),
            _KEY,
            **_UNKNOWN,
        ),
        "/v1/errands": _get("What else is brought to the chain", _list("Errand"), *_PAGE),
        "/v1/results": _get("The results in use", _list("Result"), *_PAGE),
        "/v1/results/{key}": _get("The result of one request", _one("Result"), _KEY, **_UNKNOWN),
        "/v1/inputs/{commitment}": {"put": _HAND_IN},
        "/v1/workers": _get("How the workers do", _list("Worker")),
        "/healthz": {
            "get": {
                "summary": "Whether the process lives",
                "security": [],
                "responses": {"200": _answer("it does", _HEALTH), "403": _REFUSED["403"]},
            }
        },
        "/readyz": {
            "get": {
                "summary": "Whether cycles come to their end",
                "security": [],
                "responses": {
                    "200": _answer("they do", _HEALTH),
                    "403": _REFUSED["403"],
                    "503": _answer("not lately", _HEALTH),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Figures for Prometheus",
                "responses": {
                    "200": {
                        "description": "the text format, version 0.0.4",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    "401": _REFUSED["401"],
                    "403": _REFUSED["403"],
                    "503": _answer("the record cannot be read now", _ERROR),
                },
            }
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
}
