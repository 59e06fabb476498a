"""What to offer, and by how much to raise it. Pure arithmetic."""

from __future__ import annotations

from quotary_bridge.model import Fees, Wei

__all__ = ["MINIMUM_RAISE_PERCENT", "capped", "raised"]

MINIMUM_RAISE_PERCENT = 10
"""Pools replace a transaction only for that much more on *both* fees (geth, reth: price bump)."""

_RAISE_PERCENT = 13
"""What we raise by: above the minimum, and no less than a full block raises the base fee (1/8)."""


def capped(suggested: Fees, cap: Wei) -> Fees:
    """Return `suggested`, with neither fee above `cap`."""
    return Fees(
        Wei(min(suggested.max_fee, cap)),
        Wei(min(suggested.max_priority_fee, suggested.max_fee, cap)),
    )


def raised(last: Fees, suggested: Fees, cap: Wei) -> Fees | None:
    """
    Return fees that replace a transaction offering `last`, or None where `cap` forbids it.

    Both rise, or follow `suggested` where that is more. Between the minimum raise and ours the cap
    may cut; below the minimum no pool would take the replacement, so there is none.
    """
    least_fee = _more(last.max_fee, MINIMUM_RAISE_PERCENT)
    least_tip = _more(last.max_priority_fee, MINIMUM_RAISE_PERCENT)
    if least_fee > cap or least_tip > cap:
        return None
    fee = min(cap, max(_more(last.max_fee, _RAISE_PERCENT), suggested.max_fee))
    tip = max(_more(last.max_priority_fee, _RAISE_PERCENT), suggested.max_priority_fee)
    return Fees(Wei(fee), Wei(min(fee, tip)))


def _more(amount: Wei, percent: int) -> int:
    # Rounded up, and at least one wei: ten per cent of nothing would replace nothing.
    return max(amount + 1, -(-amount * (100 + percent) // 100))
