"""The service and the client that a command's options describe."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from quotary.cli._collateral_options import API_KEY_VARIABLE, read_root
from quotary.cli.output import visible
from quotary.fetch import (
    CollateralCache,
    CollateralClient,
    CollateralService,
    FetchEvent,
    Limits,
    UpdateChannel,
)

__all__ = ["client_of", "service_of"]


def client_of(
    args: Namespace,
    *,
    cache: CollateralCache | None = None,
    channel: UpdateChannel | None = None,
) -> CollateralClient:
    """
    Return the client for options of `add_service`, with progress on stderr unless that is unwanted.

    Without `channel` the options say which, or it is the standard one.
    """
    limits = Limits(
        document_seconds=min(Limits().document_seconds, args.timeout), total_seconds=args.timeout
    )
    named: UpdateChannel = getattr(args, "channel", UpdateChannel())
    progress = None if args.quiet or args.json else _progress
    root = read_root(getattr(args, "root", None))
    service = service_of(args, channel or named, limits)
    return CollateralClient(service, root=root, cache=cache, progress=progress)


def service_of(args: Namespace, channel: UpdateChannel, limits: Limits) -> CollateralService:
    """Return the service for options of `add_service_address`: Intel's, or the PCCS named."""
    api_key = os.environ.get(API_KEY_VARIABLE) or None
    if args.pccs:
        return CollateralService.pccs(
            args.pccs, channel=channel, limits=limits, ca_file=args.ca_file, api_key=api_key
        )
    return CollateralService(channel=channel, limits=limits, ca_file=args.ca_file, api_key=api_key)


def _progress(event: FetchEvent) -> None:
    sys.stderr.write(visible(f"{event.item}: {event.state} {event.detail}") + "\n")
