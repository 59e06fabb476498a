"""TCB evaluation data numbers: the signed list of evaluations Intel serves collateral for."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from quotary.collateral._documents import read_text
from quotary.collateral._fields import Fields
from quotary.collateral._json import parse_object
from quotary.errors import ParseError, Reason
from quotary.tcb import TeeType

__all__ = ["TcbEvaluation", "TcbEvaluations"]

_ITEM: Final = "tcb_evaluations"
_VERSION: Final = 1
_TEE_TYPES: Final = {"SGX": TeeType.SGX, "TDX": TeeType.TDX}
_MAX_EVALUATIONS: Final = 256
"""Intel lists a few; far fewer than one a month since 2017."""


@dataclass(frozen=True, slots=True)
class TcbEvaluation:
    """One evaluation: its number, the TCB recovery it answers, and its TCB date. Unix seconds."""

    number: int
    recovery_event: int
    tcb_date: int


@dataclass(frozen=True, slots=True)
class TcbEvaluations:
    """
    The evaluations of one TEE type, newest first (PCS version 4, TCB evaluation data numbers V1).

    The first is what the channel `early` serves. Any of them can be asked for by its number.
    """

    tee_type: TeeType
    issue_date: int
    next_update: int
    evaluations: tuple[TcbEvaluation, ...]

    @classmethod
    def parse(cls, document: bytes) -> TcbEvaluations:
        """Parse the signed JSON object, version 1. Raises `ParseError`."""
        return _read(Fields(parse_object(read_text(document, _ITEM), _ITEM), _ITEM))


def _read(fields: Fields) -> TcbEvaluations:
    version = fields.number("version", 0xFFFF)
    if version != _VERSION:
        raise ParseError(
            Reason.COLLATERAL_VERSION_UNSUPPORTED,
            f"{_ITEM}.version",
            expected=str(_VERSION),
            found=str(version),
        )
    name = fields.text("id")
    if name not in _TEE_TYPES:
        raise ParseError(
            Reason.COLLATERAL_TYPE_MISMATCH,
            f"{_ITEM}.id",
            expected="SGX or TDX",
            found=name[:80],
        )
    parsed = TcbEvaluations(
        _TEE_TYPES[name],
        fields.time("issueDate"),
        fields.time("nextUpdate"),
        _evaluations(fields),
    )
    fields.finish()
    return parsed


def _evaluations(fields: Fields) -> tuple[TcbEvaluation, ...]:
    item = f"{_ITEM}.tcbEvalNumbers"
    rows = fields.rows("tcbEvalNumbers", item)
    numbers = rows.numbers("tcbEvaluationDataNumber", 0xFFFFFFFF)
    if len(numbers) > _MAX_EVALUATIONS:
        raise ParseError(
            Reason.SCHEMA_INVALID,
            item,
            expected=f"at most {_MAX_EVALUATIONS} evaluations",
            found=str(len(numbers)),
        )
    for index, number in enumerate(numbers):
        if number in numbers[:index]:
            raise ParseError(Reason.TCB_LEVEL_DUPLICATE, item, expected="once", found=str(number))
    dates = rows.times("tcbRecoveryEventDate"), rows.times("tcbDate")
    rows.finish()
    evaluations = map(TcbEvaluation, numbers, *dates)
    return tuple(sorted(evaluations, key=attrgetter("number"), reverse=True))
