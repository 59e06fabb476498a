"""One account that asks a great deal, another that asks little: who is served when."""

from __future__ import annotations

import time
from dataclasses import dataclass

from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Bytes32
from quotary_bridge.relayer import Relayer

from tests.bridge.relayer_town import FEE, LIFETIME, Town, question

__all__ = ["MODEST", "Served", "ask_modestly", "bound", "serve"]

MODEST = 4
"""The account that asks little."""

TAKEN_PER_NONCE = 4
"""Answers that the relayer has asked for at a time, for each delivery that may be in flight."""

CYCLES_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Served:
    """When a request was fulfilled: after how many others, in which cycle, after how long."""

    before: int
    cycles: int
    seconds: float


def bound(in_flight: int, turns: int = 1, others: int = 1) -> int:
    """
    How many requests of `others` accounts may be served before the n-th of one account's own.

    One of each for every turn, and what the relayer had begun before it knew of the request:
    answers it had asked for, and deliveries.
    """
    return others * turns + (turns - 1) + TAKEN_PER_NONCE * in_flight + in_flight


def ask_modestly(town: Town, count: int = 1) -> list[Bytes32]:
    """The modest account asks; returns the ids of its requests."""
    sender = town.sender(MODEST)
    deadline = town.chain.head().timestamp + LIFETIME
    ids = []
    for sequence in range(count):
        params, terms = question(sender.address, sequence, b"little", deadline, FEE)
        call = interface("ResultOracle").encode_call("request", [params.words()])
        sender.send(sender.request(town.oracle, call, FEE))
        ids.append(terms.request_id(town.node.chain_id, town.oracle))
    return ids


def serve(relayer: Relayer, town: Town, wanted: list[Bytes32]) -> list[Served]:
    """Relay until all of `wanted` are fulfilled; what was fulfilled before is not counted."""
    earlier = len(town.deliveries())
    served: dict[bytes, Served] = {}
    began = time.perf_counter()
    for cycle in range(1, CYCLES_LIMIT):
        relayer.tick()
        town.node.mine()
        found = town.deliveries()[earlier:]
        for place, one in enumerate(found):
            if one in wanted and one not in served:
                served[one] = Served(place, cycle, time.perf_counter() - began)
        if len(served) == len(wanted):
            return [served[one] for one in wanted]
    raise RuntimeError("a request was never fulfilled")
