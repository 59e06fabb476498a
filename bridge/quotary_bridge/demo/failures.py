"""How a demonstration can fail: each way is a defect of ours or of the machine, and says which."""

from __future__ import annotations

__all__ = ["AttackSucceededError", "DemoError", "NotDeliveredError", "WorkerStartError"]


class DemoError(Exception):
    """The demonstration could not be played to its end."""

    reason = "DEMO_FAILED"
    remedy = "Run it again; if it fails again, please report what it printed."


class WorkerStartError(DemoError):
    """A worker program did not come up; the message is what it said last."""

    reason = "WORKER_NOT_STARTED"
    remedy = "Run quotary doctor; the model's weights are installed by make setup."


class NotDeliveredError(DemoError):
    """The relayer did not bring the answer within the cycles it was given."""

    reason = "NOT_DELIVERED"


class AttackSucceededError(DemoError):
    """Something that had to be refused was accepted: the demonstration has found a defect."""

    reason = "ATTACK_SUCCEEDED"
    remedy = "This is a security defect of quotary: please report it."
