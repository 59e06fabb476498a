"""The model a worker serves: the port, and one implementation that runs on any CPU."""

from __future__ import annotations

from quotary_enclave.model.errors import (
    ModelError,
    ModelReason,
    ModelUnavailableError,
    QuestionError,
)
from quotary_enclave.model.port import Answer, Message, Model, Sha256, Units

__all__ = [
    "Answer",
    "Message",
    "Model",
    "ModelError",
    "ModelReason",
    "ModelUnavailableError",
    "QuestionError",
    "Sha256",
    "Units",
    "load_advisor",
]


def load_advisor() -> Model:
    """
    The advisor over the installed weights.

    Raises `ModelUnavailableError`, saying what to install, where weights or packages are missing.
    """
    try:
        # Here, not above: the port must be importable where numpy is not installed.
        from quotary_enclave.model.advisor import SemanticAdvisor  # noqa: PLC0415
    except ImportError as error:
        raise ModelUnavailableError(
            ModelReason.PACKAGE_MISSING,
            f"the package {error.name} is not installed: pip install 'quotary[model]'",
        ) from error
    return SemanticAdvisor()
