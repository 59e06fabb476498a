"""The default policy: nothing outdated, nothing a host or a debugger can look into."""

from __future__ import annotations

from typing import Final

from quotary.policy._attributes import SgxAttributes, TdAttributeRules, XfamWithin
from quotary.policy._base import AllOf, Policy
from quotary.policy._platform import AllowedStatuses
from quotary.tcb import TcbStatus

__all__ = ["DEFAULT", "strict"]


def strict(
    *further: Policy,
    allowed_statuses: frozenset[TcbStatus] = frozenset({TcbStatus.UP_TO_DATE}),
) -> AllOf:
    """Return the default policy with other statuses, and `further` policies asked after it."""
    rules = (SgxAttributes(), TdAttributeRules(), XfamWithin(), AllowedStatuses(allowed_statuses))
    return AllOf((*rules, *further))


DEFAULT: Final = strict()
"""UpToDate only; no debug, no provisioning or launch key, no migration, no service TD, XFAM
as TDX modules allow it."""
