"""Where the input of `quotary request ask` comes from, and where it goes if not to the chain."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import add_output_flags, read_file
from quotary_bridge.cli.relay_api import token_from
from quotary_bridge.client import RelayerClient
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store import INPUT_BYTES_LIMIT

__all__ = ["add_input_flags", "add_supply", "hand_in", "input_of"]


def add_input_flags(ask: ArgumentParser) -> None:
    """Add what is asked, and whether the chain is to have all of it."""
    ask.add_argument(
        "text", nargs="?", metavar="TEXT", help="the input, sent as UTF-8; public on the chain"
    )
    ask.add_argument("--input-file", metavar="FILE", help="the input, in place of TEXT")
    ask.add_argument(
        "--off-chain",
        action="store_true",
        help="the chain gets the SHA-256 of the input only; --relayer, and its workers, get all",
    )
    _add_relayer_flags(ask)


def add_supply(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `supply`."""
    parser = commands.add_parser(
        "supply",
        help="hand an input that is kept off the chain to one more relayer",
        epilog="example: quotary request supply question.txt --relayer http://127.0.0.1:8760",
    )
    parser.add_argument("input_file", metavar="FILE", help="the input")
    _add_relayer_flags(parser, required=True)
    add_output_flags(parser)
    parser.set_defaults(run=_supply)


def _add_relayer_flags(parser: ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--relayer", metavar="URL", required=required, help="where a relayer's API is"
    )
    parser.add_argument("--relayer-token-file", metavar="PATH", help="its first line is the token")


def input_of(args: Namespace) -> bytes:
    """Return what is asked; raises `ConfigurationError`."""
    if (args.text is None) == (args.input_file is None):
        raise _invalid("there is one input", "give either TEXT or --input-file")
    if args.off_chain != (args.relayer is not None):
        raise _invalid(
            "--off-chain and --relayer belong together",
            "say which relayer gets the input, or leave both out",
        )
    if args.text is not None:
        return str(args.text).encode()
    return read_file(args.input_file, INPUT_BYTES_LIMIT)


def hand_in(args: Namespace, content: bytes) -> bytes:
    """Hand `content` to the relayer that is named; returns its commitment."""
    token = token_from(args.relayer_token_file)
    return RelayerClient(args.relayer, token).supply(content)


@command
def _supply(args: Namespace) -> int:
    commitment = hand_in(args, read_file(args.input_file, INPUT_BYTES_LIMIT))
    answer(args, {"input_commitment": commitment}, f"input        0x{commitment.hex()} handed in")
    return ExitCode.OK


def _invalid(message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Reason.CONFIGURATION_INVALID, message, remedy)
