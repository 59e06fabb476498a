"""The flags of `quotary deploy`, and the parameters they amount to."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from quotary_bridge.cli.options import Context, address, app_id, identifier, trust_root
from quotary_bridge.deploy.parameters import (
    DEFAULT_ACCEPTED_STATUSES,
    DEMO_IMAGE_ID,
    SHORTEST_DELAY,
    Committee,
    Parameters,
    TimelockTerms,
    WorkerRules,
)
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address

__all__ = ["add_parameter_flags", "everybody_named", "parameters_of"]

_STATUS_BITS = 16
# uint64, as the contracts keep it: more seconds than there will be.
_SECONDS_LIMIT = 2**64


def add_parameter_flags(parser: ArgumentParser) -> None:
    """Add everything that a deployment fixes."""
    _add_roles(parser)
    _add_rules(parser)
    development = parser.add_argument_group("development chains only")
    development.add_argument("--allow-stub", action="store_true", help="admit the stub prover")
    development.add_argument(
        "--governor", type=address, metavar="ADDRESS", help="an account instead of the timelock"
    )
    development.add_argument("--root", metavar="FILE", help="trust this root instead of Intel's")
    example = parser.add_argument_group("example consumer (both, or none)")
    example.add_argument("--app", type=app_id, metavar="APP", help="the app it asks: id, or name")
    example.add_argument("--model", type=identifier, metavar="ID", help="the model it asks for")


def everybody_named(args: Namespace) -> bool:
    """Whether no role is left to the account."""
    return bool(args.guardian and args.member and (args.proposer or args.governor))


def parameters_of(args: Namespace, context: Context, account: Address | None) -> Parameters:
    """
    Return the parameters that the flags say; `account` stands in for whom they do not name.

    Raises `ConfigurationError` where somebody is not named who must be.
    """
    _require_named(args, context, account)
    members = tuple(dict.fromkeys(args.member or _accounts(account)))
    root = trust_root(args.root, development=context.development)
    return Parameters(
        governor=args.governor or _terms(args, context, account),
        guardian=args.guardian or _accounts(account)[0],
        committee=Committee(members, len(members) if args.threshold is None else args.threshold),
        root_key_hashes=(root.key_hash,),
        collateral_root=root,
        allow_stub=args.allow_stub,
        image_id=args.image_id or (DEMO_IMAGE_ID if context.development else None),
        automata_program=args.automata_program,
        max_age=args.max_age,
        workers=WorkerRules(
            activation_delay=args.activation_delay,
            max_stretch=args.max_stretch,
            accepted_statuses=args.accepted_statuses,
        ),
        app_id=args.app,
        model_id=args.model,
        salt=args.salt,
    )


def _add_roles(parser: ArgumentParser) -> None:
    roles = parser.add_argument_group("who, fixed at deployment for ever")
    roles.add_argument(
        "--proposer",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="may propose to the timelock that governs; repeatable (the account)",
    )
    roles.add_argument(
        "--executor",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="may execute what has waited; repeatable (anyone)",
    )
    roles.add_argument(
        "--delay",
        type=_seconds,
        metavar="SECONDS",
        help=f"that proposals wait ({SHORTEST_DELAY}; 0 on development chains)",
    )
    roles.add_argument(
        "--guardian", type=address, metavar="ADDRESS", help="may only narrow (the account)"
    )
    roles.add_argument(
        "--member",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="a committee member; repeatable (the account)",
    )
    roles.add_argument("--threshold", type=int, metavar="M", help="how many must sign (all)")


def _add_rules(parser: ArgumentParser) -> None:
    rules = parser.add_argument_group("what, fixed at deployment for ever")
    rules.add_argument(
        "--max-age",
        type=_seconds,
        default=3600,
        metavar="SECONDS",
        help="how old a verdict may be when it is submitted (%(default)s)",
    )
    rules.add_argument(
        "--activation-delay",
        type=_seconds,
        default=0,
        metavar="SECONDS",
        help="that a new worker waits (%(default)s)",
    )
    rules.add_argument(
        "--max-stretch",
        type=_seconds,
        default=WorkerRules().max_stretch,
        metavar="SECONDS",
        help="that registrations reach further whose collateral the vendor did not renew; 30 days "
        "at most (%(default)s)",
    )
    rules.add_argument(
        "--accepted-statuses",
        type=_statuses,
        default=DEFAULT_ACCEPTED_STATUSES,
        metavar="BITS",
        help="bit n accepts TCB status n (%(default)s)",
    )
    rules.add_argument(
        "--image-id",
        type=identifier,
        metavar="HEX",
        help="the guest whose zero-knowledge proofs count (none; a placeholder on development "
        "chains)",
    )
    rules.add_argument(
        "--automata-program",
        type=identifier,
        metavar="HEX",
        help="read the proofs of Automata's guest with this image id, too",
    )
    rules.add_argument(
        "--salt", default="", metavar="TEXT", help="any text: another one, other addresses"
    )


def _require_named(args: Namespace, context: Context, account: Address | None) -> None:
    named = everybody_named(args)
    if not named and not context.development:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "proposer, guardian and committee are not chosen for you on a public chain",
            "give --proposer, --guardian and a --member for each member",
        )
    if not named and account is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "nobody is named as proposer, guardian or committee, and there is no account",
            "name them, or the account with --from",
        )
    if args.governor and (args.proposer or args.executor or args.delay is not None):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            "an account that governs has no proposers, executors or delay",
            "give --governor, or --proposer with --executor and --delay",
        )
    if (args.app is None) != (args.model is None):
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "the example consumer needs an app and a model",
            "give both --app and --model, or neither",
        )


def _terms(args: Namespace, context: Context, account: Address | None) -> TimelockTerms:
    default = 0 if context.development else SHORTEST_DELAY
    return TimelockTerms(
        proposers=tuple(dict.fromkeys(args.proposer or _accounts(account))),
        executors=tuple(dict.fromkeys(args.executor or [])),
        delay=default if args.delay is None else args.delay,
    )


def _accounts(account: Address | None) -> list[Address]:
    return [] if account is None else [account]


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= _SECONDS_LIMIT:
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return int(text)


def _statuses(text: str) -> int:
    try:
        bits = int(text, 0)
    except ValueError:
        bits = -1
    if not 0 <= bits < 1 << _STATUS_BITS:
        raise ArgumentTypeError(f"{text!r} is no set of {_STATUS_BITS} bits, 0b11110 for one")
    return bits
