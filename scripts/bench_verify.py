"""
Compare our verifier with dcap-qvl 0.7.0: one process, calls interleaved, medians.

    python scripts/bench_verify.py [--rounds 200] [--memory 1000000]

Prints the table of docs/performance.md, which says what each path is, and writes
build/bench/verify.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import dcap_qvl
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / folder) for folder in ("verifier", "enclave"))]

from quotary import (  # noqa: E402 - run from a checkout
    INTEL_ROOT,
    Collateral,
    Quote,
    RawCollateral,
    Reason,
    TcbStatus,
    TrustRoot,
    strict,
    verify,
    verify_compact,
    verify_many,
    verify_with_key,
)
from quotary._ecdsa import PublicKey, load_key, require_digest_signature  # noqa: E402
from quotary.trust._authorities import PROVEN_AUTHORITIES  # noqa: E402
from quotary.trust._documents import READ_DOCUMENTS, READ_LISTS  # noqa: E402
from quotary_enclave.simulator import Simulator, TdReport, samples  # noqa: E402

from scripts.bench_memory import bytes_per_platform  # noqa: E402
from tests.conftest import shared_folder  # noqa: E402

PEER = "dcap-qvl 0.7.0"
PATHS = ("cold", "new_platform", "warm", "hot")
COLUMNS = ("first", "cold", "known_documents", "new_platform", "warm", "hot")
TITLES = {"sgx_v3": "SGX v3", "tdx_v4": "TDX v4", "tdx_v5": "TDX v5"}
PROCESS_MEMORIES = (PROVEN_AUTHORITIES, READ_DOCUMENTS, READ_LISTS)
CONVERSIONS = tuple(
    value.cache_clear
    for name, module in list(sys.modules.items())
    if name.startswith("quotary.")
    for value in vars(module).values()
    if hasattr(value, "cache_clear")
)
POLICY = strict(allowed_statuses=frozenset(TcbStatus) - {TcbStatus.REVOKED})
GENUINE = {
    "sgx_v3": "sgx/automata-network-automata-dcap-attestation/268c06813379-sample_quotes.hex.bin",
    "tdx_v4": "tdx/flashbots-flashtestations/1eb735d8e7d3-run-1750948242.json.bin",
    "tdx_v5": "tdx/google-go-tdx-guest/cf77a6e91e48-quote_v5_sample.dat.bin",
}
MINTED = {"sgx_v3": "sgx-v3-platform", "tdx_v4": "td10-v4-platform", "tdx_v5": "td15-v5-platform"}


@dataclass(frozen=True)
class Series:
    """Quotes to verify under one collateral: of one platform, and each of a platform of its own."""

    quotes: list[bytes]
    strangers: list[bytes]
    collateral: str
    root: TrustRoot
    at: datetime


def genuine(name: str) -> Series:
    """A genuine quote, again and again: nobody has two of one key."""
    vectors = shared_folder() / "vectors"
    manifest = json.loads((vectors / "manifest.json").read_text(encoding="utf-8"))
    item = next(item for item in manifest["items"] if item["file"] == GENUINE[name])
    expected = item["expected"][0]
    quote = (vectors / item["file"]).read_bytes()
    return Series(
        quotes=[quote],
        strangers=[quote],
        collateral=(vectors / expected["collateral"]).read_text(encoding="utf-8"),
        root=INTEL_ROOT,
        at=datetime.fromtimestamp(expected["at"], UTC),
    )


def minted(name: str, count: int) -> Series:
    """Distinct quotes under a test root: of one attestation key, and of as many platforms."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    sim = Simulator(at, seed=b"bench")
    sample = samples(sim)[MINTED[name]]
    body, version = sample.quote.body, sample.quote.version
    chosen = [replace(body, report_data=i.to_bytes(64)) for i in range(count)]
    platform = sim.platform("bench")
    tee = "tdx" if isinstance(body, TdReport) else "sgx"
    return Series(
        quotes=[platform.quote(each, version=version) for each in chosen],
        strangers=[
            sim.platform(f"bench {i}").quote(each, version=version) for i, each in enumerate(chosen)
        ],
        collateral=json.dumps(sim.collateral(platform, tee)),
        root=TrustRoot.from_certificate(sim.root_der),
        at=at,
    )


def know_nothing() -> None:
    """Forget all that the process remembers, as if it had just begun."""
    for memory in PROCESS_MEMORIES:
        memory.forget()
    for clear in CONVERSIONS:
        clear()


def know_authorities() -> None:
    """Forget all but the fixed certificates that the root issued itself, and plain conversions."""
    READ_DOCUMENTS.forget()
    READ_LISTS.forget()


def interleaved(
    calls: Mapping[str, Callable[[int], object]],
    rounds: int,
    before: Mapping[str, Callable[[], None]] | None = None,
) -> dict[str, float]:
    """Median microseconds of each of `calls`, which take turns; `before` is not timed."""
    times: dict[str, list[int]] = {name: [] for name in calls}
    prepare = before or {}
    for number in range(rounds):
        for name, call in calls.items():
            if name in prepare:
                prepare[name]()
            start = time.perf_counter_ns()
            call(number)
            times[name].append(time.perf_counter_ns() - start)
    return {name: median(taken) / 1000 for name, taken in times.items()}


