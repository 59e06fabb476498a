"""
Why a model cannot be loaded or a question cannot be answered.

    ModelError
    ├── ModelUnavailableError  the weights or the packages that read them are missing or damaged
    └── QuestionError          the input is not a question this model can answer
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ModelError", "ModelReason", "ModelUnavailableError", "QuestionError"]


class ModelReason(StrEnum):
    """The stable name of a refusal: tests and clients compare this, never the message."""

    WEIGHTS_MISSING = "weights_missing"
    WEIGHTS_MALFORMED = "weights_malformed"
    WEIGHTS_UNEXPECTED = "weights_unexpected"
    PACKAGE_MISSING = "package_missing"
    QUESTION_EMPTY = "question_empty"
    QUESTION_MALFORMED = "question_malformed"
    QUESTION_TOO_LONG = "question_too_long"
    OPTIONS_AMBIGUOUS = "options_ambiguous"
    OPTIONS_MALFORMED = "options_malformed"


class ModelError(Exception):
    """A model said no; `reason` says why in one stable word."""

    def __init__(self, reason: ModelReason, detail: str) -> None:
        """Say `reason`, and in `detail` what was found."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ModelUnavailableError(ModelError):
    """The model cannot be loaded on this machine."""


class QuestionError(ModelError):
    """The question cannot be answered; the same question will never be."""
