"""
Registering a worker: ask it for a quote, verify the quote, prove the verdict.

1. A recent block gives the registry's challenge.
2. The worker quotes report data that bind its key to chain, registry, app, operator, challenge.
3. The verifier judges the quote; the binding is rebuilt here, never taken from the worker.
4. Committee or zk prove the journal to the chain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from eth_utils.address import is_address, to_checksum_address
from quotary import INTEL_ROOT, Policy, RawCollateral, TrustRoot, Verdict, verify
from quotary.binding import BINDING_VERSION, WorkerBinding, challenge, extended_report_data

from quotary_bridge.chain.contracts import Binding
from quotary_bridge.chain.port import Chain
from quotary_bridge.errors import ConfigurationError, EvidenceRejected, Reason, RpcUnavailable
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.workers import Endpoint

__all__ = ["Application", "Registration", "ask_for_quote", "require_bound", "verify_registration"]

REGISTER_PATH = "v1/quotary/register"
# A quote with its event log and manifest is some 100 kB.
ANSWER_BYTES_LIMIT = 4 * 1024 * 1024
QUOTE_TIMEOUT_SECONDS = 60.0
# The newest block may still be replaced; the one before has a hash that calls can already see.
CHALLENGE_DEPTH = 1
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Application:
    """For whom a worker is registered: an app at a registry, and the operator who is paid."""

    registry: Address
    app_id: Bytes32
    operator: Address


@dataclass(frozen=True, slots=True)
class Registration:
    """A worker's quote, and the binding that its report data must commit to."""

    worker: Address
    quote: bytes
    binding: Binding
    report_data: bytes


def ask_for_quote(
    url: str,
    application: Application,
    chain: Chain,
    timeout_seconds: float = QUOTE_TIMEOUT_SECONDS,
) -> Registration:
    """
    Ask the worker at `url` for a fresh quote, unverified.

    Raises `RpcUnavailable` where it does not answer sensibly, `ConfigurationError` where it refuses
    and says why.
    """
    block = chain.block(max(0, chain.head().number - CHALLENGE_DEPTH))
    expected = challenge(chain.chain_id, bytes.fromhex(application.registry[2:]), block.hash)
    answer = _post(
        url,
        {
            "chainId": chain.chain_id,
            "registry": application.registry,
            "appId": f"0x{application.app_id.hex()}",
            "operator": application.operator,
            "challengeBlock": block.number,
            "challenge": f"0x{expected.hex()}",
        },
        timeout_seconds,
    )
    worker, quote, key = _answered(url, answer)
    binding = Binding(
        version=BINDING_VERSION,
        chain_id=chain.chain_id,
        registry=application.registry,
        app_id=application.app_id,
        operator=application.operator,
        encryption_key=Bytes32(key),
        challenge_block=block.number,
        challenge=Bytes32(expected),
    )
    return Registration(worker, quote, binding, _report_data(worker, binding))


def verify_registration(
    registration: Registration,
    collateral: RawCollateral,
    *,
    policy: Policy | None,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> Verdict:
    """
    Return the verdict on a worker's quote.

    Raises the verifier's errors, and `EvidenceRejected` (`BINDING_MISMATCH`) where a genuine quote
    binds something else than was asked for.
    """
    verdict = verify(registration.quote, collateral, policy=policy, at=at, root=root)
    require_bound(registration, verdict)
    return verdict


def require_bound(registration: Registration, verdict: Verdict) -> None:
    """Require that `verdict` is on a quote for this registration; raises `EvidenceRejected`."""
    if verdict.report_data != registration.report_data:
        raise EvidenceRejected(
            Reason.BINDING_MISMATCH,
            f"the quote is genuine but binds other data than worker {registration.worker}, "
            "this chain, registry, app, operator and challenge",
            "ask the worker's operator: it may serve another chain or be replaying an old quote",
        )


def _report_data(worker: Address, binding: Binding) -> bytes:
    bound = WorkerBinding(
        chain_id=binding.chain_id,
        registry=bytes.fromhex(binding.registry[2:]),
        app_id=binding.app_id,
        operator=bytes.fromhex(binding.operator[2:]),
        encryption_key=binding.encryption_key,
        challenge_block=binding.challenge_block,
        challenge=binding.challenge,
    )
    return extended_report_data(bytes.fromhex(worker[2:]), bound)


def _post(url: str, document: dict[str, Any], timeout_seconds: float) -> Any:  # noqa: ANN401 (JSON)
    where = Endpoint(url).name
    limits = httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds))
    try:
        with (
            # No redirects and no proxies: only the address given is asked.
            httpx.Client(timeout=limits, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", f"{url.rstrip('/')}/{REGISTER_PATH}", json=document) as response,
        ):
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_LIMIT:
                    raise _unusable(where, f"answered more than {ANSWER_BYTES_LIMIT} bytes")
            status = response.status_code
    except httpx.HTTPError as error:
        raise RpcUnavailable(
            Reason.WORKER_UNREACHABLE,
            f"the worker at {where} does not answer ({type(error).__name__})",
            "start the worker, or correct its URL",
        ) from error
    try:
        answer = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise _unusable(where, f"answered HTTP status {status} without JSON") from None
    if status != httpx.codes.OK:
        raise ConfigurationError(
            Reason.WORKER_REFUSED,
            f"the worker at {where} refused with HTTP status {status}: {_said(answer)}",
            "compare chain, app and operator with the worker's own configuration",
        )
    return answer


def _answered(url: str, answer: object) -> tuple[Address, bytes, bytes]:
    where = Endpoint(url).name
    try:
        if not isinstance(answer, dict):
            raise TypeError("no object")  # noqa: TRY301 (all shapes of nonsense end below)
        worker = answer["worker"]
        quote = bytes.fromhex(answer["quote"].removeprefix("0x"))
        key = bytes.fromhex(answer["binding"]["encryptionKey"].removeprefix("0x"))
        known = is_address(worker) and len(key) == len(Bytes32(bytes(32)))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _unusable(where, "answered without worker, quote and encryption key") from None
    if not known:
        raise _unusable(where, "named no address or no 32-byte encryption key")
    return Address(to_checksum_address(worker)), quote, key


def _said(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    shown = str(text or "no reason given")[:_SHOWN_CHARACTERS]
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _unusable(where: str, what: str) -> RpcUnavailable:
    return RpcUnavailable(
        Reason.WORKER_UNREACHABLE, f"the worker at {where} {what}", "check that this is a worker"
    )
