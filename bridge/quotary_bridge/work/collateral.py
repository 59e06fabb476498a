"""Keeping collateral fresh: a task that never ends, and is due again and again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from quotary import QuotaryError
from quotary.fetch import CollateralClient, PckCa, PlatformKey, UpdateChannel
from quotary.tcb import TeeType

from quotary_bridge.errors import Reason, Transient
from quotary_bridge.store import Claim, Task
from quotary_bridge.work.step import Handler, Later, Outcome

__all__ = ["COLLATERAL", "CollateralUnavailable", "collateral_handler", "collateral_task"]

COLLATERAL = "collateral"

Clients = Callable[[UpdateChannel], CollateralClient]


class CollateralUnavailable(Transient):
    """The service gave no collateral that verifies; what is filed stays."""


def collateral_task(
    key: PlatformKey, channel: UpdateChannel, *, every: timedelta, margin: timedelta
) -> Task:
    """Return the task of looking at `key` each `every`, and renewing it `margin` before its end."""
    given = {
        "tee": key.tee,
        "fmspc": key.fmspc.hex(),
        "ca": key.ca.value,
        "channel": channel.name,
        "every_seconds": int(every.total_seconds()),
        "margin_seconds": int(margin.total_seconds()),
    }
    return Task(COLLATERAL, f"{key} ({channel.name})", given)


def collateral_handler(clients: Clients, now: Callable[[], int]) -> Handler:
    """Return what looks at one platform's collateral; clients file what they fetch in a cache."""

    def _refresh(held: Claim) -> Outcome:
        given = held.task.given
        key = PlatformKey(
            TeeType[given["tee"].upper()], bytes.fromhex(given["fmspc"]), PckCa(given["ca"])
        )
        client = clients(UpdateChannel.parse(given["channel"]))
        at, margin = datetime.fromtimestamp(now(), UTC), timedelta(seconds=given["margin_seconds"])
        try:
            fetched = client.current(key, at=at, margin=margin)
        except (QuotaryError, OSError) as error:
            # Not the task's end: the next answer may be a good one, and nothing worse was filed.
            raise CollateralUnavailable(Reason.COLLATERAL_UNAVAILABLE, str(error)) from error
        until = fetched.collateral.valid_until
        return Later(
            given["every_seconds"], {"valid_until": until, "fetched": not fetched.from_cache}
        )

    return _refresh
