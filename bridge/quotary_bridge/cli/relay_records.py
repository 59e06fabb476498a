"""`quotary relay status` and `drain`: look at a relayer's record, and ask it to finish."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import add_output_flags, address
from quotary_bridge.errors import NotFinal, Reason
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, Timestamp
from quotary_bridge.store import Overview, Store, location

__all__ = ["add_database_flag", "existing_store", "register_records"]

DEFAULT_DATABASE = "quotary.sqlite"
POLL_SECONDS = 0.5


def add_database_flag(parser: ArgumentParser) -> None:
    """Add where the record is."""
    parser.add_argument(
        "--database",
        default=os.environ.get("QUOTARY_DATABASE", DEFAULT_DATABASE),
        metavar="FILE|URL",
        help=f"the record: a file ({DEFAULT_DATABASE}) or postgresql://USER@HOST/NAME, whose "
        "password belongs in PGPASSWORD; default: QUOTARY_DATABASE",
    )


def register_records(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands that need a record and no chain."""
    status = commands.add_parser(
        "status",
        help="what the record says",
        description="What the record says: how far the chain was read, jobs by state, and who "
        "relays with which account. Asks no node.",
        epilog="example: quotary relay status --database quotary.sqlite",
    )
    add_database_flag(status)
    add_output_flags(status)
    status.set_defaults(run=_status)
    drain = commands.add_parser(
        "drain",
        help="let relayers finish what they began, and stop",
        description="Ask relayers to begin nothing more. Each stops by itself when everything it "
        "sent is final; what it did not begin is for others, or for its next start.",
        epilog="example: quotary relay drain --wait 600",
    )
    drain.add_argument("--signer", type=address, metavar="ADDRESS", help="only this account's")
    drain.add_argument(
        "--wait", type=float, metavar="SECONDS", help="wait so long until they have stopped"
    )
    add_database_flag(drain)
    add_output_flags(drain)
    drain.set_defaults(run=_drain)


@command
def _status(args: Namespace) -> int:
    store = existing_store(args.database)
    try:
        found = store.overview()
    finally:
        store.close()
    answer(args, _fields(found, _now()), _text(found, _now()))
    return ExitCode.OK


@command
def _drain(args: Namespace) -> int:
    store = existing_store(args.database)
    try:
        asked = {held.signer for held in store.drain(args.signer)}
        stopped = _stopped(store, asked, args.wait or 0.0)
    finally:
        store.close()
    if args.wait is not None and not stopped:
        raise NotFinal(
            Reason.NOT_FINAL_IN_TIME,
            f"not all of {', '.join(sorted(asked))} have stopped after {args.wait:g} s",
            "they go on finishing: look again with quotary relay status",
        )
    shown = ", ".join(sorted(asked)) or "nobody: no relayer is at work"
    answer(args, {"draining": sorted(asked), "stopped": stopped}, f"asked to finish: {shown}")
    return ExitCode.OK


def _stopped(store: Store, asked: set[Address], seconds: float) -> bool:
    """Whether all leases in question were given back, within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if not asked & store.signers_at_work():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_SECONDS)


def existing_store(database: str) -> Store:
    """Open the record that a relayer writes, as it is; raises `ConfigurationError`."""
    return Store.open_existing(location(database), _now)


def _now() -> Timestamp:
    return Timestamp(int(time.time()))  # noqa: TID251 (the edge: leases run out by this clock)


def _fields(found: Overview, now: Timestamp) -> dict[str, object]:
    return {
        "oracles": [
            {
                "chain_id": each.chain_id,
                "oracle": each.oracle,
                "head": each.head,
                "final": each.final,
                "jobs": {state.value: count for state, count in each.jobs.items()},
            }
            for each in found.oracles
        ],
        "signers": [
            {
                "chain_id": each.chain_id,
                "signer": each.signer,
                "holder": each.holder,
                "at_work": each.expires_at > now,
                "draining": each.draining,
                "nonces": each.nonces,
            }
            for each in found.signers
        ],
        "rounds": {state.value: count for state, count in found.rounds.items()},
        "batches": {state.value: count for state, count in found.batches.items()},
    }


def _named(state: JobState) -> str:
    return "awaiting their input" if state is JobState.AWAITING else state.value


def _text(found: Overview, now: Timestamp) -> str:
    lines = []
    for each in found.oracles:
        jobs = ", ".join(f"{count} {_named(state)}" for state, count in each.jobs.items() if count)
        lines.append(f"oracle {each.oracle} on chain {each.chain_id}: {jobs or 'no request yet'}")
        lines.append(f"  read up to block {each.head}, final up to {each.final}")
    for signer in found.signers:
        state = "at work" if signer.expires_at > now else "stopped"
        if signer.draining:
            state += ", finishing"
        nonces = ", ".join(f"{count} {name}" for name, count in sorted(signer.nonces.items()))
        lines.append(f"account {signer.signer} on chain {signer.chain_id}: {state}")
        lines.append(f"  held by {signer.holder or 'nobody'}; nonces: {nonces or 'none'}")
    rounds = ", ".join(f"{count} {state.value}" for state, count in found.rounds.items() if count)
    lines += [f"rounds of several workers: {rounds}"] if rounds else []
    batches = ", ".join(f"{count} {name.value}" for name, count in found.batches.items() if count)
    lines += [f"batches: {batches}"] if batches else []
    return "\n".join(lines) or "nothing yet"
