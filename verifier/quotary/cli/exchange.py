"""The options of commands that judge one exchange with a service."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from quotary.cli.gateway import add_gateway_options
from quotary.cli.hardware import add_hardware_options
from quotary.cli.workload import add_expectations, add_json, hex_of

__all__ = ["add_exchange_options"]


def add_exchange_options(
    parser: ArgumentParser,
    signed: Mapping[str, str],
    *,
    request_required: bool,
    unchallenged: bool = False,
) -> None:
    """
    Add the options: report, bodies, and what is `signed` about them (option and help), by file.

    With `unchallenged`, it can be said that the report was asked for without a nonce.
    """
    documents = parser.add_argument_group("the exchange")
    documents.add_argument("--report", metavar="FILE", help="the attestation report, JSON")
    documents.add_argument(
        "--request", metavar="FILE", required=request_required, help="the request body"
    )
    documents.add_argument("--response", metavar="FILE", help="the response body, streams raw")
    for option, text in signed.items():
        documents.add_argument(option, metavar="FILE", help=text)
    nonce = documents.add_mutually_exclusive_group()
    nonce.add_argument(
        "--nonce", type=hex_of(32), metavar="HEX", help="the nonce you asked the report with"
    )
    if unchallenged:
        nonce.add_argument(
            "--unchallenged",
            action="store_true",
            help="the report was asked for without nonce; it proves no freshness",
        )
    add_gateway_options(parser)
    add_hardware_options(parser)
    add_expectations(parser)
    add_json(parser)
