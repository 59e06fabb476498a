"""
What can go wrong between this machine and a chain.

    BridgeError                    reason, message, remedy
    ├── Transient                  the same step may succeed later: wait and repeat it
    │   ├── RpcUnavailable         no answer, a broken answer, a rate limit, a server error
    │   ├── BlockNotFound          the node does not (yet) have that block
    │   ├── FeeTooLow              the pool wants a higher fee, or a bigger raise for a replacement
    │   ├── PoolFull               the node's pool takes no more of us now
    │   ├── NonceAhead             an earlier transaction of the account is missing
    │   ├── InsufficientFunds      the account cannot pay until somebody tops it up
    │   └── NotFinal               not mined, or not deep enough, within the time given
    ├── Permanent                  repeating this step can never help: record it and go on
    │   ├── ContractError          the contract said no; the custom error and its values
    │   ├── NonceUsed              another transaction, or this very one, took the nonce
    │   ├── TransactionRefused     no node will ever take these bytes
    │   ├── RequestRefused         the node does not understand the call
    │   └── EvidenceRejected       the quote, or what must support it, was judged and failed
    └── Fatal                      stop: only a person can put this right
        ├── ConfigurationError     a setting, file or tool is missing or makes no sense
        ├── KeyRefused             a key that must not, or cannot, be used
        ├── WrongChain             the node serves another chain than the one asked for
        ├── DeploymentMismatch     the chain does not hold what the deployment record says
        └── FinalityViolation      a block that was final is gone
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = [
    "BlockNotFound",
    "BridgeError",
    "ConfigurationError",
    "ContractError",
    "DeploymentMismatch",
    "EvidenceRejected",
    "Fatal",
    "FeeTooLow",
    "FinalityViolation",
    "InsufficientFunds",
    "KeyRefused",
    "NonceAhead",
    "NonceUsed",
    "NotFinal",
    "Permanent",
    "PoolFull",
    "Reason",
    "RequestRefused",
    "RpcUnavailable",
    "TransactionRefused",
    "Transient",
    "WrongChain",
]


class Reason(StrEnum):
    """The stable name of a failure: metric label, field of `--json`, and what tests assert."""

    RPC_UNREACHABLE = "RPC_UNREACHABLE"
    RPC_TIMEOUT = "RPC_TIMEOUT"
    RPC_RATE_LIMITED = "RPC_RATE_LIMITED"
    RPC_BROKEN_ANSWER = "RPC_BROKEN_ANSWER"
    RPC_INTERNAL = "RPC_INTERNAL"
    BLOCK_NOT_FOUND = "BLOCK_NOT_FOUND"
    FEE_TOO_LOW = "FEE_TOO_LOW"
    REPLACEMENT_UNDERPRICED = "REPLACEMENT_UNDERPRICED"
    POOL_FULL = "POOL_FULL"
    ACCOUNT_LIMIT = "ACCOUNT_LIMIT"
    NONCE_AHEAD = "NONCE_AHEAD"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    NOT_MINED_IN_TIME = "NOT_MINED_IN_TIME"
    NOT_FINAL_IN_TIME = "NOT_FINAL_IN_TIME"
    REVERTED = "REVERTED"
    NONCE_USED = "NONCE_USED"
    TRANSACTION_REFUSED = "TRANSACTION_REFUSED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    EVIDENCE_REJECTED = "EVIDENCE_REJECTED"
    EVIDENCE_STALE = "EVIDENCE_STALE"
    BINDING_MISMATCH = "BINDING_MISMATCH"
    WORKER_UNREACHABLE = "WORKER_UNREACHABLE"
    WORKER_REFUSED = "WORKER_REFUSED"
    CONFIGURATION_INVALID = "CONFIGURATION_INVALID"
    CONFIGURATION_MISSING = "CONFIGURATION_MISSING"
    TOOL_MISSING = "TOOL_MISSING"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    DEPLOYMENT_MISSING = "DEPLOYMENT_MISSING"
    DEPLOYMENT_INVALID = "DEPLOYMENT_INVALID"
    DEPLOYMENT_MISMATCH = "DEPLOYMENT_MISMATCH"
    CONTRACT_VERSION_UNKNOWN = "CONTRACT_VERSION_UNKNOWN"
    POLICY_INVALID = "POLICY_INVALID"
    DEVELOPMENT_ONLY = "DEVELOPMENT_ONLY"
    KEYFILE_MISSING = "KEYFILE_MISSING"
    KEYFILE_PERMISSIONS = "KEYFILE_PERMISSIONS"
    KEYFILE_INVALID = "KEYFILE_INVALID"
    PASSWORD_MISSING = "PASSWORD_MISSING"  # noqa: S105 (the name of a reason)
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105 (the name of a reason)
    KEY_INVALID = "KEY_INVALID"
    KEY_WELL_KNOWN = "KEY_WELL_KNOWN"
    KEY_ON_COMMAND_LINE = "KEY_ON_COMMAND_LINE"
    WRONG_ACCOUNT = "WRONG_ACCOUNT"
    WRONG_CHAIN = "WRONG_CHAIN"
    FINALITY_VIOLATION = "FINALITY_VIOLATION"
    SIGNER_LEASE_HELD = "SIGNER_LEASE_HELD"
    SEAL_LENGTH_WRONG = "SEAL_LENGTH_WRONG"
    SEAL_SELECTOR_UNKNOWN = "SEAL_SELECTOR_UNKNOWN"
    COORDINATE_TOO_LARGE = "COORDINATE_TOO_LARGE"
    POINT_INVALID = "POINT_INVALID"
    PUBLIC_INPUT_TOO_LARGE = "PUBLIC_INPUT_TOO_LARGE"
    PROOF_INVALID = "PROOF_INVALID"
    RECEIPT_MALFORMED = "RECEIPT_MALFORMED"
    RECEIPT_MISMATCH = "RECEIPT_MISMATCH"
    GUEST_INPUT_MALFORMED = "GUEST_INPUT_MALFORMED"
    COLLATERAL_UNAVAILABLE = "COLLATERAL_UNAVAILABLE"
    PROVER_UNREACHABLE = "PROVER_UNREACHABLE"
    PROVER_REFUSED = "PROVER_REFUSED"
    PROVER_BROKEN_ANSWER = "PROVER_BROKEN_ANSWER"
    PROVING_FAILED = "PROVING_FAILED"
    PROVING_UNFINISHED = "PROVING_UNFINISHED"


class BridgeError(Exception):
    """
    The base of everything the bridge raises on purpose.

    `reason` is stable, `message` says what happened with its values, `remedy` says what a person
    can do about it (empty where nothing but waiting helps). None of them ever holds a secret.
    """

    def __init__(self, reason: Reason, message: str, remedy: str = "") -> None:
        """Say what happened, and what a person can do about it."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """One line: what happened and what to do."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class Transient(BridgeError):  # noqa: N818 (a family, not one error)
    """The same step may succeed later."""


