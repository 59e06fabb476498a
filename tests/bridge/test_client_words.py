"""The words of every client, as its own source has them, and what they mean to the relayer."""

from __future__ import annotations

import pytest
from quotary_bridge.chain.faults import ALREADY_KNOWN, classify
from quotary_bridge.errors import Reason, Transient

USED, AHEAD = Reason.NONCE_USED, Reason.NONCE_AHEAD
REPLACE, FEE = Reason.REPLACEMENT_UNDERPRICED, Reason.FEE_TOO_LOW
FULL, ACCOUNT, POOR = Reason.POOL_FULL, Reason.ACCOUNT_LIMIT, Reason.INSUFFICIENT_FUNDS
NEVER, BLOCK = Reason.TRANSACTION_REFUSED, Reason.BLOCK_NOT_FOUND
LESS, TIMEOUT = Reason.REQUEST_REFUSED, Reason.RPC_TIMEOUT

# geth: core/txpool/errors.go and validation.go, core/error.go, eth/filters.
GETH = {
    "nonce too low: next nonce 5, tx nonce 4": USED,
    "transaction underpriced: gas tip cap 1, minimum needed 2": FEE,
    "replacement transaction underpriced": REPLACE,
    "max fee per gas less than block base fee: address 0x0": FEE,
    "txpool is full": FULL,
    "address already reserved": ACCOUNT,
    "account limit exceeded": ACCOUNT,
    "in-flight transaction limit reached for delegated accounts": ACCOUNT,
    "gapped-nonce tx from delegated accounts": AHEAD,
    "future transaction tries to replace pending": AHEAD,
    "insufficient funds for gas * price + value: balance 1, tx cost 2": POOR,
    "intrinsic gas too low: gas 1, minimum needed 21000": NEVER,
    "insufficient gas for floor data gas cost: gas 1, minimum needed 2": NEVER,
    "exceeds block gas limit": NEVER,
    "transaction gas limit too high (cap: 16777216, tx: 16777217)": NEVER,
    "oversized data: transaction size 2, limit 1": NEVER,
    "max initcode size exceeded: code size 2, limit 1": NEVER,
    "invalid sender": NEVER,
    "negative value": NEVER,
    "max priority fee per gas higher than max fee per gas": NEVER,
    "tx fee (2.00 ether) exceeds the configured cap (1.00 ether)": NEVER,
    "transaction type not supported: type 9 rejected": NEVER,
    "missing trie node 00 (path ) state 0x00 is not available": BLOCK,
    "historical state 00 is not available": BLOCK,
    "block range extends beyond current head block": BLOCK,
    "header not found": BLOCK,
    "execution aborted (timeout = 5s)": TIMEOUT,
}
# reth: crates/rpc/rpc-eth-types/src/error.
RETH = {
    "nonce too low: next nonce 5, tx nonce 4": USED,
    "nonce too high": AHEAD,
    "insufficient funds for transfer": POOR,
    "insufficient funds for gas * price + value: have 1 want 2": POOR,
    "transaction underpriced": FEE,
    "transaction priority fee below minimum required priority fee 1": FEE,
    "replacement transaction underpriced": REPLACE,
    "txpool is full": FULL,
    "exceeds max transaction gas limit": NEVER,
    "tx fee (2 wei) exceeds the configured cap (1 wei)": NEVER,
    "intrinsic gas too high": NEVER,
    "sender is not an EOA": NEVER,
    "invalid chain ID": NEVER,
    "block not found: hash 0x1a15": BLOCK,
    "state at block #1 is pruned": BLOCK,
    "query exceeds max block range 100000": LESS,
    "query exceeds max results 20000": LESS,
}
# erigon: txnprovider/txpool/txpoolcfg.
ERIGON = {
    "nonce too low": USED,
    "underpriced": FEE,
    "fee too low": FEE,
    "replacement transaction underpriced": REPLACE,
    "could not replace existing tx": REPLACE,
    "pending sub-pool is full": FULL,
    "baseFee sub-pool is full": FULL,
    "queued sub-pool is full": FULL,
    "spammer": ACCOUNT,
    "insufficient funds": POOR,
    "oversized data": NEVER,
    "IntrinsicGas": NEVER,
    "RLPTooLong": NEVER,
    "GasUintOverflow": NEVER,
    "initcode too large": NEVER,
    "gas limit is too high": NEVER,
    "fork supporting this transaction type is not activated yet": NEVER,
    "old data not available due to pruning": BLOCK,
    "query block range exceeds server limit": LESS,
}
# nethermind: Nethermind.TxPool/AcceptTxResult, by the names that releases answered with for years.
NETHERMIND = {
    "OldNonce, Current nonce: 6, nonce of rejected tx: 5": USED,
    "NonceGap, Future nonce. Expected nonce: 5": AHEAD,
    "NonceTooFarInFuture": AHEAD,
    "NotCurrentNonceForDelegation": AHEAD,
    "FeeTooLow, MaxFeePerGas too low": FEE,
    "FeeTooLowToCompete": FEE,
    "ReplacementNotAllowed": REPLACE,
    "InsufficientFunds, Account balance: 0, cumulative cost: 1": POOR,
    "PendingTxsOfConflictingType": ACCOUNT,
    "DelegatorHasPendingTx": ACCOUNT,
    "GasLimitExceeded, Gas limit: 1, gas limit of rejected tx: 2": NEVER,
    "Int256Overflow": NEVER,
    "SenderIsContract": NEVER,
    "FailedToResolveSender": NEVER,
    "MaxTxSizeExceeded": NEVER,
    "NotSupportedTxType": NEVER,
}
# besu: RpcErrorType; it answers -32005 for a range that is too wide as for much else.
BESU = {
    "Nonce too low": USED,
    "Nonce too high": AHEAD,
    "Transaction nonce is too distant from current sender nonce": AHEAD,
    "An invalid transaction with a lower nonce exists": AHEAD,
    "Replacement transaction underpriced": REPLACE,
    "Gas price below configured minimum gas price": FEE,
    "Gas price below current base fee": FEE,
    "Upfront cost exceeds account balance": POOR,
    "Invalid signature": NEVER,
    "Intrinsic gas exceeds gas limit": NEVER,
    "Transaction gas limit exceeds block gas limit": NEVER,
    "Sender account not authorized to send transactions": NEVER,
    "Transaction fee cap exceeded": NEVER,
    "Wrong chainId": NEVER,
    "Invalid transaction type": NEVER,
    "Max priority fee per gas exceeds max fee per gas": NEVER,
    "Plugin has marked the transaction as invalid": NEVER,
    "World state unavailable": BLOCK,
    "Unknown block": BLOCK,
    "Requested range exceeds maximum RPC range limit": LESS,
    "Number of requests exceeds max batch size": LESS,
}
# anvil: crates/anvil/src/eth/error.rs.
ANVIL = {
    "nonce too low": USED,
    "Nonce too high": AHEAD,
    "Tx: [0x00] insufficient gas price to replace existing transaction": REPLACE,
    "max fee per gas less than block base fee": FEE,
    "Insufficient funds for gas * price + value": POOR,
    "intrinsic gas too low": NEVER,
    "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit": NEVER,
    "invalid chain id for signer": NEVER,
    "sender not an eoa": NEVER,
    "Failed to decode signed transaction": NEVER,
    "BlockOutOfRangeError: block height is 1 but requested was 2": BLOCK,
    "Resource not found": BLOCK,
}
CLIENTS = {
    "geth": GETH,
    "reth": RETH,
    "erigon": ERIGON,
    "nethermind": NETHERMIND,
    "besu": BESU,
    "anvil": ANVIL,
}


@pytest.mark.parametrize("code", [-32000, -32003, -32005])
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(message, reason, id=f"{client}: {message[:40]}")
        for client, words in CLIENTS.items()
        for message, reason in words.items()
    ],
)
def test_every_client_is_understood(message: str, reason: Reason, code: int) -> None:
    """Words decide before codes: clients share few of those."""
    assert classify("eth_sendRawTransaction", code, message).reason is reason


@pytest.mark.parametrize(
    "message",
    [
        *("already known", "Known transaction", "transaction already imported"),
        *("Tx: [0x00] already Imported", "existing txn with same hash", "AlreadyKnown"),
    ],
)
def test_who_has_the_bytes_already_is_no_failure(message: str) -> None:
    """The same bytes are sent again after every restart."""
    assert any(phrase in message.lower() for phrase in ALREADY_KNOWN)


@pytest.mark.parametrize(
    "message",
    [
        *("transaction indexing is in progress", "Initial sync is still in progress"),
        *("Transaction pool not enabled.", "Syncing", "Internal error", ""),
    ],
)
def test_what_passes_by_itself_is_never_final(message: str) -> None:
    """Neither is anything that nobody has ever seen."""
    assert isinstance(classify("eth_sendRawTransaction", -32000, message), Transient)
