"""`quotary model`: which models a request may ask for and a result may name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable
from typing import Literal

from quotary.cli.output import ExitCode

from quotary_bridge.admission.model_file import read_model
from quotary_bridge.chain.contracts import (
    Model,
    ModelAdmitted,
    ModelRegistry,
    ModelRevoked,
    decode_event,
    topics_of,
)
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    identifier,
)
from quotary_bridge.cli.sending import govern_by, send
from quotary_bridge.model import Bytes32

__all__ = ["register"]

_ID_CHARACTERS = 66


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    model = subparsers.add_parser("model", help="admit, revoke and show models")
    commands = model.add_subparsers(dest="model_command", required=True)
    _add_id(commands)
    for verb, summary, run in (
        ("propose", "announce a model: it can be executed after the timelock's delay", _propose),
        ("execute", "admit a model that was proposed and has waited", _execute),
    ):
        parser = commands.add_parser(
            verb,
            help=summary,
            epilog=f"example: quotary model {verb} ./weights --name minilm "
            "--licence-uri https://example.org/licence --account me",
        )
        parser.add_argument("model", metavar="DIR|FILE", help="the model's folder, or its manifest")
        _add_names(parser)
        _finish(parser, run, sends=True)
    for verb, summary, run in (
        ("revoke", "revoke an admitted model, for ever", _revoke),
        ("ban", "rule out a model that was never admitted, for ever", _ban),
    ):
        parser = commands.add_parser(
            verb, help=summary, epilog=f"example: quotary model {verb} 0x12… --account guardian"
        )
        _add_model(parser)
        _finish(parser, run, sends=True)
    show = commands.add_parser(
        "show",
        help="show a model, or all that were admitted or revoked",
        epilog="example: quotary model show",
    )
    _add_model(show, optional=True)
    _finish(show, _show, sends=False)


def _add_id(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "id",
        help="work out a model's id from its files",
        description="Measure a folder of a model's files as the worker does. What --json prints "
        "is a manifest that the other commands take.",
        epilog="example: quotary model id ./weights",
    )
    parser.add_argument("model", metavar="DIR|FILE", help="the model's folder, or its manifest")
    _add_names(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_id)


def _add_names(parser: ArgumentParser) -> None:
    parser.add_argument("--name", metavar="NAME", help="how people call it")
    parser.add_argument("--licence-uri", metavar="URI", help="the licence its weights are under")


def _add_model(parser: ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "model",
        metavar="ID|DIR|FILE",
        nargs="?" if optional else None,
        help="a model's id, its folder, or its manifest",
    )


def _finish(parser: ArgumentParser, run: object, *, sends: bool) -> None:
    if sends:
        add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=run)


@command
def _id(args: Namespace) -> int:
    found = read_model(args.model).model
    fields = {**_fields(found), "name": args.name or found.name}
    fields["licence_uri"] = args.licence_uri or found.licence_uri
    answer(args, fields, "\n".join(f"{key:<15} {_shown(item)}" for key, item in fields.items()))
    return ExitCode.OK


@command
def _propose(args: Namespace) -> int:
    return _change(args, "propose")


@command
def _execute(args: Namespace) -> int:
    return _change(args, "execute")


def _change(args: Namespace, verb: Literal["propose", "execute"]) -> int:
    model = read_model(args.model).named(args.name, args.licence_uri)
    context = Context.of(args)
    registry = _registry(context)
    governed = govern_by(args, context, registry.address, registry.admit(model), verb)
    status = "admitted" if governed.done or args.dry_run else "proposed"
    fields = {**_fields(model), "status": status, **governed.fields()}
    answer(args, fields, f"{status}     0x{model.id.hex()}\n{governed.text()}")
    return ExitCode.PARTIAL if status == "proposed" else ExitCode.OK


@command
def _revoke(args: Namespace) -> int:
    return _rule_out(args, ModelRegistry.revoke)


@command
def _ban(args: Namespace) -> int:
    return _rule_out(args, ModelRegistry.ban)


def _rule_out(args: Namespace, write: Callable[[ModelRegistry, Bytes32], bytes]) -> int:
    model_id = _model_id(args.model)
    context = Context.of(args)
    registry = _registry(context)
    sent = send(args, context, registry.address, write(registry, model_id))
    fields = {"model_id": model_id, **sent.fields()}
    answer(args, fields, f"revoked      0x{model_id.hex()}\n{sent.text()}")
    return ExitCode.OK


@command
def _show(args: Namespace) -> int:
    context = Context.of(args)
    registry = _registry(context)
    if args.model is None:
        found = _known(context, registry)
    else:
        model_id = _model_id(args.model)
        found = {model_id: registry.model_of(model_id)}
    rows = [
        {
            **({} if model is None else _fields(model)),
            "model_id": model_id,
            "status": registry.status_of(model_id).name.lower(),
        }
        for model_id, model in found.items()
    ]
    blocks = ("\n".join(f"{key:<15} {_shown(item)}" for key, item in row.items()) for row in rows)
    answer(args, {"models": rows}, "\n\n".join(blocks) or "nothing was admitted yet")
    return ExitCode.OK


def _known(context: Context, registry: ModelRegistry) -> dict[Bytes32, Model | None]:
    """Every model that an event tells of."""
    first = context.deployment().contracts["ModelRegistry"].block
    topics = topics_of("ModelAdmitted", "ModelRevoked")
    head = context.chain.head().number
    found: dict[Bytes32, Model | None] = {}
    for log in context.chain.all_logs([registry.address], first, head, [topics]):
        event = decode_event(log)
        if isinstance(event, ModelAdmitted):
            found[event.model_id] = event.model
        elif isinstance(event, ModelRevoked):
            found.setdefault(event.model_id, None)
    return found


def _fields(model: Model) -> dict[str, object]:
    return {
        "model_id": model.id,
        "weights_root": model.weights_root,
        "tokenizer_hash": model.tokenizer_hash,
        "config_hash": model.config_hash,
        "name": model.name,
        "licence_uri": model.licence_uri,
    }


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value) or "-"


def _model_id(text: str) -> Bytes32:
    if text.startswith("0x") and len(text) == _ID_CHARACTERS:
        return identifier(text)
    return read_model(text).model.id


def _registry(context: Context) -> ModelRegistry:
    return ModelRegistry(context.chain, context.deployment().address("ModelRegistry"))
