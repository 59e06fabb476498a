"""
What can go wrong with a request, by the contracts' own names.

Every custom error of the contracts is a class here: `from quotary_bridge.client.errors import
RequestExpired`. All are `OracleError`, with the decoded values in `values`.
"""

from __future__ import annotations

from functools import cache

from web3.exceptions import ContractLogicError, Web3RPCError

from quotary_bridge.chain.interface import error_catalogue
from quotary_bridge.chain.reverts import REVERT_CODE, decode_revert, revert_data
from quotary_bridge.chain.wire import error_of
from quotary_bridge.errors import ContractError, Permanent, Reason

__all__ = ["BatchUnusableError", "OracleError", "RequestEndedError", "error_class", "typed"]


class OracleError(ContractError):
    """A contract said no; `name`, `values`, `data` and `inner` say why."""


class RequestEndedError(Permanent):
    """A request ended without an answer; `event` is the contract's name for how."""

    def __init__(self, event: str, request_id: bytes) -> None:
        """Say how the request ended."""
        super().__init__(
            Reason.REVERTED,
            f"the request 0x{request_id.hex()} ended without an answer: {event}",
            "what was put up for it can be withdrawn, or came back: ask again",
        )
        self.event = event


class BatchUnusableError(Permanent):
    """Nothing can be done with the document of a batch, for `why`."""

    def __init__(self, why: str) -> None:
        """Say why."""
        super().__init__(
            Reason.CONFIGURATION_INVALID,
            f"the batch serves nothing: {why}",
            "get the document that answers the request from whoever relayed it",
        )
        self.why = why


@cache
def error_class(name: str) -> type[OracleError]:
    """Return the class of an error, one for each name."""
    return type(name, (OracleError,), {"__module__": __name__})


def typed(error: ContractError) -> OracleError:
    """Return a contract's error as the class that bears its name."""
    made = error_class(error.name)(
        error.name, error.values, error.data, error.remedy, inner=error.inner
    )
    made.message = error.message
    return made


def from_revert(data: bytes) -> OracleError:
    """Return the error that revert data encode."""
    return typed(decode_revert(data))


def refusal(error: ContractLogicError | Web3RPCError) -> OracleError | None:
    """
    Return what a contract said in an error of Web3's, None where no contract said anything.

    Web3 knows the words that some nodes use for a revert, and takes others for an error of the node
    itself; the data are there all the same.
    """
    if isinstance(error, ContractLogicError):
        data = revert_data(REVERT_CODE, "", error.data) or b""
        message = (error.message or "").lower()
        if isinstance(error.data, dict):
            # Web3's own words, put before those of any node that answers in this form.
            message = message.removeprefix("execution reverted: ")
        said = bool(data) or "revert" in message
        return from_revert(data) if said else None
    answer = error.rpc_response
    if answer is None or "error" not in answer:
        return None
    found = revert_data(*error_of(answer))
    return None if found is None else from_revert(found)


def __getattr__(name: str) -> type[OracleError]:
    if name in {known.entry.name for known in error_catalogue().values()}:
        return error_class(name)
    raise AttributeError(f"the contracts have no error {name}")
