"""
Quotes from the dstack guest agent: JSON over HTTP on a Unix socket.

Source: Dstack-TEE/dstack, guest agent RPC: `POST /GetQuote {"report_data": "<hex>"}` answers
`quote, event_log, report_data, vm_config`; `POST /Info` answers `app_id, instance_id, tcb_info`;
`POST /GetKey {"path", "purpose"}` answers `key`, 32 bytes as hex, the same for the same path in
every instance of one app.
"""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from quotary_enclave.worker import bounded_json
from quotary_enclave.worker.errors import QuoteUnavailableError
from quotary_enclave.worker.quotes import QuoteEvidence, require_bound

__all__ = ["DEFAULT_SOCKET", "MAX_REPLY_BYTES", "DstackGuest"]

DEFAULT_SOCKET: Final = "/var/run/dstack.sock"

MAX_REPLY_BYTES: Final = 4 * 1024 * 1024
"""Genuine replies are below 40 KB; an `Info` carries the compose file, which may be larger."""

TIMEOUT_SECONDS: Final = 20.0
"""A TDX quote takes well below a second; the agent may be starting."""

_HTTP_OK: Final = 200
_KEY_BYTES: Final = 32


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("dstack", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DstackGuest:
    """A `QuoteSource` inside a dstack confidential VM."""

    simulated: Final = False

    def __init__(self, path: str = DEFAULT_SOCKET, timeout: float = TIMEOUT_SECONDS) -> None:
        """Talk to the agent at the socket `path`; nothing is sent before the first quote."""
        self._path = path
        self._timeout = timeout

    def quote(self, report_data: bytes) -> QuoteEvidence:
        """
        A fresh quote, with the event log, the VM's configuration and the compose file.

        Raises `QuoteUnavailableError`: no agent, a refusal, or an answer that is not one.
        """
        answer = self._call("/GetQuote", {"report_data": report_data.hex()})
        info = self._call("/Info", {})
        try:
            quote = bytes.fromhex(answer["quote"])
            event_log = _as_text(answer["event_log"])
            vm_config = _as_text(answer.get("vm_config") or {})
        except (KeyError, TypeError, ValueError) as error:
            raise QuoteUnavailableError("the agent's answer lacks a quote or its log") from error
        require_bound(quote, report_data)
        return QuoteEvidence(quote, event_log, vm_config, _compose(info), info)

    def sealing_key(self) -> bytes:
        """
        The app's key for this instance.

        Raises `QuoteUnavailableError`. Warning: what an instance is called, its host may decide: a
        copy of its disk under the same name opens there too.
        """
        instance = self._call("/Info", {}).get("instance_id")
        if not isinstance(instance, str) or not instance:
            raise QuoteUnavailableError("the agent names no instance, so no key is this one's own")
        path = {"path": f"quotary/1/vault/{instance}", "purpose": "sealing"}
        try:
            key = bytes.fromhex(self._call("/GetKey", path)["key"])
        except (KeyError, TypeError, ValueError) as error:
            raise QuoteUnavailableError("the agent's answer lacks a key") from error
        if len(key) < _KEY_BYTES:
            raise QuoteUnavailableError(f"the agent's key has {len(key)} bytes")
        return key

    def _call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        connection = _UnixConnection(self._path, self._timeout)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", method, json.dumps(arguments), headers)
            response = connection.getresponse()
            body = response.read(MAX_REPLY_BYTES + 1)
        except (OSError, HTTPException) as error:
            raise QuoteUnavailableError(
                f"the dstack agent cannot be reached: {type(error).__name__}"
            ) from error
        finally:
            connection.close()
        if response.status != _HTTP_OK or len(body) > MAX_REPLY_BYTES:
            raise QuoteUnavailableError(
                f"the dstack agent answered {method} with status {response.status}"
            )
        try:
            document = bounded_json.loads(body)
        except ValueError as error:
            raise QuoteUnavailableError("the agent's answer is not JSON") from error
        if not isinstance(document, dict):
            raise QuoteUnavailableError("the agent's answer is not a JSON object")
        return document


def _as_text(value: object) -> str:
    """JSON text of a field that some versions send as text and some as JSON."""
    if isinstance(value, str):
        bounded_json.loads(value)
        return value
    return json.dumps(value, separators=(",", ":"))


def _compose(info: dict[str, Any]) -> str | None:
    """The measured manifest, byte for byte, out of `tcb_info`, which may itself be JSON text."""
    tcb_info = info.get("tcb_info")
    if isinstance(tcb_info, str):
        try:
            tcb_info = bounded_json.loads(tcb_info)
        except ValueError:
            return None
    compose = tcb_info.get("app_compose") if isinstance(tcb_info, dict) else None
    return compose if isinstance(compose, str) else None
