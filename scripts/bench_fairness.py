"""
What a hundred requests of one account do to one request of another: build/bench/fairness.json.

Both accounts ask one oracle, served by one relayer; the modest one asks last, and everything is
known to the relayer in its first cycle. Counted are the requests fulfilled before it, the
cycles and the seconds until it is; beside it the same request without the load. The asserted
bound is in tests/bridge/test_relayer_fairness.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

from quotary_bridge.anvil import AnvilNode  # noqa: E402 (the project's own folders first)
from quotary_bridge.model import Timestamp  # noqa: E402
from quotary_bridge.store import Store  # noqa: E402

from tests.bridge.fair_town import Served, ask_modestly, bound, serve  # noqa: E402
from tests.bridge.relayer_fixtures import new_town  # noqa: E402
from tests.bridge.relayer_town import Worker, client_of, relayer_of  # noqa: E402

IN_FLIGHT = 16


def served(load: int, folder: Path) -> Served:
    """How the modest account's one request fares beside `load` of the other's."""
    with AnvilNode() as node:
        town = new_town(node)
        for number in range(load):
            town.ask(b"much %d" % number)
        wanted = ask_modestly(town)
        store = Store.open(folder / f"{load}.sqlite", lambda: Timestamp(1_000))
        with relayer_of(town, store, client_of(one=Worker()), in_flight=IN_FLIGHT) as relayer:
            (found,) = serve(relayer, town, wanted)
        store.close()
    return found


def measured(load: int) -> dict[str, Any]:
    """Every figure of the report."""
    with tempfile.TemporaryDirectory() as folder:
        alone, beside = served(0, Path(folder)), served(load, Path(folder))
    return {
        "load": load,
        "in_flight": IN_FLIGHT,
        "bound_before": bound(IN_FLIGHT),
        "alone": {**asdict(alone), "seconds": round(alone.seconds, 3)},
        "beside": {**asdict(beside), "seconds": round(beside.seconds, 3)},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", type=int, default=100)
    figures = measured(parser.parse_args().load)
    target = ROOT / "build" / "bench" / "fairness.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