def measure(series: Series, rounds: int) -> dict[str, float]:
    """Median microseconds of the peer and of our paths over the same quotes."""
    raw = RawCollateral.from_json(series.collateral)
    peer_collateral = dcap_qvl.QuoteCollateralV3.from_json(series.collateral)
    root, at, seconds = series.root, series.at, int(series.at.timestamp())
    root_der = root.certificate.der
    proven = Collateral.verify(raw, root, at=at)
    forgetful = Collateral.verify(raw, root, at=at, remembers=0)
    _, key = verify_with_key(series.quotes[0], proven, policy=POLICY, at=at, root=root)
    compact = [Quote.parse(quote).compact for quote in series.quotes]
    count = len(series.quotes)

    def quote(number: int) -> bytes:
        return series.quotes[number % count]

    def new_platform(number: int) -> None:
        stranger = series.strangers[number % count]
        verify(stranger, forgetful, policy=POLICY, at=at, root=root)

    def from_scratch(number: int) -> None:
        verify(quote(number), raw, policy=POLICY, at=at, root=root)

    def peer(number: int) -> None:
        dcap_qvl.verify_with_root_ca(quote(number), peer_collateral, root_der, seconds)

    # Apart from the others, which it would make forget what they know.
    alone = interleaved({"peer": peer, "first": from_scratch}, rounds, {"first": know_nothing})
    return {"first": alone["first"]} | interleaved(
        {
            "peer": peer,
            "cold": from_scratch,
            "known_documents": from_scratch,
            "new_platform": new_platform,
            "warm": lambda n: verify(quote(n), proven, policy=POLICY, at=at, root=root),
            "hot": lambda n: verify_compact(
                compact[n % count], key, policy=POLICY, at=at, root=root
            ),
            "peer parse": lambda n: dcap_qvl.parse_quote(quote(n)),
            "parse": lambda n: Quote.parse(quote(n)),
        },
        rounds,
        {"cold": know_authorities},
    )


def two_threads(series: Series, rounds: int) -> float:
    """How much faster two threads verify quotes of known platforms than one; the median."""
    raw = RawCollateral.from_json(series.collateral)
    proven = Collateral.verify(raw, series.root, at=series.at)
    quotes = series.quotes * 4

    def run(threads: int) -> Callable[[int], object]:
        return lambda _: verify_many(
            quotes, proven, policy=POLICY, at=series.at, root=series.root, threads=threads
        )

    taken = interleaved({"one": run(1), "two": run(2)}, max(5, rounds // 10))
    return taken["one"] / taken["two"]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="calls per number")
    parser.add_argument("--memory", type=int, metavar="N", help="also remember N platforms")
    options = parser.parse_args()
    medians: dict[str, dict[str, dict[str, float]]] = {"genuine": {}, "minted": {}}
    ratio = {}
    for name in GENUINE:
        series = minted(name, 40)
        medians["genuine"][name] = measure(genuine(name), options.rounds)
        medians["minted"][name] = measure(series, options.rounds)
        of_both = [medians[kind][name] for kind in medians]
        ratio[name] = {
            path: round(min(taken["peer"] / taken[path] for taken in of_both), 2) for path in PATHS
        }
    loaded, loading = signature_us(options.rounds)
    result: dict[str, object] = {
        "peer": PEER,
        "ratio": ratio,
        "threads2": round(two_threads(series, options.rounds), 2),
        "parse": round(
            min(t["peer parse"] / t["parse"] for kind in medians.values() for t in kind.values()),
            2,
        ),
        "medians_us": medians,
        "signature_us": {"loaded": round(loaded, 1), "loading": round(loading, 1)},
        "rounds": options.rounds,
        "ratio_is": "the lower of genuine and minted",
        "cold_remembers": "the certificates the root issued itself, by exact DER",
        "known_documents_remembers": "also what signed documents say, not their signatures",
    }
    if options.memory:
        result["bytes_per_platform"] = bytes_per_platform(
            genuine("tdx_v4").quotes[0], options.memory
        )
        result["platforms_remembered"] = options.memory
    print(*table(medians), sep="\n")
    print(json.dumps({k: v for k, v in result.items() if k != "medians_us"}, indent=1))
    target = ROOT / "build" / "bench" / "verify.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def table(medians: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """Lines of the table in docs/performance.md: microseconds, and how many times the peer's."""
    titles = (column.replace("_", " ") for column in COLUMNS)
    yield f"| quote | {PEER.split(maxsplit=1)[0]} | {' | '.join(titles)} |"
    yield "| --- " * (len(COLUMNS) + 2) + "|"
    for kind in ("minted", "genuine"):
        for name, taken in medians[kind].items():
            cells = (f"{taken[path]:.0f} ({taken['peer'] / taken[path]:.2f})" for path in COLUMNS)
            yield f"| {TITLES[name]}, {kind} | {taken['peer']:.0f} | {' | '.join(cells)} |"


def signature_us(rounds: int) -> tuple[float, float]:
    """Median microseconds of one P-256 verification, and of one that loads its key before."""
    key = generate_private_key(SECP256R1())
    digest = bytes(32)
    signature = key.sign(digest, ECDSA(Prehashed(SHA256())))
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    loaded = load_key(point, "key")

    def check(key: PublicKey) -> None:
        refusal = Reason.QUOTE_SIGNATURE_INVALID
        require_digest_signature(key, signature, digest, reason=refusal, item="bench")

    taken = interleaved(
        {"loaded": lambda _: check(loaded), "loading": lambda _: check(load_key(point, "key"))},
        rounds,
    )
    return taken["loaded"], taken["loading"]


if __name__ == "__main__":
    sys.exit(main())
