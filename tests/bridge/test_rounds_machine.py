"""Rounds as values: what may happen to one, who sits where, and what a quorum is."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary_bridge.model import (
    Address,
    Bytes32,
    JobKey,
    Quorum,
    Result,
    Rule,
    SignedResult,
    Timestamp,
)
from quotary_bridge.relayer.panel import apart
from quotary_bridge.rounds import (
    Abandoned,
    Agreed,
    Candidate,
    Closed,
    Committed,
    Disputed,
    Faulted,
    IllegalStepError,
    Joined,
    Reconsidered,
    Reported,
    Revealed,
    Round,
    RoundEvent,
    RoundState,
    Seat,
    advance_round,
    agreement,
    choose,
    commitment_of,
    equivocates,
    is_undecidable,
    may_agree,
)

WORD = Bytes32(b"\x07" * 32)


def worker(number: int) -> Address:
    return Address(f"0x{number:040x}")


def answer(number: int, decision: bytes | int = b"yes", nonce: int = 1) -> SignedResult:
    """What worker `number` says; a number is its own decision."""
    output = str(decision).encode()
    if isinstance(decision, int):
        word = decision.to_bytes(32, signed=True)
    else:
        word = sha256(decision).digest()
    said = Result(
        *(WORD, WORD, WORD, WORD, WORD, Bytes32(sha256(output).digest())),
        Bytes32(word),
        *(WORD, 0, 0, worker(number), 3, nonce, Timestamp(9)),
    )
    return SignedResult(said, output, b"s" * 65)


def round_of(*numbers: int) -> Round:
    return Round(JobKey(WORD), 1, tuple(Seat(worker(n), f"http://{n}") for n in numbers))


def played(held: Round, *events: RoundEvent) -> Round:
    for event in events:
        held = advance_round(held, event)
    return held


def committed(number: int, signed: SignedResult | None = None) -> Committed:
    return Committed(worker(number), commitment_of((signed or answer(number)).result))


def seated(*numbers: int, operators: int = 99) -> dict[Address, Candidate]:
    return {
        worker(n): Candidate(worker(n), "", worker(1000 + n % operators), vendor=n % 2)
        for n in numbers
    }


def test_a_round_from_its_seats_to_the_report() -> None:
    """One fails and is replaced, three commit, three reveal; a refused delivery is judged anew."""
    held = played(round_of(1, 2, 3), committed(1), Faulted(worker(2), "Unreachable"), committed(3))
    held = played(held, Joined(worker(4), "http://4"), committed(4), Closed())
    assert held.state is RoundState.REVEALING
    assert list(held.commitments) == sorted(commitment_of(answer(n).result) for n in (1, 3, 4))
    held = played(held, *(Revealed(worker(n), answer(n)) for n in (4, 1, 3)))
    assert {each.result.worker for each in held.answers} == {worker(n) for n in (1, 3, 4)}
    held = played(held, Agreed(), Reconsidered(), Agreed())
    assert held.open
    assert not played(held, Reported()).open


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ((), Revealed(worker(1), answer(1))),
        ((), Agreed()),
        ((), Disputed()),
        ((), Committed(worker(9), WORD)),
        ((), Joined(worker(1), "http://again")),
        ((committed(1),), committed(1)),
        ((Faulted(worker(1), "x"),), committed(1)),
        ((committed(1), Closed()), committed(2)),
        ((committed(1), Closed()), Joined(worker(4), "")),
        ((committed(1), Closed()), Revealed(worker(1), answer(1, nonce=2))),
        ((committed(1), Closed()), Revealed(worker(2), answer(2))),
        ((committed(1), Closed(), Revealed(worker(1), answer(1))), Revealed(worker(1), answer(1))),
        ((committed(1), Closed(), Faulted(worker(1), "x")), Revealed(worker(1), answer(1))),
        ((Abandoned(),), Closed()),
        ((Closed(), Disputed()), Reported()),
        ((Closed(), Agreed()), Disputed()),
    ],
)
def test_what_makes_no_sense_is_a_defect(before: tuple[RoundEvent, ...], event: RoundEvent) -> None:
    """Nobody reveals to an open round, commits to a closed one, or shows what it did not commit."""
    held = played(round_of(1, 2, 3), *before)
    with pytest.raises(IllegalStepError):
        advance_round(held, event)


def test_a_copied_commitment_stands_once_and_serves_its_owner() -> None:
    """Whoever copies a hash cannot reveal it, as it holds the worker's address."""
    copied = Committed(worker(2), commitment_of(answer(1).result))
    held = played(round_of(1, 2, 3), committed(1), copied, committed(3), Closed())
    assert len(held.commitments) == 2
    held = played(held, Revealed(worker(1), answer(1)))
    with pytest.raises(IllegalStepError):
        advance_round(held, Revealed(worker(2), answer(2)))


