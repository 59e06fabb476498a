"""What the two oracles and the gateways' contracts say, beside what their events amount to."""

from __future__ import annotations

from collections.abc import Iterator

from quotary_bridge.admission.ledger import Ledger
from quotary_bridge.admission.state import State
from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import (
    BatchOracle,
    MeasurementStatus,
    ProofKind,
    RequestStatus,
    ResultOracle,
    RouteStatus,
)
from quotary_bridge.chain.contracts.gateways import (
    Bond,
    GatewayAdapter,
    GatewayKeys,
    ReceiptAdapter,
)
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Bytes32

__all__ = ["Comparison", "batches", "gateways", "results"]

Comparison = tuple[str, object, object]
"""What is compared, by the events, and by the contract."""

_NOTHING = bytes(32)


def results(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    """Compare the oracle of single results."""
    oracle = ResultOracle(chain, record.address("ResultOracle"))
    yield from _book(oracle, state.ledger, block, "")
    for worker, until in state.ledger.probations.items():
        yield f"probation of {worker}", until, oracle.probation_of(worker, block)


def batches(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    """Compare the oracle of batches."""
    oracle, ledger = BatchOracle(chain, record.address("BatchOracle")), state.batches
    yield from _book(oracle, ledger, block, " by the batch")
    yield "batches", len(ledger.roots), oracle.read("batchCount", at=block)
    for batch_id, root in ledger.roots.items():
        kept = _NOTHING if batch_id in ledger.voided else root.content
        yield f"batch {batch_id}", kept, oracle.read("batchOf", batch_id, at=block)


def _book(
    oracle: ResultOracle | BatchOracle, ledger: Ledger, block: int, how: str
) -> Iterator[Comparison]:
    states = oracle.states_of(list(ledger.states), block)
    for (request_id, kept), found in zip(ledger.states.items(), states, strict=True):
        yield f"request 0x{request_id.hex()}", kept, found
        ended = kept.status is not RequestStatus.PENDING
        yield f"escrow of ended 0x{request_id.hex()}", ended, ledger.escrows[request_id] == 0
    for (token, account), amount in ledger.credits.items():
        found_credit = oracle.read("creditOf", token, account, at=block)
        yield f"credit of {account}{how}", amount, found_credit
    for account, made in ledger.sequences.items():
        yield f"requests of {account}{how}", made, oracle.read("sequenceOf", account, at=block)


def gateways(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    """Compare the keys of gateways, and what was recorded by them."""
    keys = GatewayKeys(chain, record.address("GatewayKeys"))
    now, held = chain.block(block).timestamp, state.gateways
    for (app_id, key), bond in held.keys.items():
        name = f"gateway key {key} of app 0x{app_id.hex()}"
        yield name, bond, keys.bond_of(app_id, key, block)
        active, _, until = keys.check_active(app_id, key, block)
        yield f"standing of {name}", _holds_until(state, app_id, bond, now), until if active else 0
    for (app_id, digest), bond in held.keysets.items():
        kind = bond.kind if _holds_until(state, app_id, bond, now) else None
        found_kind = _kind_of_keyset(keys, app_id, digest, block)
        yield f"keyset 0x{digest.hex()} of app 0x{app_id.hex()}", kind, found_kind
    adapter = GatewayAdapter(chain, record.address("GatewayAdapter"))
    for exchange, kept in held.exchanges.items():
        found = adapter.exchange_of(*exchange, block)
        yield f"exchange {_named(exchange)}", kept, found
    receipts = ReceiptAdapter(chain, record.address("ReceiptAdapter"))
    for exchange, receipt in held.receipts.items():
        yield f"receipt of {_named(exchange)}", receipt, receipts.receipt_of(*exchange, block)


def _holds_until(state: State, app_id: Bytes32, bond: Bond, now: int) -> int:
    """Return the last second that a key counts, as things are; 0 where it does not count now."""
    kept = state.ledger.notarized.get((app_id, bond.quote_hash, bond.kind))
    if kept is None:
        return 0
    status = state.status_of(app_id, kept.measurement_id)
    route, _ = state.routes.get(kept.route, (RouteStatus.UNKNOWN, None))
    until = min(kept.valid_until, bond.not_after)
    stands = status is MeasurementStatus.ADMITTED and route is RouteStatus.ACTIVE
    return until if stands and until >= now else 0


def _kind_of_keyset(
    keys: GatewayKeys, app_id: Bytes32, digest: Bytes32, block: int
) -> ProofKind | None:
    try:
        return keys.require_keyset(app_id, digest, block)
    except ContractError:
        return None


def _named(exchange: tuple[Bytes32, Bytes32, Bytes32]) -> str:
    app_id, request, response = (f"0x{each.hex()}" for each in exchange)
    return f"{request} and {response} for app {app_id}"
