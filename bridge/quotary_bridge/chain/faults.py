"""
What the error strings of Ethereum nodes mean.

JSON-RPC fixes no codes for what a pool thinks of a transaction, so every client has its own words.
The table is the one place that knows them: geth, reth, erigon, nethermind, besu and anvil.
"""

from __future__ import annotations

from dataclasses import dataclass

from quotary_bridge.errors import (
    BlockNotFound,
    BridgeError,
    FeeTooLow,
    InsufficientFunds,
    NonceAhead,
    NonceUsed,
    PoolFull,
    Reason,
    RequestRefused,
    RpcUnavailable,
    TransactionRefused,
)

__all__ = ["ALREADY_KNOWN", "OUT_OF_GAS", "TABLE", "Rule", "classify"]

ALREADY_KNOWN = (
    "already known",  # geth, reth, erigon
    "alreadyknown",  # nethermind
    "known transaction",  # besu, older geth
    "already imported",  # anvil, older parity
    "existing txn with same hash",  # erigon
    "transaction already exists",
)
"""The pool has these very bytes: for the sender that is success."""


OUT_OF_GAS = (
    "out of gas",  # geth, reth, erigon, besu
    "outofgas",  # anvil, nethermind
    "gas required exceeds allowance",  # geth's estimates
)
"""A call that was executed and needed more gas than it was given: the call's fault, no node's."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One phrase, in lower case, and what it means wherever it appears in a node's message."""

    phrase: str
    family: type[BridgeError]
    reason: Reason
    remedy: str = ""


_TOP_UP = "send some of the chain's coin to the account and repeat"
_SMALLER_RANGE = "ask for fewer blocks at once"

