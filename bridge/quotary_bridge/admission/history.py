"""Reading a deployment's events, and the state they amount to."""

from __future__ import annotations

from collections.abc import Iterator

from quotary_bridge.admission.calendar import Calendar
from quotary_bridge.admission.policies import Policies
from quotary_bridge.admission.state import EVENTS, State, Told
from quotary_bridge.chain import Chain
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface

__all__ = ["rebuild", "told_until"]


def rebuild(chain: Chain, record: Deployment, block: int) -> State:
    """
    Return the state after `block`, from events and constructor arguments alone.

    Raises what `Chain.all_logs` raises.
    """
    defaults = int(record.contracts["TcbPolicy"].arguments["defaultStatuses"])
    stretch = int(record.contracts["CollateralCalendar"].arguments["maxStretch"])
    state = State(Policies(defaults), Calendar(stretch), record.address("WorkerRegistry"))
    for told in told_until(chain, record, block):
        state.apply(told)
    return state


def told_until(chain: Chain, record: Deployment, block: int) -> Iterator[Told]:
    """Every event that holds state, in the order of the chain."""
    names = {
        item.address: (name, item.contract)
        for name, item in record.contracts.items()
        if any(item.contract == contract for contract, _ in EVENTS)
    }
    topics = [interface(contract).event(event).topic for contract, event in EVENTS]
    first = min(item.block for item in record.contracts.values())
    logs = chain.all_logs(list(names), first, block, [topics])
    times: dict[int, int] = {}
    for log in sorted(logs, key=lambda log: (log.block_number, log.index)):
        name, contract = names[log.address]
        decoded = interface(contract).decode_log(log)
        if decoded is None:
            continue
        if log.block_number not in times:
            times[log.block_number] = chain.block(log.block_number).timestamp
        yield Told(name, *decoded, times[log.block_number])
