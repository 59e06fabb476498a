"""The relayer behind a node that breaks every promise a node can break."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from quotary_bridge.chain import Chain
from quotary_bridge.chain.transport import JsonRpcProvider
from quotary_bridge.errors import FeeTooLow, NonceAhead, PoolFull, RpcUnavailable, WrongChain
from web3 import Web3

from tests.faults.campaign import Campaign
from tests.faults.odds import BAD_DAY, Manners, Odds
from tests.faults.plans import Plan
from tests.faults.proxy import CONTROL, proxied
from tests.faults.world import RELAYER, World, world

KILLS = 16
RPC_SECONDS = 2.0
RULES = {"seconds", "hang_seconds", "nonce_gap"}


def signed(place: World, max_fee: int, tip: int, nonce: int = 0) -> bytes:
    """A transfer of nothing."""
    signer = place.signers[RELAYER]
    return signer.sign_transaction(
        {
            "type": 2,
            "chainId": place.chain_id,
            "nonce": nonce,
            "to": signer.address,
            "data": b"",
            "value": 0,
            "gas": 21_000,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
        }
    )


def test_replacements_must_raise_both_fees_by_a_tenth() -> None:
    """Anvil takes less; the pools people use do not, and each says so in its own words."""
    with world(strict=True) as place, proxied(place.node.url, Manners(1)) as url:
        chain = Chain.at(url, place.chain_id)
        first = signed(place, 50 * 10**9, 10**9)
        chain.send_raw(first)
        chain.send_raw(first)
        for max_fee, tip in ((54 * 10**9, 2 * 10**9), (60 * 10**9, 10**9)):
            with pytest.raises(FeeTooLow):
                chain.send_raw(signed(place, max_fee, tip))
        chain.send_raw(signed(place, 55 * 10**9, 1_100_000_000))


def test_a_pool_that_does_not_take_a_transaction_is_understood() -> None:
    """Full, full for this account, or missing the nonce before: in the words of real ones."""
    fees = 50 * 10**9, 10**9
    with world(strict=True) as place:
        for odds in (Odds(pool_full=1), Odds(account_full=1)):
            manners = Manners(1, by_method={"eth_sendRawTransaction": odds})
            with proxied(place.node.url, manners) as url:
                chain = Chain.at(url, place.chain_id)
                for _ in range(8):
                    with pytest.raises(PoolFull):
                        chain.send_raw(signed(place, *fees))
        with proxied(place.node.url, Manners(1, Odds(nonce_gap=True))) as url:
            chain = Chain.at(url, place.chain_id)
            chain.send_raw(signed(place, *fees))
            for _ in range(8):
                with pytest.raises(NonceAhead):
                    chain.send_raw(signed(place, *fees, nonce=2))
            chain.send_raw(signed(place, *fees, nonce=1))
            chain.send_raw(signed(place, *fees, nonce=2))


def test_nobody_waits_for_a_node_that_hangs() -> None:
    """Longer than the client was told to."""
    with (
        world(strict=True) as place,
        proxied(place.node.url, Manners(1, Odds(hangs=1, hang_seconds=60.0))) as url,
        pytest.raises(RpcUnavailable),
    ):
        Chain(Web3(JsonRpcProvider(url, 0.2)), place.chain_id).head()


def test_one_lie_about_how_a_delivery_ended_ends_no_job(tmp_path: Path) -> None:
    """The node says of each once that it failed: another delivery would be a second answer."""
    manners = Manners(1, by_method={"eth_getTransactionReceipt": Odds(forged_status=1)})
    with world(strict=False) as place, proxied(place.node.url, manners) as url:
        plan = Plan(4, kills=2, open_requests=3, url=url)
        verdict = Campaign(place, tmp_path / "store.sqlite", plan, tmp_path).run().verdict
    assert verdict is not None
    assert verdict.broken == ()


@pytest.mark.parametrize(
    "odds",
    [
        Odds(drop_question=1),
        Odds(drop_answer=1),
        Odds(server_error=1),
        Odds(rate_limit=1),
        Odds(cut_short=1),
        Odds(wrong_id=1),
    ],
    ids=lambda odds: next(name for name in Odds.__slots__ if getattr(odds, name) == 1),
)
@pytest.mark.parametrize("many", [False, True])
def test_an_exchange_that_went_wrong_is_no_answer(odds: Odds, *, many: bool) -> None:
    """Whatever went wrong, and for one question as for many: try again later, and learn nothing."""
    manners = Manners(1, by_method={"eth_gasPrice": odds})
    with world(strict=True) as place, proxied(place.node.url, manners) as url:
        chain = Chain.at(url, place.chain_id)
        with pytest.raises(RpcUnavailable):
            chain.ask_many([("eth_gasPrice", [])] * (3 if many else 1))


def test_nothing_is_sent_to_another_chain() -> None:
    """Asked again before every broadcast: a name may lead to another node from one to the next."""
    manners = Manners(1, by_method={"eth_chainId": Odds(wrong_chain=1)})
    with world(strict=True) as place, proxied(place.node.url, manners) as url:
        with pytest.raises(WrongChain):
            Chain.at(url, place.chain_id).send_many([signed(place, 10**10, 10**9)])
        assert place.node.chain.rpc("txpool_status")["pending"] == "0x0"


@pytest.mark.parametrize("strict", [False, True])
def test_kills_on_a_bad_day_lose_and_double_nothing(tmp_path: Path, *, strict: bool) -> None:
    """Kills, reorgs and a lying node at once."""
    with (
        world(strict=strict) as place,
        proxied(place.node.url, Manners(11, BAD_DAY)) as url,
    ):
        plan = Plan(11, KILLS, url=url, rpc_seconds=RPC_SECONDS)
        record = Campaign(place, tmp_path / "store.sqlite", plan, tmp_path).run()
        question = {"jsonrpc": "2.0", "id": 1, "method": CONTROL, "params": []}
        happened = requests.post(url, json=question, timeout=300).json()["result"]
    assert record.verdict is not None
    assert record.verdict.broken == ()
    planned = {name for name in Odds.__slots__ if getattr(BAD_DAY, name)} - RULES
    assert planned - set(happened) == set()