class RpcUnavailable(Transient):
    """The node gave no usable answer."""


class BlockNotFound(Transient):
    """The node does not have that block."""


class FeeTooLow(Transient):
    """The node's pool wants a higher fee."""


class PoolFull(Transient):
    """The node's pool takes no more transactions of this account, or of anybody, now."""


class NonceAhead(Transient):
    """The nonce leaves a gap after the account's last transaction."""


class InsufficientFunds(Transient):
    """The account cannot pay for gas and value."""


class NotFinal(Transient):
    """Not mined, or not deep enough, within the time given."""


class Permanent(BridgeError):  # noqa: N818 (a family, not one error)
    """Repeating this step can never help."""


class ContractError(Permanent):
    """
    A contract reverted.

    `name` is the Solidity custom error (`Error` and `Panic` for Solidity's own, `UnknownError`
    where no exported ABI knows the selector), `values` are its arguments by parameter name, `data`
    is the revert data, `inner` is the error a nested call reverted with, if this one carries it.
    """

    def __init__(
        self,
        name: str,
        values: Mapping[str, object],
        data: bytes,
        remedy: str = "",
        *,
        cause: str = "",
        inner: ContractError | None = None,
    ) -> None:
        """Say which error, with which values; `data` is the revert data they were decoded from."""
        shown = ", ".join(f"{key}={_shown(value)}" for key, value in values.items())
        message = f"the contract reverted: {name}({shown})"
        if cause:
            message = f"{message}: {cause.rstrip('.')}"
        if inner is not None:
            message = f"{message}, caused by {inner.name}({_values(inner)})"
        super().__init__(Reason.REVERTED, message, remedy)
        self.name: str = name
        self.values: dict[str, object] = dict(values)
        self.data: bytes = data
        self.inner: ContractError | None = inner


class NonceUsed(Permanent):
    """The account's nonce is past this one: by this very transaction, or by another."""


class TransactionRefused(Permanent):
    """No node will ever take these bytes."""


class RequestRefused(Permanent):
    """The node does not understand, or does not offer, the call."""


class EvidenceRejected(Permanent):
    """Evidence was judged, and failed."""


class Fatal(BridgeError):  # noqa: N818 (a family, not one error)
    """Only a person can put this right."""


class ConfigurationError(Fatal):
    """A setting, file or tool is missing or makes no sense."""


class KeyRefused(Fatal):
    """A key that must not, or cannot, be used."""


class WrongChain(Fatal):
    """The node serves another chain than the one asked for."""


class DeploymentMismatch(Fatal):
    """The chain does not hold what the deployment record says."""


class FinalityViolation(Fatal):
    """A block that was final is no longer part of the chain."""


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _values(error: ContractError) -> str:
    return ", ".join(f"{key}={_shown(value)}" for key, value in error.values.items())