TABLE: tuple[Rule, ...] = (
    Rule("replacement transaction underpriced", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
    Rule("replacementnotallowed", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
    Rule("replacement fee too low", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
    Rule("could not replace existing tx", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
    Rule("to replace existing transaction", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
    Rule("transaction underpriced", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("feetoolow", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("fee too low", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("gas price below", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("gas price is less than basefee", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("max fee per gas less than block base fee", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("fee cap less than block base fee", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("gas tip cap", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("priority fee below minimum", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("underpriced", FeeTooLow, Reason.FEE_TOO_LOW),
    Rule("txpool is full", PoolFull, Reason.POOL_FULL),
    Rule("transaction pool is full", PoolFull, Reason.POOL_FULL),
    Rule("mempool is full", PoolFull, Reason.POOL_FULL),
    Rule("exceeds txpool limits", PoolFull, Reason.POOL_FULL),
    Rule("sub-pool is full", PoolFull, Reason.POOL_FULL),
    Rule("already reserved", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("spammer", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("pendingtxsofconflictingtype", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("delegatorhaspendingtx", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("account limit exceeded", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("in-flight transaction limit reached", PoolFull, Reason.ACCOUNT_LIMIT),
    Rule("nonce too low", NonceUsed, Reason.NONCE_USED),
    Rule("nonce_too_low", NonceUsed, Reason.NONCE_USED),
    Rule("oldnonce", NonceUsed, Reason.NONCE_USED),
    Rule("nonce too high", NonceAhead, Reason.NONCE_AHEAD),
    Rule("nonce gap", NonceAhead, Reason.NONCE_AHEAD),
    Rule("nonce_too_distant", NonceAhead, Reason.NONCE_AHEAD),
    Rule("gapped-nonce", NonceAhead, Reason.NONCE_AHEAD),
    Rule("noncegap", NonceAhead, Reason.NONCE_AHEAD),
    Rule("noncetoofarinfuture", NonceAhead, Reason.NONCE_AHEAD),
    Rule("nonce is too distant", NonceAhead, Reason.NONCE_AHEAD),
    Rule("notcurrentnoncefordelegation", NonceAhead, Reason.NONCE_AHEAD),
    Rule("lower nonce exists", NonceAhead, Reason.NONCE_AHEAD),
    Rule("tries to replace pending", NonceAhead, Reason.NONCE_AHEAD),
    Rule("insufficient funds", InsufficientFunds, Reason.INSUFFICIENT_FUNDS, _TOP_UP),
    Rule("insufficientfunds", InsufficientFunds, Reason.INSUFFICIENT_FUNDS, _TOP_UP),
    Rule("insufficient balance", InsufficientFunds, Reason.INSUFFICIENT_FUNDS, _TOP_UP),
    Rule("upfront cost exceeds", InsufficientFunds, Reason.INSUFFICIENT_FUNDS, _TOP_UP),
    Rule("intrinsic gas too low", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("intrinsic gas too high", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("intrinsic gas exceeds", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("intrinsicgas", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("floor data gas", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("exceeds block gas limit", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gas limit exceeded", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gas limit too high", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gas limit is too high", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gas limit reached", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gaslimitexceeded", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("transaction gas limit", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("oversized data", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("rlptoolong", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("maxtxsizeexceeded", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("initcode size", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("initcode too large", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("invalid sender", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("failedtoresolvesender", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("senderiscontract", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("not an eoa", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("account not authorized", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("invalid signature", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("invalid chain id", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("wrong chainid", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("transaction type not supported", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("notsupportedtxtype", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("invalid transaction type", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("transaction type is not activated", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("max priority fee per gas higher", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("max priority fee per gas exceeds", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gas uint64 overflow", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("gasuintoverflow", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("int256overflow", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("negative value", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("marked the transaction as invalid", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("failed to decode signed transaction", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("exceeds the configured cap", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("transaction fee cap exceeded", TransactionRefused, Reason.TRANSACTION_REFUSED),
    Rule("header not found", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("block not found", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("blockoutofrange", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("unknown block", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("missing trie node", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("cannot be found", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("resource not found", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("beyond current head", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("world state unavailable", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("historical state", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("due to pruning", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("is pruned", BlockNotFound, Reason.BLOCK_NOT_FOUND),
    Rule("query returned more than", RequestRefused, Reason.REQUEST_REFUSED, _SMALLER_RANGE),
    Rule("block range", RequestRefused, Reason.REQUEST_REFUSED, _SMALLER_RANGE),
    Rule("exceeds maximum rpc range", RequestRefused, Reason.REQUEST_REFUSED, _SMALLER_RANGE),
    Rule("exceeds max results", RequestRefused, Reason.REQUEST_REFUSED, _SMALLER_RANGE),
    Rule("exceeds max batch size", RequestRefused, Reason.REQUEST_REFUSED),
    Rule("too many requests", RpcUnavailable, Reason.RPC_RATE_LIMITED),
    Rule("rate limit", RpcUnavailable, Reason.RPC_RATE_LIMITED),
    Rule("request timed out", RpcUnavailable, Reason.RPC_TIMEOUT),
    Rule("execution timeout", RpcUnavailable, Reason.RPC_TIMEOUT),
    Rule("execution aborted", RpcUnavailable, Reason.RPC_TIMEOUT),
)
"""First match wins, so the narrower phrase stands before the wider one."""

# JSON-RPC 2.0 section 5.1 and EIP-1474.
_BY_CODE = {
    -32700: (RequestRefused, Reason.REQUEST_REFUSED),
    -32600: (RequestRefused, Reason.REQUEST_REFUSED),
    -32601: (RequestRefused, Reason.REQUEST_REFUSED),
    -32602: (RequestRefused, Reason.REQUEST_REFUSED),
    -32005: (RpcUnavailable, Reason.RPC_RATE_LIMITED),
}

# A node's message is shown to people and written to logs: hostile length must not matter.
_SHOWN_CHARACTERS = 300


def classify(method: str, code: int, message: str) -> BridgeError:
    """
    Return (never raise) the error that a node's answer to `method` stands for.

    What no rule knows is `RpcUnavailable`: an unknown failure must never be taken for a final one.
    """
    lowered = message.lower()
    shown = f"{method}: the node says {message[:_SHOWN_CHARACTERS]!r} ({code})"
    for rule in TABLE:
        if rule.phrase in lowered:
            return rule.family(rule.reason, shown, rule.remedy)
    family, reason = _BY_CODE.get(code, (RpcUnavailable, Reason.RPC_INTERNAL))
    return family(reason, shown)
