"""
Why a worker refuses.

    WorkerError
    ├── RefusalError           the caller asked for what this worker does not do (HTTP 4xx)
    └── QuoteUnavailableError  the TEE gave no quote (HTTP 503)

A configuration that cannot be served raises `ConfigurationError` before the worker starts.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "ConfigurationError",
    "QuoteUnavailableError",
    "RefusalError",
    "WorkerError",
    "WorkerReason",
]


class WorkerReason(StrEnum):
    """The stable name of a refusal: the `code` of the error object, and a metric label."""

    ALREADY_REVEALED = "already_revealed"
    BAD_JSON = "bad_json"
    BAD_FIELD = "bad_field"
    BAD_NONCE = "bad_nonce"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    CHAIN_NOT_SERVED = "chain_not_served"
    CREDENTIAL_MISSING = "credential_missing"
    DEADLINE_EXPIRED = "deadline_expired"
    DEADLINE_OUT_OF_RANGE = "deadline_out_of_range"
    ENCODING_UNSUPPORTED = "encoding_unsupported"
    INPUT_NOT_TEXT = "input_not_text"
    INPUT_TOO_LARGE = "input_too_large"
    INTERNAL = "internal"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MODEL_NOT_SERVED = "model_not_served"
    NOT_COMMITTED = "not_committed"
    NOT_FOUND = "not_found"
    OPERATOR_MISMATCH = "operator_mismatch"
    ORACLE_NOT_SERVED = "oracle_not_served"
    OVERLOADED = "overloaded"
    QUOTE_UNAVAILABLE = "quote_unavailable"
    ROUND_NOT_CLOSED = "round_not_closed"
    RULE_NOT_SERVED = "rule_not_served"
    SESSION_NOT_ACCEPTED = "session_not_accepted"
    SIGNER_UNKNOWN = "signer_unknown"
    STATE_UNAVAILABLE = "state_unavailable"


class ConfigurationError(Exception):
    """The worker cannot be started as asked."""


class WorkerError(Exception):
    """The worker did not do what was asked; `reason` says why in one stable word."""

    def __init__(self, reason: str, detail: str, status: int, param: str | None = None) -> None:
        """Say `reason`; `param` names the field at fault, `status` is HTTP's."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.status = status
        self.param = param


class RefusalError(WorkerError):
    """The request is at fault; sending it again changes nothing, save for `OVERLOADED`."""

    def __init__(
        self, reason: str, detail: str, status: int = 400, param: str | None = None
    ) -> None:
        """Say `reason`; `param` names the field at fault."""
        super().__init__(reason, detail, status, param)


class QuoteUnavailableError(WorkerError):
    """The TEE, or the agent in front of it, gave no quote."""

    def __init__(self, detail: str) -> None:
        """Say in `detail` what the TEE did instead."""
        super().__init__(WorkerReason.QUOTE_UNAVAILABLE, detail, 503)
