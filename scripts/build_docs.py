"""Write docs/reasons.md, docs/checks.md and refusals.json from the code; --check compares."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / name) for name in ("verifier", "enclave"))]

from quotary import QuotaryError, Reason, TrustRoot  # noqa: E402
from quotary.errors import REMEDIES  # noqa: E402
from quotary.verify import STEPS  # noqa: E402
from quotary.verify.explain import Explanation, explain  # noqa: E402
from quotary.verify.matrix import MATRIX  # noqa: E402
from quotary_enclave.simulator import Evidence  # noqa: E402

from tests.contracts.attacks_admission import ADMISSION_ATTACKS  # noqa: E402
from tests.verifier.attacks import ATTACKS  # noqa: E402
from tests.verifier.refusals import SAMPLES, refusal_of, terms_of  # noqa: E402

AT = datetime(2026, 11, 1, tzinfo=UTC)
LONGEST = 48
NOTICE = "<!-- Written by scripts/build_docs.py: change the code, then run it. -->\n\n"


def main() -> int:
    """Write the files, or say which differ; returns the exit code."""
    errors = {reason: refusal_of(reason) for reason in Reason}
    files = {
        "docs/reasons.md": reasons_page(errors),
        "docs/checks.md": checks_page(),
        "tests/verifier/refusals.json": refusals_file(errors),
    }
    stale = []
    for name, text in files.items():
        path = ROOT / name
        if "--check" in sys.argv[1:]:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is not what the code says: run scripts/build_docs.py", file=sys.stderr)
    return 1 if stale else 0


def refusals_file(errors: Mapping[Reason, QuotaryError]) -> str:
    """What each refusal says, word for word: the tests hold the code to it."""
    return (
        json.dumps({reason: terms_of(error) for reason, error in errors.items()}, indent=1) + "\n"
    )


def reasons_page(errors: Mapping[Reason, QuotaryError]) -> str:
    """Every reason: its items, an example of what was expected and found, a remedy."""
    items = items_in_code()
    lines = [
        "# Reasons\n\n" + NOTICE + "Evidence that is refused is refused for one of these reasons. "
        "They are stable: the same names stand in errors,\nin `--json`, in metrics and in the "
        "contracts. Each error names the item, what was expected and what was found;\neach example "
        "is a refusal that a test brings about, word for word.\n\n"
        "| reason | item | expected, found (example) | remedy |\n| --- | --- | --- | --- |\n"
    ]
    for reason, error in errors.items():
        terms = terms_of(error)
        known = sorted({*items.get(reason, set()), str(terms["item"])})
        shown = "; ".join(
            f"{name} {short(value)}"
            for name, value in terms.items()
            if name != "item" and value is not None
        )
        lines.append(
            f"| `{reason}` | {cell(', '.join(known))} | {cell(shown)} | "
            f"{cell(REMEDIES[reason])} |\n"
        )
    return "".join(lines)


def items_in_code() -> dict[Reason, set[str]]:
    """The items the verifier's code names literally beside each reason."""
    found: dict[Reason, set[str]] = {}
    for path in sorted((ROOT / "verifier" / "quotary").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            for first, second in zip(node.args, node.args[1:], strict=False):
                if (
                    isinstance(first, ast.Attribute)
                    and isinstance(first.value, ast.Name)
                    and first.value.id == "Reason"
                    and isinstance(second, ast.Constant)
                    and isinstance(second.value, str)
                ):
                    found.setdefault(Reason(first.attr), set()).add(second.value)
    return found


def checks_page() -> str:
    """The numbered checks, the check matrix, and the attacks with their reasons."""
    explanation = explained(SAMPLES["td15-v5-platform"].mint())
    titles = {step.number: step.title for step in STEPS}
    lines = [
        "# Checks\n\n" + NOTICE + "`verify` stops at the first check that fails; `explain` and "
        "`quotary quote verify --explain` run all of them, in this\norder. The number before the "
        "dot is the step in the docstring of `quotary.verify.verify`. Rows are those of the\n"
        "matrix below. Step 11 has a check for every rule of the policy given; these are the "
        "default's.\n\n| check | what must hold | rows |\n| --- | --- | --- |\n"
    ]
    step = -1
    for check in explanation.checks:
        number = int(check.number.split(".")[0])
        if number != step:
            step = number
            title = titles.get(number, "the quote parses, and the collateral is Intel's")
            lines.append(f"| **{number}** | **{cell(title)}** | |\n")
        rows = ", ".join(map(str, check.rows))
        lines.append(f"| {check.number} | {cell(check.title)} | {rows} |\n")
    lines.append("\n## The check matrix\n\n| row | rule | checks |\n| --- | --- | --- |\n")
    for row, rule in MATRIX.items():
        numbers = ", ".join(check.number for check in explanation.checks if row in check.rows)
        lines.append(f"| {row} | {cell(rule)} | {numbers or 'a rule of the policy'} |\n")
    lines.append(
        "\n## Attacks\n\nCases 1 to 74 of the catalogue of attacks, the name each began with, and "
        "the reasons of this catalogue.\nWhat is held elsewhere is named by its test.\n\n"
        "| case | attack | began as | reasons | held elsewhere |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    for attack in ATTACKS:
        reasons = ", ".join(sorted(f"`{reason}`" for reason in set(attack.faults.values())))
        tests = ", ".join(f"`{pointer.rpartition('/')[2]}`" for pointer in attack.elsewhere)
        lines.append(
            f"| {attack.number} | {cell(attack.title)} | `{attack.proposed}` | {reasons} | "
            f"{tests} |\n"
        )
    return "".join((*lines, *admission_attacks()))


def admission_attacks() -> Iterator[str]:
    """The attacks on admission and agreement, with the tests that hold them."""
    yield (
        "\n## Attacks on admission and agreement\n\nCases 63 to 90 and 128 to 138: "
        "each test that holds one, and what it asserts.\n\n"
        "| case | attack | held by | note |\n| --- | --- | --- | --- |\n"
    )
    for attack in ADMISSION_ATTACKS:
        held = "<br>".join(
            f"`{pointer.rpartition('/')[2]}`: {', '.join(f'`{reason}`' for reason in reasons)}"
            for pointer, reasons in attack.held_by.items()
        )
        yield f"| {attack.number} | {cell(attack.title)} | {held} | {cell(attack.why)} |\n"


def explained(evidence: Evidence) -> Explanation:
    """An explanation of good evidence: it lists every check."""
    return explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


def short(text: str) -> str:
    """The beginning of a long value."""
    return f"`{text if len(text) <= LONGEST else text[:LONGEST] + '…'}`"


def cell(text: str) -> str:
    """Text that stays in its cell."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
