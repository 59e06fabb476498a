"""Comparing what can change on a chain with the record: timelock, roles, routers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eth_utils.crypto import keccak

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import Timelock
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.deploy.openings import openings
from quotary_bridge.errors import DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["check_deployment", "entry_states"]

_TIMELOCK = "GovernanceTimelock"
# The events by which routers take entries: the key is the first indexed value, what it leads to the
# second value.
_ADDITIONS = (
    ("VerifierRouter", "RouteAdded", "route"),
    ("RiscZeroRouter", "VerifierAdded", "selector"),
)


def check_deployment(chain: Chain, record: Deployment) -> None:
    """
    Compare everything with the record: code, delays, who holds which role, where entries lead.

    Governor, guardian and all else that a constructor fixed are part of the code, whose hash is
    compared. What holds a role, or was added to a router, without being in the record is a
    difference too: events tell. Raises `DeploymentMismatch` with everything that differs.
    """
    record.check(chain)
    missing = sorted(record.planned.keys() - record.contracts.keys())
    found = [f"{name} is not deployed yet" for name in missing]
    if not missing:
        found += [*_of_timelock(chain, record), *_of_routers(chain, record)]
    if found:
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"the chain differs from the record: {'; '.join(found)}",
            "finish the deployment: quotary deploy"
            if missing
            else "find out who changed it: the timelock's and the routers' events say so",
        )


def entry_states(chain: Chain, record: Deployment) -> dict[str, str]:
    """Return what became of each router entry that the record has a contract for, by its label."""
    return {opening.label: opening.state() for opening in openings(chain, _addresses(record))}


def _of_timelock(chain: Chain, record: Deployment) -> Iterator[str]:
    standing = record.contracts.get(_TIMELOCK)
    if standing is None:
        return
    delay = Timelock(chain, standing.address).delay()
    if delay != record.delays["timelock"]:
        yield f"the timelock's delay is {delay} s, not {record.delays['timelock']} s"
    roles = record.roles
    expected = {
        "PROPOSER_ROLE": set(roles["proposers"]),
        # The zero address in a role stands for everybody.
        "EXECUTOR_ROLE": set(roles["executors"] or [ZERO_ADDRESS]),
        "CANCELLER_ROLE": set(roles["cancellers"]),
        "DEFAULT_ADMIN_ROLE": {standing.address},
    }
    holders = _holders(chain, record)
    for role, accounts in expected.items():
        actual = holders.get(_role_id(role), set())
        yield from (f"{account} has lost {role}" for account in sorted(accounts - actual))
        for account in sorted(actual - accounts):
            who = "anyone" if account == ZERO_ADDRESS else account
            yield f"{who} has {role}, which the record does not give"


def _holders(chain: Chain, record: Deployment) -> dict[bytes, set[Address]]:
    """Who holds which role: the contract cannot list them, its events can."""
    abi = interface(_TIMELOCK)
    standing = record.contracts[_TIMELOCK]
    topics = [abi.event(name).topic for name in ("RoleGranted", "RoleRevoked")]
    logs = chain.all_logs([standing.address], standing.block, chain.head().number, [topics])
    holders: dict[bytes, set[Address]] = {}
    for log in logs:
        name, values = abi.decode_log(log) or ("", {})
        accounts = holders.setdefault(values["role"], set())
        change = accounts.add if name == "RoleGranted" else accounts.discard
        change(address_of(values["account"]))
    return holders


def _role_id(role: str) -> bytes:
    return bytes(32) if role == "DEFAULT_ADMIN_ROLE" else keccak(text=role)


def _of_routers(chain: Chain, record: Deployment) -> Iterator[str]:
    known: set[tuple[Address, bytes]] = set()
    for opening in openings(chain, _addresses(record)):
        known.add((opening.router.address, opening.key))
        if opening.state() == "active" and opening.target() != opening.verifier:
            yield f"{opening.label} leads to {opening.target()}, not to {opening.name}"
    for router, event, key in _ADDITIONS:
        standing = record.contracts.get(router)
        if standing is None:
            continue
        topic = interface(router).event(event).topic
        for log in chain.all_logs([standing.address], standing.block, chain.head().number, [topic]):
            _, values = interface(router).decode_log(log) or ("", {})
            if (standing.address, values[key]) not in known:
                yield (
                    f"{key} 0x{values[key].hex()} of {router} leads to "
                    f"{address_of(values['verifier'])}, which the record does not know"
                )


def _addresses(record: Deployment) -> Mapping[str, Address]:
    return {name: item.address for name, item in record.contracts.items()}