def test_a_quorum_has_enough_answers_operators_and_vendors() -> None:
    """The same three answers are one, or none, by who gave them."""
    answers = [answer(n) for n in (3, 1, 2)] + [answer(4, b"no")]
    found = agreement(Quorum(3, 4), answers, seated(1, 2, 3, 4))
    assert found is not None
    assert [each.result.worker for each in found.answers] == [worker(n) for n in (1, 2, 3)]
    assert agreement(Quorum(3, 4), answers, seated(1, 2, 4)) is None
    assert agreement(Quorum(3, 4, vendors=2), answers, seated(1, 2, 3)) is not None
    assert agreement(Quorum(3, 4, vendors=3), answers, seated(1, 2, 3)) is None
    assert agreement(Quorum(3, 4, operators=3), answers, seated(1, 2, 3)) is not None
    assert agreement(Quorum(3, 4, operators=3), answers, seated(1, 2, 3, operators=2)) is None


def test_of_several_quorums_the_diverse_one_is_found() -> None:
    """The first two share an operator; the second and third do not."""
    people = seated(1, 3, 5) | {worker(5): Candidate(worker(5), "", worker(7), vendor=0)}
    people = {w: replace(c, operator=worker(8)) if w != worker(5) else c for w, c in people.items()}
    found = agreement(Quorum(2, 3, operators=2), [answer(n) for n in (1, 3, 5)], people)
    assert found is not None
    assert worker(5) in {each.result.worker for each in found.answers}


def test_numbers_agree_within_the_tolerance_of_their_median() -> None:
    """The result is the middle one; an outlier is left out; two camps are no quorum."""
    quorum = Quorum(3, 5, rule=Rule.TOLERANCE, tolerance=2)
    answers = [answer(1, -3), answer(2, -1), answer(3, 40), answer(4, -2)]
    found = agreement(quorum, answers, seated(1, 2, 3, 4))
    assert found is not None
    assert found.result == answers[3]
    assert agreement(quorum, answers[:3], seated(1, 2, 3)) is None


def test_a_round_is_undecidable_when_no_unseen_answer_helps() -> None:
    """Twice the tolerance while some are unseen: the median may lie between."""
    quorum = Quorum(3, 4, rule=Rule.TOLERANCE, tolerance=2)
    assert not is_undecidable(quorum, [], 0)
    assert is_undecidable(quorum, [answer(1, 0), answer(2, 9), answer(3, 18)], 1)
    assert not is_undecidable(quorum, [answer(1, 0), answer(2, 4), answer(3, 18)], 1)
    exact = Quorum(2, 3)
    assert is_undecidable(exact, [answer(n, bytes([n])) for n in (1, 2, 3)], 0)
    assert not is_undecidable(exact, [answer(1, b"a"), answer(2, b"b")], 1)


