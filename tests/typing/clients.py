"""The clients of the oracles, as type checkers see them: checked with mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

from quotary_bridge.chain.contracts import BatchCommitted, ClaimedAnswer, RequestParams
from quotary_bridge.client import (
    Answer,
    Asked,
    AsyncBatchClient,
    AsyncOracleClient,
    BatchClient,
    BatchUnusableError,
    ClaimedResult,
    OracleClient,
    OracleError,
    PreparedBatch,
    RequestEndedError,
    proof,
)
from quotary_bridge.model import Address
from web3 import AsyncWeb3, Web3


def answered(web3: Web3, oracle: Address, params: RequestParams, sender: Address) -> None:
    """One answer, and one out of a batch."""
    single, batched = OracleClient(web3, oracle), BatchClient(web3, oracle)
    asked = single.ask(params, sender)
    assert_type(asked, Asked)
    assert_type(single.answer(asked), Answer | None)
    assert_type(single.wait(asked), Answer)
    assert_type(batched.ask(params, sender), Asked)
    assert_type(batched.answer(asked), ClaimedResult | None)
    assert_type(batched.wait(asked, seconds=1.0, poll=0.1), ClaimedResult)
    document = PreparedBatch.from_json("{}")
    told = batched.committed(document, since=asked.block)
    assert_type(told, BatchCommitted | None)
    told = batched.commit(document, sender)
    assert_type(told, BatchCommitted)
    assert_type(proof(document, told, asked.request_id), ClaimedAnswer)
    assert_type(batched.claim(document, asked.request_id, sender), ClaimedResult)


async def awaited(
    web3: AsyncWeb3[Any], oracle: Address, document: PreparedBatch, asked: Asked
) -> None:
    """The same, awaited."""
    single, batched = AsyncOracleClient(web3, oracle), AsyncBatchClient(web3, oracle)
    assert_type(await single.wait(asked), Answer)
    assert_type(await batched.wait(asked), ClaimedResult)
    assert_type(await batched.committed(document), BatchCommitted | None)
    assert_type(await batched.claim(document, asked.request_id, oracle), ClaimedResult)


def refused(error: OracleError | RequestEndedError | BatchUnusableError) -> None:
    """What each says."""
    if isinstance(error, OracleError):
        assert_type(error.name, str)
    elif isinstance(error, RequestEndedError):
        assert_type(error.event, str)
    else:
        assert_type(error.why, str)
