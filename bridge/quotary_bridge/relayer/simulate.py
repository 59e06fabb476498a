"""
Trying deliveries out before anything is paid for them, and finding the gas to offer.

An estimate makes the node execute a delivery many times over. Deliveries of one shape need the
same gas but for small change, so the first one is estimated, and the others are executed once with
what that one came to: exactly as they would be sent. Where that fails, for whatever reason, the
estimate has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from quotary_bridge.chain import TransactionRequest
from quotary_bridge.errors import ContractError
from quotary_bridge.lifecycle import Job
from quotary_bridge.model import JobKey
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.sending import Sending

__all__ = ["GAS_LIMIT", "LOT", "Delivery", "Outcome", "Simulation", "Trials", "deliveries"]

GAS_LIMIT = 2**24
"""The most gas one transaction may use (EIP-7825)."""

GAS_MARGIN_PERCENT = 25
"""An estimate is exact for the state it was made on, and the state moves before mining."""

SHAPES_REMEMBERED = 256

LOT = 100
"""How many deliveries are tried out, and stored, at a time: as many as one exchange holds."""

Outcome = int | ContractError
"""The gas to offer, or why the delivery would revert."""

Delivery = tuple[Job, TransactionRequest]

_Shape = tuple[int, int]


class Simulation:
    """
    Remembers, by the callback's gas and the length of the call data, what gas was needed.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        """Know no shape."""
        self._gas: dict[_Shape, int] = {}

    def run(self, cycle: Cycle, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Return what comes of each at the pinned block; the gas may be above the limit."""
        firsts = {_shape(delivery): delivery for delivery in reversed(deliveries)}
        unknown = [delivery for shape, delivery in firsts.items() if shape not in self._gas]
        found = self._estimated(cycle, unknown)
        found.update(self._tried(cycle, _without(deliveries, found)))
        found.update(self._estimated(cycle, _without(deliveries, found)))
        return [found[job.key] for job, _ in deliveries]

    def _tried(self, cycle: Cycle, deliveries: Sequence[Delivery]) -> dict[JobKey, Outcome]:
        """Execute deliveries with the gas of their shape; leaves out those that failed."""
        # Asked once of each: another thread may forget a shape at any moment.
        gas_of = [(each, self._gas.get(_shape(each))) for each in deliveries]
        known = [(each, gas) for each, gas in gas_of if gas is not None]
        asked = [replace(call, gas=gas) for (_, call), gas in known]
        outcomes = cycle.ports.chain.calls(asked, cycle.number)
        return {
            job.key: gas
            for ((job, _), gas), outcome in zip(known, outcomes, strict=True)
            if not isinstance(outcome, ContractError)
        }

    def _estimated(self, cycle: Cycle, deliveries: Sequence[Delivery]) -> dict[JobKey, Outcome]:
        chain = cycle.ports.chain
        asked = [call for _, call in deliveries]
        # The call goes first: nodes lose revert data of estimates more often than that of calls.
        calls = chain.calls(asked, cycle.number)
        estimates = chain.estimates(asked, cycle.number)
        found: dict[JobKey, Outcome] = {}
        for delivery, call, needed in zip(deliveries, calls, estimates, strict=True):
            if isinstance(call, ContractError):
                found[delivery[0].key] = call
            elif isinstance(needed, ContractError):
                found[delivery[0].key] = needed
            else:
                found[delivery[0].key] = self._remembered(delivery, needed)
        return found

    def _remembered(self, delivery: Delivery, needed: int) -> int:
        if needed > GAS_LIMIT:
            return needed
        offered = min(GAS_LIMIT, needed * (100 + GAS_MARGIN_PERCENT) // 100)
        if len(self._gas) >= SHAPES_REMEMBERED:
            self._gas.clear()
        self._gas[_shape(delivery)] = offered
        return offered


class Trials:
    """
    The deliveries of one cycle, a lot at a time.

    The node is asked in the thread of `sending`; `judge` hears in the caller's what came of a lot,
    when the next one is on trial already.
    """

    def __init__(
        self,
        cycle: Cycle,
        simulation: Simulation,
        sending: Sending,
        judge: Callable[[Sequence[Delivery], Sequence[Outcome]], None],
    ) -> None:
        """Have nothing on trial."""
        self._cycle = cycle
        self._simulation = simulation
        self._sending = sending
        self._judge = judge
        self._trial: tuple[list[Delivery], Future[list[Outcome]]] | None = None

    @property
    def pending(self) -> int:
        """How many deliveries nothing was decided about yet."""
        return 0 if self._trial is None else len(self._trial[0])

    def add(self, jobs: Sequence[Job]) -> None:
        """Try the deliveries of `jobs` out, and have all judged but the last lot of them."""
        for start in range(0, len(jobs), LOT):
            lot = jobs[start : start + LOT]
            tried = list(zip(lot, deliveries(self._cycle, lot), strict=True))
            outcomes = self._sending.ask(partial(self._simulation.run, self._cycle, tried))
            self.finish()
            self._trial = tried, outcomes

    def finish(self, *, wait: bool = True) -> None:
        """Have the last lot judged; without `wait` only where that need not wait for the node."""
        if self._trial is not None and (wait or self._trial[1].done()):
            (tried, outcomes), self._trial = self._trial, None
            self._judge(tried, outcomes.result())


def deliveries(cycle: Cycle, jobs: Sequence[Job]) -> list[TransactionRequest]:
    """Return the transactions that carry what each job's nonce carries, or its result in use."""
    wanted = []
    for job in jobs:
        ordinal = job.result if job.carried is None else job.carried
        if ordinal is None:
            raise ValueError(f"a job that is {job.state} has no result to deliver")
        if job.errand is None:
            wanted.append((job.key, ordinal))
    found = dict(zip(wanted, cycle.ports.store.results(wanted), strict=True))
    results = {key: signed for (key, _), signed in found.items()}
    sender = cycle.ports.signer.address
    return [
        cycle.ports.oracle.delivery(job.request, results[job.key], sender)
        if job.errand is None
        else TransactionRequest(sender=sender, to=job.errand.target, data=job.errand.call)
        for job in jobs
    ]


def _shape(delivery: Delivery) -> _Shape:
    job, call = delivery
    return job.request.callback_gas, len(call.data)


def _without(deliveries: Sequence[Delivery], found: Mapping[JobKey, Outcome]) -> list[Delivery]:
    return [delivery for delivery in deliveries if delivery[0].key not in found]