def test_seats_go_to_the_most_diverse() -> None:
    """Two of one operator come in only when everybody else has a seat."""
    crowd = [Candidate(worker(n), "", worker(50 + n // 3), vendor=n // 3) for n in range(6)]
    chosen = choose(Quorum(2, 3, operators=2), crowd, 4)
    assert len({each.operator for each in chosen[:2]}) == 2
    assert [each.worker for each in choose(Quorum(2, 3), crowd, 2)] == [worker(0), worker(1)]
    assert len(choose(Quorum(2, 3, vendors=2), crowd, 9)) == 6


def test_a_round_is_worth_opening_only_where_its_seats_may_agree() -> None:
    """Enough workers of too few operators, or vendors, would use their answers up for nothing."""
    crowd = list(seated(1, 2, 3, operators=2).values())
    assert may_agree(Quorum(2, 3, operators=2, vendors=2), crowd)
    assert not may_agree(Quorum(2, 3, operators=3), crowd)
    assert not may_agree(Quorum(3, 3, vendors=3), crowd)
    assert not may_agree(Quorum(4, 5), crowd)
    # One operator on each vendor: two answers have both or neither of what is asked for.
    apart = [Candidate(worker(n), "", worker(50 + n // 2), vendor=n // 2) for n in range(4)]
    assert may_agree(Quorum(2, 4, operators=2, vendors=2), apart)
    assert not may_agree(Quorum(2, 4, operators=2, vendors=2), apart[:2])


def test_one_machine_has_one_voice() -> None:
    """Two answers of one platform count once, whoever runs it; a relayer asks the first."""
    people = {w: replace(c, platform=b"p" * 20) for w, c in seated(1, 2).items()} | seated(3)
    answers = [answer(n) for n in (1, 2, 3)]
    assert agreement(Quorum(2, 3), answers[:2], people) is None
    found = agreement(Quorum(2, 3), answers, people)
    assert found is not None
    assert [each.result.worker for each in found.answers] == [worker(1), worker(3)]
    assert not may_agree(Quorum(3, 3), list(people.values()))
    assert [each.worker for each in apart(people.values())] == [worker(1), worker(3)]


def test_two_outputs_for_one_question_equivocate() -> None:
    """Another nonce or round alone does not: anyone may ask a worker twice."""
    one, other = answer(1, b"a").result, answer(1, b"b").result
    assert equivocates(one, other)
    assert not equivocates(one, replace(one, nonce=5, round=Bytes32(bytes(32))))
    assert not equivocates(one, replace(other, worker=worker(2)))
    assert not equivocates(one, replace(other, input_commitment=Bytes32(bytes(32))))


@settings(max_examples=200, deadline=None)
@given(
    decisions=st.lists(st.integers(-6, 6), min_size=1, max_size=7),
    tolerance=st.integers(0, 4),
    rule=st.sampled_from(list(Rule)),
    results=st.integers(2, 4),
)
def test_what_is_found_is_what_the_contract_asks_for(
    decisions: list[int], tolerance: int, rule: Rule, results: int
) -> None:
    """The contract's own conditions, word for word; and where there is a quorum, one is found."""
    quorum = Quorum(results, 7, rule=rule, tolerance=tolerance if rule is Rule.TOLERANCE else 0)
    answers = [answer(n + 1, decision) for n, decision in enumerate(decisions)]
    found = agreement(quorum, answers, seated(*range(1, 9)))
    width = quorum.tolerance
    if found is None:
        ordered = sorted(decisions)
        for start in range(len(ordered) - results + 1):
            some = ordered[start : start + results]
            middle = some[results // 2]
            assert max(abs(each - middle) for each in some) > width
        return
    chosen = [int.from_bytes(each.result.decision, signed=True) for each in found.answers]
    middle = int.from_bytes(found.result.result.decision, signed=True)
    assert len(chosen) == results
    assert all(abs(each - middle) <= width for each in chosen)
    assert sum(each < middle for each in chosen) <= results // 2
    assert sum(each > middle for each in chosen) <= results // 2
    workers = [int(each.result.worker, 16) for each in found.answers]
    assert workers == sorted(set(workers))
    assert not is_undecidable(quorum, answers, 0)
