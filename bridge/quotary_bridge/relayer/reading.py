"""Reading requests of one book, cycle after cycle, and telling what became of them."""

from __future__ import annotations

from quotary_bridge.intake import Intake, IntakeReport
from quotary_bridge.model import BlockNumber
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind

__all__ = ["Reading"]


class Reading:
    """Reads; what it read counts as acted on, and is read no more, from `acted_on` on."""

    def __init__(self, intake: Intake) -> None:
        """Begin as after a crash: nothing is known to have been acted on."""
        self._intake = intake
        self._settled: BlockNumber | None = None
        self._behind = 0

    def read(self, cycle: Cycle) -> IntakeReport:
        """Bring the store up to the pinned block; raises what `Intake.read` raises."""
        settled = None if self._settled is None else min(self._settled, cycle.final_number)
        report = self._intake.read(cycle.head, cycle.lease, settled)
        _tell(cycle, report)
        self._set_aside(cycle, report)
        return report

    def acted_on(self, report: IntakeReport) -> None:
        """Note that the store has everything that follows from what was read."""
        self._settled = report.top

    def _set_aside(self, cycle: Cycle, report: IntakeReport) -> None:
        """Have another node asked where this one has not what its blocks logged, for long."""
        self._behind = 0 if report.untold is None else self._behind + 1
        if self._behind > cycle.ports.settings.lag_patience:
            cycle.ports.chain.set_aside()
            self._behind = 0


def _tell(cycle: Cycle, report: IntakeReport) -> None:
    if report.reorganised:
        cycle.tell(ProgressKind.CHAIN_REORGANISED, anchor=report.anchor.number)
    for request in report.seen:
        cycle.tell(
            ProgressKind.REQUEST_SEEN,
            request.key,
            request=f"0x{request.request_id.hex()}",
            made_at=request.block.number,
            requester=request.requester,
            input_bytes=len(request.input),
        )
        if request.input_is_elsewhere:
            cycle.tell(ProgressKind.INPUT_MISSING, request.key)
    for key in report.moved:
        cycle.tell(ProgressKind.REQUEST_MOVED, key)
    for key in report.orphaned:
        cycle.tell(ProgressKind.REQUEST_ORPHANED, key)
    if report.untold is not None:
        cycle.tell(ProgressKind.LOGS_BEHIND, logs_of=report.untold)
