"""What a fault is: a name, a deviation and the reason a strict verifier refuses it for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quotary_enclave.simulator.pki import Role
from quotary_enclave.simulator.reports import TdReport
from quotary_enclave.simulator.scenario import Scenario

__all__ = [
    "Deviation",
    "Fault",
    "always",
    "described",
    "flat",
    "nested",
    "platform_ca",
    "sgx",
    "td15",
    "tdx",
]

_DESCRIBED_SINCE = 5
_NESTED_SINCE = 4

Deviation = Callable[[Scenario], Scenario]


def always(_: Scenario) -> bool:
    """Fits every scenario."""
    return True


def sgx(scenario: Scenario) -> bool:
    """Fits quotes about enclaves."""
    return not scenario.tdx


def tdx(scenario: Scenario) -> bool:
    """Fits quotes about TDs."""
    return scenario.tdx


def td15(scenario: Scenario) -> bool:
    """Fits TD 1.5 and 1.5ex reports, which carry a second TCB."""
    body = scenario.quote.body
    return isinstance(body, TdReport) and body.tee_tcb_svn2 is not None


def flat(scenario: Scenario) -> bool:
    """Fits version 3."""
    return scenario.quote.version < _NESTED_SINCE


def nested(scenario: Scenario) -> bool:
    """Fits versions 4 and 5, where the QE's part is nested."""
    return scenario.quote.version >= _NESTED_SINCE


def described(scenario: Scenario) -> bool:
    """Fits version 5, which describes its body."""
    return scenario.quote.version >= _DESCRIBED_SINCE


def platform_ca(scenario: Scenario) -> bool:
    """Fits platforms of the Platform CA, which have an instance id and a configuration."""
    return scenario.ca is Role.PLATFORM_CA


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Exactly one deviation from good evidence, with every signature above it made again.

    `reason` is the verifier's stable name for it; `fits` tells which scenarios can have it. A fault
    whose `reason` is None is a harmless variation: a verifier must accept it.
    """

    name: str
    deviate: Deviation
    reason: str | None
    fits: Callable[[Scenario], bool] = always
