"""`quotary batch`: many answers under one signature: ask for them, commit, and claim."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from quotary.cli.output import ExitCode

from quotary_bridge.chain.contracts import BatchCommitted, BatchOracle, ClaimedAnswer
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
    app_id,
    identifier,
    read_file,
)
from quotary_bridge.cli.relay_records import add_database_flag, existing_store
from quotary_bridge.cli.sending import Sent, send
from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable
from quotary_bridge.model import Bytes32, ChainId, job_key
from quotary_bridge.relayer.batches import (
    batch_told,
    claims,
    committed,
    pending,
    prepare,
)
from quotary_bridge.workers import (
    Endpoint,
    PreparedBatch,
    ResultRejectedError,
    WorkerClient,
    WorkerFaultError,
)

__all__ = ["register"]

_FILE_BYTES = 64 << 20
_MOST = 1000


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    batch = subparsers.add_parser("batch", help="many answers under one signature")
    commands = batch.add_subparsers(dest="batch_command", required=True)
    asking = commands.add_parser(
        "answer",
        help="have a worker answer what is pending, and keep what it signed",
        epilog="example: quotary batch answer batch.json --app council --model 0xM… "
        "--worker-url http://127.0.0.1:8000",
    )
    asking.add_argument("file", metavar="FILE", help="where to write it; must not exist")
    asking.add_argument("--app", type=app_id, required=True, metavar="APP", help="id, or name")
    asking.add_argument(
        "--model", type=identifier, required=True, metavar="ID", help="the model's id"
    )
    asking.add_argument("--worker-url", required=True, metavar="URL", help="who is asked")
    asking.add_argument("--worker", type=address, metavar="ADDRESS", help="refuse any other")
    asking.add_argument("--most", type=int, default=_MOST, metavar="N", help=f"({_MOST})")
    add_chain_flags(asking)
    add_output_flags(asking)
    asking.set_defaults(run=_answer)
    for name, told, run in (
        ("commit", "commit a batch's root", _commit),
        ("push", "end all requests of a committed batch", _push),
    ):
        one = commands.add_parser(
            name, help=told, epilog=f"example: quotary batch {name} batch.json --account me"
        )
        _add_sending(one)
        one.set_defaults(run=run)
    claiming = commands.add_parser(
        "claim",
        help="end one request of a committed batch",
        epilog="example: quotary batch claim batch.json --request 0xR… --account me",
    )
    claiming.add_argument("--request", type=identifier, required=True, metavar="ID", help="its id")
    _add_sending(claiming)
    claiming.set_defaults(run=_claim)
    voiding = commands.add_parser(
        "void",
        help="stop claims on a batch whose worker or model was ruled out",
        epilog="example: quotary batch void 7 --account me",
    )
    voiding.add_argument("batch_id", type=int, metavar="NUMBER", help="as commit printed it")
    add_account_flags(voiding)
    add_chain_flags(voiding)
    add_output_flags(voiding)
    voiding.set_defaults(run=_void)
    exporting = commands.add_parser(
        "export",
        help="write what a relayer's worker signed for a request, to claim it from",
        epilog="example: quotary batch export batch.json --request 0xR… --database quotary.sqlite",
    )
    exporting.add_argument("file", metavar="FILE", help="where to write it; must not exist")
    exporting.add_argument("--request", type=identifier, required=True, metavar="ID", help="its id")
    add_database_flag(exporting)
    add_chain_flags(exporting)
    add_output_flags(exporting)
    exporting.set_defaults(run=_export)


def _add_sending(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what `quotary batch answer` wrote")
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)


@command
def _answer(args: Namespace) -> int:
    context = Context.of(args)
    oracle, first_block = _oracle(context)
    asked = pending(oracle, first_block, args.app, args.model, args.most)
    if not asked:
        answer(args, {"answered": 0}, "nothing is pending; no file was written")
        return ExitCode.OK
    client = WorkerClient()
    try:
        prepared = prepare(client, Endpoint(args.worker_url, args.worker), oracle, asked)
    except WorkerFaultError as error:
        raise RpcUnavailable(
            Reason.RPC_UNREACHABLE, f"the worker gave no answer: {error}", "try again, or another"
        ) from error
    except ResultRejectedError as error:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the worker's batch would be refused: {error}",
            "ask another worker",
        ) from error
    finally:
        client.close()
    _write(Path(args.file), prepared.as_json())
    batch = prepared.signed.batch
    fields = {"answered": batch.count, "root": batch.root, "worker": batch.worker}
    text = f"answered  {batch.count}\nworker    {batch.worker}\nroot      0x{batch.root.hex()}"
    answer(args, {**fields, "file": args.file}, f"{text}\nfile      {args.file}")
    return ExitCode.OK


@command
def _commit(args: Namespace) -> int:
    context = Context.of(args)
    oracle, first_block = _oracle(context)
    prepared = _prepared(args, oracle)
    told = committed(oracle, prepared, first_block)
    if told is not None:
        fields: dict[str, object] = {"batch_id": told.batch_id, "sent": False}
        answer(args, fields, f"batch {told.batch_id} is committed already")
        return ExitCode.OK
    sent = send(args, context, oracle.address, prepared.commit(oracle))
    told = _told(sent)
    if told is None:
        answer(args, sent.fields(), sent.text())
    else:
        fields = {"batch_id": told.batch_id, **sent.fields()}
        answer(args, fields, f"batch        {told.batch_id}\n{sent.text()}")
    return ExitCode.OK


@command
def _push(args: Namespace) -> int:
    context = Context.of(args)
    oracle, first_block = _oracle(context)
    prepared = _prepared(args, oracle)
    told = _require_committed(oracle, prepared, first_block)
    sent = [
        (len(piece), send(args, context, oracle.address, oracle.push(piece)))
        for piece in claims(oracle, prepared, told)
    ]
    count, gas = sum(number for number, _ in sent), sum(one.gas for _, one in sent)
    fields: dict[str, object] = {"batch_id": told.batch_id, "gas": gas}
    fields["claimed"] = 0 if args.dry_run else count
    verb = "would be claimed" if args.dry_run else "claimed"
    fields["transactions"] = [one.receipt.transaction_hash for _, one in sent if one.receipt]
    text = (
        f"{count} of {len(prepared.made)} answers {verb}, in {len(sent)} transactions, {gas:,} gas"
    )
    answer(args, fields, text)
    return ExitCode.OK


@command
def _claim(args: Namespace) -> int:
    context = Context.of(args)
    oracle, first_block = _oracle(context)
    prepared = _prepared(args, oracle)
    told = _require_committed(oracle, prepared, first_block)
    found = _find(oracle, prepared, told, args.request)
    sent = send(args, context, oracle.address, oracle.claim(found))
    answer(args, {"batch_id": told.batch_id, **sent.fields()}, sent.text())
    return ExitCode.OK


@command
def _void(args: Namespace) -> int:
    context = Context.of(args)
    oracle, first_block = _oracle(context)
    told = batch_told(oracle, args.batch_id, first_block)
    if told is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"no batch has the number {args.batch_id}",
            "give the number that `quotary batch commit` printed",
        )
    if not oracle.is_open(told.batch_id):
        fields: dict[str, object] = {"batch_id": told.batch_id, "sent": False}
        answer(args, fields, f"batch {told.batch_id} is void already")
        return ExitCode.OK
    sent = send(args, context, oracle.address, oracle.void(told))
    answer(args, {"batch_id": told.batch_id, **sent.fields()}, sent.text())
    return ExitCode.OK


@command
def _export(args: Namespace) -> int:
    context = Context.of(args)
    oracle, _ = _oracle(context)
    key = job_key(ChainId(oracle.chain.chain_id), oracle.address, args.request)
    store = existing_store(args.database)
    try:
        document = store.batch_document_for(key)
    finally:
        store.close()
    if document is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the record has no batch with an answer to 0x{args.request.hex()}",
            "check the id; `quotary relay status` says how far the record is",
        )
    _write(Path(args.file), document)
    count = len(PreparedBatch.from_json(document).made)
    answer(args, {"file": args.file, "answers": count}, f"{count} answers are in {args.file}")
    return ExitCode.OK


def _find(
    oracle: BatchOracle, prepared: PreparedBatch, told: BatchCommitted, request: Bytes32
) -> ClaimedAnswer:
    for piece in claims(oracle, prepared, told):
        for one in piece:
            if one.made.request_id(prepared.chain_id, prepared.oracle) == request:
                return one
    raise ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"the batch has no answer to 0x{request.hex()} that is still to be claimed",
        "check the id; `quotary request status` says what became of it",
    )


def _oracle(context: Context) -> tuple[BatchOracle, int]:
    record = context.deployment()
    oracle = BatchOracle(context.chain, record.address("BatchOracle"))
    return oracle, record.contracts["BatchOracle"].block


def _prepared(args: Namespace, oracle: BatchOracle) -> PreparedBatch:
    prepared = PreparedBatch.from_json(read_file(args.file, _FILE_BYTES).decode(errors="replace"))
    if (prepared.chain_id, prepared.oracle) != (oracle.chain.chain_id, oracle.address):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"{args.file} is for {prepared.oracle} on chain {prepared.chain_id}",
            "name the chain and the deployment that it was made for",
        )
    return prepared


def _require_committed(
    oracle: BatchOracle, prepared: PreparedBatch, first_block: int
) -> BatchCommitted:
    told = committed(oracle, prepared, first_block)
    if told is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            "the batch is not committed, or was voided",
            "run: quotary batch commit",
        )
    return told


def _told(sent: Sent) -> BatchCommitted | None:
    found = map(BatchCommitted.of, sent.receipt.logs if sent.receipt else ())
    return next((told for told in found if told is not None), None)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{path} cannot be written: {error.strerror}",
            "name a new file in a folder of yours",
        ) from error
