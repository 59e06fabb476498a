"""What the verifier remembers spares work and never changes an outcome."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quotary import (
    Collateral,
    CompactQuote,
    ParseError,
    QuotaryError,
    Quote,
    RawCollateral,
    Reason,
    TrustRoot,
    Verdict,
    verify,
    verify_compact,
    verify_many,
    verify_with_key,
)
from quotary.trust import Memory
from quotary.trust._authorities import PROVEN_AUTHORITIES
from quotary.verify._many import Stage, judge_all
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

from tests.verifier.genuine import collateral_of, genuine_cases

AT = datetime(2026, 11, 1, tzinfo=UTC)
SIM = Simulator(AT, seed=b"fast")
SAMPLES = samples(SIM)
ROOT = TrustRoot.from_certificate(SIM.root_der)
BASES = ("sgx-v3-platform", "td10-v4-platform", "td15-v5-platform")
DEVIATIONS = {**FAULTS, **VARIATIONS}


def raw_of(evidence: Evidence) -> RawCollateral:
    return RawCollateral.from_json(json.dumps(evidence.collateral))


def outcome(evidence: Evidence, collateral: Collateral | None = None) -> bytes | Reason:
    """The journal, or the reason of the refusal."""
    try:
        given = raw_of(evidence) if collateral is None else collateral
        root = TrustRoot.from_certificate(evidence.root_der)
        return verify(evidence.quote, given, at=evidence.at, root=root).journal()
    except QuotaryError as error:
        return error.reason


@pytest.fixture(params=BASES)
def evidence(request: pytest.FixtureRequest) -> Evidence:
    return SAMPLES[request.param].mint()


@pytest.fixture
def collateral(evidence: Evidence) -> Collateral:
    return Collateral.verify(raw_of(evidence), ROOT, at=AT)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", DEVIATIONS)
def test_outcomes_are_the_same_with_and_without_memories(name: str, base: str) -> None:
    """Every deviation of the catalogue: nothing known, all certificates known, platform known."""
    deviation = DEVIATIONS[name]
    if not deviation.fits(SAMPLES[base]):
        return
    deviated = deviation.deviate(SAMPLES[base]).mint()
    PROVEN_AUTHORITIES.forget()
    cold = outcome(deviated)
    outcome(SAMPLES[base].mint())
    assert outcome(deviated) == cold
    try:
        root = TrustRoot.from_certificate(deviated.root_der)
        known = Collateral.verify(raw_of(deviated), root, at=deviated.at)
    except QuotaryError:
        return
    good = SAMPLES[base].mint()
    outcome(replace(good, root_der=deviated.root_der), known)
    assert [outcome(deviated, known) for _ in range(3)] == [cold] * 3


def test_genuine_quotes_get_the_same_verdict_thrice(shared: Path) -> None:
    """Cold, under verified collateral, and as a known platform: byte-equal or equally refused."""
    for case in genuine_cases(shared):
        outcomes = []
        for given in (case.raw, *[collateral_of(case.collateral_path, case.at)] * 2):
            try:
                outcomes.append(verify(case.quote, given, policy=None, at=case.at).journal())
            except QuotaryError as error:
                outcomes.append(error.reason.value.encode())
        assert outcomes == outcomes[:1] * 3, case.quote_path


def test_a_forged_variant_of_a_known_chain_never_hits(
    evidence: Evidence, collateral: Collateral
) -> None:
    """One flipped bit anywhere in a known chain: checked anew, refused, and not remembered."""
    verify(evidence.quote, collateral, at=AT, root=ROOT)
    assert len(collateral.platforms) == 1
    start = evidence.quote.index(b"-----BEGIN")
    for position in range(start + 40, start + 1600, 131):
        forged = bytearray(evidence.quote)
        forged[position] ^= 0x01
        with pytest.raises(QuotaryError):
            verify(bytes(forged), collateral, at=AT, root=ROOT)
    assert len(collateral.platforms) == 1


def test_what_certified_a_key_is_recognised_by_every_byte(
    evidence: Evidence, collateral: Collateral
) -> None:
    """A bit changed behind the signed bytes gets the refusal it gets where nothing is known."""
    forgetful = Collateral.verify(raw_of(evidence), ROOT, at=AT, remembers=0)
    verify(evidence.quote, collateral, at=AT, root=ROOT)
    assert len(collateral.vouchers) == 1
    quote = Quote.parse(evidence.quote)
    start, end = len(quote.signed_bytes) + 68, len(evidence.quote) - quote.trailing_length
    # Every byte of key, QE report and lengths, and some of the chain.
    for position in (*range(start, start + 600, 3), *range(start + 600, end, 61)):
        forged = bytearray(evidence.quote)
        forged[position] ^= 0x01
        other = replace(evidence, quote=bytes(forged))
        found = outcome(other, collateral)
        assert found == outcome(other, forgetful), position
        # What PEM ignores may change: white space into other white space.
        assert isinstance(found, Reason) or quote.certification_data not in other.quote, position
        assert isinstance(outcome(evidence, collateral), bytes)


def test_one_key_may_be_certified_in_several_ways() -> None:
    """Whichever was seen before, every quote is judged by what it carries itself."""
    good = SAMPLES["td15-v5-platform"]
    ways = [good, good.with_qe_report(isv_svn=5), good.with_qe_report(isv_svn=1)]
    quotes = [each.mint() for each in (*ways, *reversed(ways), *ways)]
    keys = {Quote.parse(each.quote).attestation_key for each in quotes}
    assert len(keys) == 1
    known = Collateral.verify(raw_of(quotes[0]), ROOT, at=AT)
    found = [outcome(each, known) for each in quotes]
    assert found == [outcome(each) for each in quotes]
    assert len({*found}) == 3
    assert len(known.vouchers) == 1


def test_the_windows_are_those_that_bound_the_collateral(collateral: Collateral) -> None:
    """The first and last second, which are compared, and the parts they come from, agree."""
    assert collateral.valid_from == max(window.start for window in collateral.windows)
    assert collateral.valid_until == min(window.end for window in collateral.windows)


def test_a_known_platform_still_needs_its_own_signatures(
    evidence: Evidence, collateral: Collateral
) -> None:
    """The QE report and the quote of a known platform are verified every time."""
    verify(evidence.quote, collateral, at=AT, root=ROOT)
    quote = Quote.parse(evidence.quote)
    for signature, reason in (
        (quote.signature, Reason.QUOTE_SIGNATURE_INVALID),
        (quote.qe_report_signature, Reason.QE_REPORT_SIGNATURE_INVALID),
    ):
        other = signature[:-1] + bytes([signature[-1] ^ 1])
        with pytest.raises(QuotaryError) as caught:
            verify(evidence.quote.replace(signature, other), collateral, at=AT, root=ROOT)
        assert caught.value.reason == reason


def test_no_memory_outlives_the_window(evidence: Evidence, collateral: Collateral) -> None:
    """One second after the end a known platform and a proven key are refused, before it not."""
    _, key = verify_with_key(evidence.quote, collateral, at=AT, root=ROOT)
    compact = Quote.parse(evidence.quote).compact
    last = datetime.fromtimestamp(key.valid_until, UTC)
    verify_compact(compact, key, policy=None, at=last, root=ROOT)
    verify(evidence.quote, collateral, policy=None, at=last, root=ROOT)
    late = last + timedelta(seconds=1)
    early = datetime.fromtimestamp(key.valid_from, UTC) - timedelta(seconds=1)
    for at in (late, early):
        with pytest.raises(QuotaryError):
            verify_compact(compact, key, policy=None, at=at, root=ROOT)
        with pytest.raises(QuotaryError):
            verify(evidence.quote, collateral, policy=None, at=at, root=ROOT)


def test_revocation_reaches_what_was_proven_under_older_lists() -> None:
    """The platform is known under old collateral; a new list refuses it all the same."""
    scenario = SAMPLES["td10-v4-platform"]
    good = scenario.mint()
    verify(good.quote, raw_of(good), at=AT, root=ROOT)
    revoked = FAULTS["pck-revoked"].deviate(scenario).mint()
    assert outcome(revoked) == Reason.CERT_REVOKED


def test_compact_and_raw_verdicts_are_byte_equal(
    evidence: Evidence, collateral: Collateral
) -> None:
    """The compact form under its proven key says what the raw form says."""
    verdict, key = verify_with_key(evidence.quote, collateral, at=AT, root=ROOT)
    compact = Quote.parse(evidence.quote).compact
    assert verify_compact(compact, key, at=AT, root=ROOT).journal() == verdict.journal()
    assert key.key_id == verdict.attestation_key_id
    assert CompactQuote.parse(compact).signed_bytes == Quote.parse(evidence.quote).signed_bytes


def test_a_compact_quote_with_any_byte_changed_is_refused(
    evidence: Evidence, collateral: Collateral
) -> None:
    """Neither header, body nor signature may differ, and nothing may be missing or added."""
    _, key = verify_with_key(evidence.quote, collateral, at=AT, root=ROOT)
    compact = Quote.parse(evidence.quote).compact
    for position in range(len(compact)):
        changed = bytearray(compact)
        changed[position] ^= 0x40
        with pytest.raises(QuotaryError):
            verify_compact(bytes(changed), key, policy=None, at=AT, root=ROOT)
    for form in (compact[:-1], compact + b"\0", b"", evidence.quote):
        with pytest.raises(ParseError):
            verify_compact(form, key, policy=None, at=AT, root=ROOT)


def test_a_proven_key_speaks_for_no_other_key(collateral: Collateral, evidence: Evidence) -> None:
    """A compact quote under the key of another platform has no valid signature."""
    other = SIM.platform("another")
    body = SAMPLES["td10-v4-platform"].quote.body
    stranger = other.quote(body)
    _, key = verify_with_key(
        stranger, Collateral.verify(_tdx(other), ROOT, at=AT), at=AT, root=ROOT
    )
    with pytest.raises(QuotaryError) as caught:
        verify_compact(Quote.parse(evidence.quote).compact, key, at=AT, root=ROOT)
    assert caught.value.reason in (
        Reason.QUOTE_SIGNATURE_INVALID,
        Reason.COLLATERAL_TYPE_MISMATCH,
    )
    assert collateral is not key.collateral


def _tdx(platform: object) -> RawCollateral:
    return RawCollateral.from_json(json.dumps(SIM.collateral(platform, "tdx")))  # type: ignore[arg-type]


def test_a_key_under_a_test_root_is_nothing_under_intels(
    evidence: Evidence, collateral: Collateral
) -> None:
    """The root must be asked for by name, for compact quotes too."""
    _, key = verify_with_key(evidence.quote, collateral, at=AT, root=ROOT)
    with pytest.raises(QuotaryError) as caught:
        verify_compact(Quote.parse(evidence.quote).compact, key, at=AT)
    assert caught.value.reason == Reason.ROOT_NOT_PINNED


def test_a_copy_of_collateral_has_proven_nothing(
    evidence: Evidence, collateral: Collateral
) -> None:
    """Replacing any part of collateral leaves what was proven behind."""
    verify(evidence.quote, collateral, at=AT, root=ROOT)
    copy = replace(collateral, pck_certificate_chain=None)
    assert len(collateral.platforms) == len(collateral.vouchers) == len(collateral.outcomes) == 1
    assert len(copy.platforms) == len(copy.vouchers) == len(copy.outcomes) == 0


def test_memories_are_bounded_and_forget_the_least_recently_used() -> None:
    """The bound holds, a value used lately stays, and zero remembers nothing."""
    memory: Memory[int, str] = Memory(2)
    memory.remember(1, "one")
    memory.remember(2, "two")
    assert memory.recall(1) == "one"
    memory.remember(3, "three")
    assert [memory.recall(key) for key in (1, 2, 3)] == ["one", None, "three"]
    assert len(memory) == memory.capacity == 2
    nothing: Memory[int, str] = Memory(0)
    nothing.remember(1, "one")
    assert len(nothing) == 0
    with pytest.raises(ValueError, match="negative"):
        Memory(-1)


def test_a_collateral_remembers_as_many_platforms_as_it_was_told(evidence: Evidence) -> None:
    """More platforms than that are verified all the same."""
    small = Collateral.verify(raw_of(SAMPLES["td10-v4-platform"].mint()), ROOT, at=AT, remembers=2)
    body = SAMPLES["td10-v4-platform"].quote.body
    quotes = [SIM.platform(f"many {number}").quote(body) for number in range(5)]
    for quote in quotes * 2:
        verify(quote, small, at=AT, root=ROOT)
    assert len(small.platforms) == len(small.vouchers) == 2
    assert evidence.at == AT


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_many_quotes_get_the_outcomes_they_get_alone(threads: int) -> None:
    """In their order, refusals among them, on any number of threads, with shared memories."""
    body = SAMPLES["td10-v4-platform"].quote.body
    quotes = []
    for number in range(24):
        quote = SIM.platform(f"crowd {number % 5}").quote(
            replace(body, report_data=number.to_bytes(64))
        )
        quotes.append(quote if number % 4 else quote[:700] + b"\xff" + quote[701:])
    raw = raw_of(SAMPLES["td10-v4-platform"].mint())
    together = verify_many(quotes, raw, at=AT, root=ROOT, threads=threads)
    for quote, found in zip(quotes, together, strict=True):
        try:
            alone: Verdict | Reason = verify(quote, raw, at=AT, root=ROOT)
        except QuotaryError as error:
            alone = error.reason
        assert (found if isinstance(found, Verdict) else found.reason) == alone
    assert verify_many([], raw, at=AT, root=ROOT, threads=threads) == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_batches_pass_stages_in_order(threads: int) -> None:
    """More items than a batch holds: each ends where it is refused, or after the last stage."""

    def refuse(every: int) -> Callable[[list[int]], list[int]]:
        def judge(seen: list[int]) -> list[int]:
            if seen[0] % every == 0:
                raise ParseError(Reason.JSON_INVALID, f"{seen}")
            return [*seen, every]

        return judge

    stages = [Stage(refuse(every), threaded=every > 3) for every in (3, 5, 7)]
    outcomes = judge_all(stages, [[number] for number in range(700)], threads)
    for number, found in enumerate(outcomes):
        seen = [number]
        while len(seen) < 4 and number % (3, 5, 7)[len(seen) - 1]:
            seen.append((3, 5, 7)[len(seen) - 1])
        assert (found.item if isinstance(found, ParseError) else f"{found}") == f"{seen}"


def test_what_is_no_refusal_comes_out_of_many(evidence: Evidence) -> None:
    """A policy's own fault is raised, not kept beside the verdicts; so is a bad thread count."""

    class Broken:
        def check(self, _: object) -> None:
            raise LookupError("the policy's database is away")

    raw = raw_of(evidence)
    with pytest.raises(LookupError):
        verify_many([evidence.quote] * 4, raw, policy=Broken(), at=AT, root=ROOT)
    for threads in (0, 65):
        with pytest.raises(ValueError, match="threads"):
            verify_many([evidence.quote], raw, at=AT, root=ROOT, threads=threads)


def test_a_platform_id_is_hashed_when_it_is_read(evidence: Evidence) -> None:
    """A verdict equals itself before and after, read back, and copied."""
    raw = raw_of(evidence)
    first, second = (verify(evidence.quote, raw, at=AT, root=ROOT) for _ in range(2))
    assert len(first.platform_id) == 32
    assert first == second == replace(first) == Verdict.from_journal(second.journal())
    assert hash(first) == hash(second)
