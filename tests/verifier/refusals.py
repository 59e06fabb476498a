"""
One refusal for every reason of the catalogue: how to bring it about, and what it says.

Where the simulator's catalogue of faults has a reason, its first fault brings it about. What each
refusal says is written down in refusals.json, which scripts/build_docs.py makes together with the
page of reasons; the tests hold the code to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from quotary import QuotaryError, Quote, RawCollateral, Reason, TrustRoot, verify
from quotary_enclave.simulator import Scenario, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS

from tests.verifier.refusals_fetch import FETCH_REFUSALS, FOLDER_PREFIX
from tests.verifier.refusals_policy import POLICY_REFUSALS
from tests.verifier.refusals_workloads import WORKLOAD_REFUSALS

__all__ = ["REFUSALS", "SAMPLES", "refusal_of", "terms_of"]

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"documentation"))
BASES = ("td15-v5-platform", "td10-v4-platform", "sgx-v3-platform")


def judged(scenario: Scenario) -> object:
    """Verify what a scenario mints."""
    evidence = scenario.mint()
    return verify(
        Quote.parse(evidence.quote),
        RawCollateral.from_json(json.dumps(evidence.collateral)),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


def _by_faults() -> dict[Reason, Callable[[], object]]:
    found: dict[Reason, Callable[[], object]] = {}
    for fault in FAULTS.values():
        base = next((SAMPLES[base] for base in BASES if fault.fits(SAMPLES[base])), None)
        if fault.reason is not None and base is not None:
            found.setdefault(Reason(fault.reason), partial(judged, fault.deviate(base)))
    return found


REFUSALS: dict[Reason, Callable[[], object]] = {
    **_by_faults(),
    **POLICY_REFUSALS,
    **FETCH_REFUSALS,
    **WORKLOAD_REFUSALS,
}


def refusal_of(reason: Reason) -> QuotaryError:
    """Bring a refusal for `reason` about."""
    try:
        REFUSALS[reason]()
    except QuotaryError as error:
        return error
    raise AssertionError(f"nothing was refused for {reason}")


_WORDS_OF_OTHERS = frozenset({Reason.FETCH_FAILED, Reason.TLS_UNTRUSTED})
"""What was found is told in the words of the HTTP library or OpenSSL, whichever is installed."""


def terms_of(error: QuotaryError) -> dict[str, str | None]:
    """Item, expected and found, without temporary folders and what other libraries say."""
    folders = re.compile(rf"/\S*{FOLDER_PREFIX}[^/]+")
    found = "…" if error.found and error.reason in _WORDS_OF_OTHERS else error.found
    terms = {"item": error.item, "expected": error.expected, "found": found}
    return {name: text and folders.sub("…", text) for name, text in terms.items()}
