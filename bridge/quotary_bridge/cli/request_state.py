"""What a command finds out about a request, at either oracle."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from quotary_bridge.chain.contracts import (
    BatchOracle,
    RequestCreated,
    RequestFulfilled,
    RequestState,
    RequestStatus,
    RequestTerms,
    ResultOracle,
    decode_event,
    topics_of,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Log
from quotary_bridge.cli.options import Context
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Bytes32

__all__ = [
    "FoundRequest",
    "add_batches_flag",
    "found",
    "oracle_of",
    "result_oracle",
    "terms_of",
    "unknown",
]

_CLAIMED = "ResultClaimed"


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request, as the event of its end tells it; of a batch's, which one."""

    output: bytes
    output_hash: Bytes32 | None = None
    batch_id: int | None = None

    def fields(self) -> dict[str, object]:
        told: dict[str, object] = {
            "output": self.output.decode(errors="replace"),
            "output_bytes": self.output,
        }
        if self.output_hash is not None:
            told["output_hash"] = self.output_hash
        if self.batch_id is not None:
            told["batch_id"] = self.batch_id
        return told


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A request, what it asked for, and its answer where it has one."""

    request_id: Bytes32
    state: RequestState
    terms: RequestTerms | None = None
    answered: Answered | None = None

    def fields(self) -> dict[str, object]:
        """Return what `--json` says of it."""
        told: dict[str, object] = {
            "request_id": self.request_id,
            "status": self.state.status.name.lower(),
        }
        if self.terms is not None:
            told |= {
                "app_id": self.terms.app_id,
                "model_id": self.terms.model_id,
                "requester": self.terms.requester,
                "deadline": self.terms.deadline,
                "fee": str(self.terms.payment.max_fee),
                "results_needed": self.terms.quorum.results,
                "seats": self.terms.quorum.seats,
                "rule": self.terms.quorum.rule.name.lower(),
                "workers": list(self.terms.workers),
                "reserved_until": self.terms.reserved_until,
                "disputes": self.state.disputes,
                "reassigned": self.state.reassigned,
                "callback": self.state.callback.name.lower(),
            }
        if self.answered is not None:
            told |= {
                "worker": self.state.worker,
                "proof_kind": self.state.kind.name.lower(),
                **self.answered.fields(),
            }
        return told

    def text(self) -> str:
        """Return what people are told of it."""
        lines = [
            f"request  0x{self.request_id.hex()}",
            f"status   {self.state.status.name.lower()}",
        ]
        if self.terms is not None and self.terms.quorum.results > 1:
            quorum = self.terms.quorum
            disputed = f", {self.state.disputes} disputed" if self.state.disputes else ""
            lines.append(f"quorum   {quorum.results} of {quorum.seats} workers{disputed}")
        if self.terms is not None and self.terms.workers:
            until = "opened to all" if self.state.reassigned else self.terms.reserved_until
            lines += [f"asked    {worker}" for worker in self.terms.workers]
            lines.append(f"until    {until}")
        if self.answered is not None:
            lines += [
                f"worker   {self.state.worker} ({self.state.kind.name.lower()})",
                f"output   {self.answered.output.decode(errors='replace')}",
            ]
        return "\n".join(lines)


def add_batches_flag(parser: ArgumentParser) -> None:
    """Add which of the two oracles is meant."""
    parser.add_argument(
        "--batches", action="store_true", help="at the oracle of batches, not that of results"
    )


def result_oracle(context: Context) -> ResultOracle:
    """Return the oracle of the deployment."""
    return ResultOracle(context.chain, context.deployment().address("ResultOracle"))


def oracle_of(context: Context, *, batches: bool) -> ResultOracle | BatchOracle:
    """Return the oracle that `add_batches_flag` chose."""
    if batches:
        return BatchOracle(context.chain, context.deployment().address("BatchOracle"))
    return result_oracle(context)


def found(
    context: Context, oracle: ResultOracle | BatchOracle, request_id: Bytes32
) -> FoundRequest:
    """Return what is known of a request; its status is `UNKNOWN` where there is none."""
    (state,) = oracle.states_of([request_id], "latest")
    if state.status is RequestStatus.UNKNOWN:
        return FoundRequest(request_id, state)
    terms = terms_of(context, oracle, request_id)
    return FoundRequest(request_id, state, terms, _answered(context, oracle, request_id))


def terms_of(
    context: Context, oracle: ResultOracle | BatchOracle, request_id: Bytes32
) -> RequestTerms:
    """Return what was asked, as the event of the request tells it; `ConfigurationError`."""
    for log in _logs(context, oracle, topics_of("RequestCreated")[0], request_id):
        event = decode_event(log)
        if isinstance(event, RequestCreated):
            return event.terms
    raise unknown(request_id)


def unknown(request_id: Bytes32) -> ConfigurationError:
    """Return (never raise) the error for an id that no request has."""
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"the oracle knows no request 0x{request_id.hex()}",
        "check the id, --batches, --chain-id and --deployments",
    )


def _answered(
    context: Context, oracle: ResultOracle | BatchOracle, request_id: Bytes32
) -> Answered | None:
    abi = interface(oracle.abi_name)
    if isinstance(oracle, BatchOracle):
        for log in _logs(context, oracle, abi.event(_CLAIMED).topic, request_id):
            told = abi.decode_log(log)
            if told is not None and told[0] == _CLAIMED:
                return Answered(told[1]["output"], batch_id=told[1]["batchId"])
        return None
    for log in _logs(context, oracle, topics_of("RequestFulfilled")[0], request_id):
        event = decode_event(log)
        if isinstance(event, RequestFulfilled):
            return Answered(event.output, output_hash=event.output_hash)
    return None


def _logs(
    context: Context, oracle: ResultOracle | BatchOracle, topic: bytes, request_id: Bytes32
) -> list[Log]:
    """Return the events of one kind about a request: its id is the first indexed field of all."""
    first = context.deployment().contracts[oracle.abi_name].block
    last = context.chain.head().number
    return list(context.chain.all_logs([oracle.address], first, last, [topic, request_id]))
