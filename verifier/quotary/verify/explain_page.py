"""An explanation as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Final

from quotary.trust import unix_seconds
from quotary.verify import STEPS
from quotary.verify._documents import shown_time
from quotary.verify.explain import Check, CheckStatus, Explanation, Shortfall

__all__ = ["explanation_page"]

_STEP_TITLES: Final = {
    0: "the quote parses, and the collateral is Intel's",
    **{step.number: step.title for step in STEPS},
}
_MARKS: Final = {CheckStatus.PASS: "pass", CheckStatus.FAIL: "fail", CheckStatus.SKIPPED: "skipped"}

_WORDS: Final = {
    CheckStatus.PASS: "passed",
    CheckStatus.FAIL: "failed",
    CheckStatus.SKIPPED: "skipped",
}
_HEADS: Final = (
    '<thead class="heads"><tr><th scope="col">number</th><th scope="col">outcome</th>'
    '<th scope="col">check</th></tr></thead>\n'
)

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--line:#d9dee3;--page:#fff;--soft:#f5f7f9;
--pass:#1a7f37;--fail:#b42318;--wash:#fdf0ee;--skip:#6b7580}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa4ae;--line:#343b43;--page:#14171a;
--soft:#1c2025;--pass:#4cc26b;--fail:#ff8a7a;--wash:#2c1a18;--skip:#8d97a1}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:2rem 1rem;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:2rem 0 .4rem}
p{margin:.3rem 0}.dim{color:var(--dim)}
.outcome{border-left:.4rem solid;padding:.8rem 1rem;background:var(--soft);margin:1rem 0}
.outcome.pass{border-color:var(--pass)}.outcome.fail{border-color:var(--fail)}
table{border-collapse:collapse;width:100%}
td,th{border-top:1px solid var(--line);padding:.3rem .5rem;vertical-align:top;text-align:left}
th.number{width:4rem;color:var(--dim);font-weight:400;font-variant-numeric:tabular-nums}
td.status{width:5.5rem;font-weight:600}
.heads th{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
nav ul{margin:.3rem 0;padding-left:1.2rem}nav a{color:inherit}:target{outline:2px solid var(--fail)}
tr.pass td.status{color:var(--pass)}tr.fail td.status{color:var(--fail)}
tr.skipped td,tr.skipped th{color:var(--skip)}tr.fail{background:var(--wash)}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.3rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
@media print{:root{color-scheme:light;--ink:#000;--dim:#444;--line:#bbb;--page:#fff;--soft:#fff;
--pass:#060;--fail:#900;--wash:#fff;--skip:#444}body{max-width:none;padding:0;font-size:11px}
tr{break-inside:avoid}h2{break-after:avoid}}
"""


def explanation_page(explanation: Explanation) -> str:
    """
    Return a complete HTML document.

    Everything that stems from evidence is escaped, and the page forbids scripts and requests to
    itself. It reads well in light, in dark and on paper.
    """
    return "".join(_document(explanation))


def _document(explanation: Explanation) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(_title(explanation))}</title><style>{_STYLE}</style></head><body><main>\n"
        "<h1>Quote explained</h1>\n"
    )
    yield from _outcome(explanation)
    yield from _failures(explanation)
    for number, checks in groupby(explanation.checks, key=_step):
        title = _STEP_TITLES.get(number, "verification as a whole")
        yield f'<h2 id="step-{number}">{number}. {escape(title)}</h2>\n'
        yield f'<table aria-labelledby="step-{number}">{_HEADS}<tbody>\n'
        for check in checks:
            yield from _row(check)
        yield "</tbody></table>\n"
    yield "</main></body></html>\n"


def _title(explanation: Explanation) -> str:
    if explanation.error is not None:
        return f"Quote refused: {explanation.error.reason}"
    return "Quote accepted"


def _step(check: Check) -> int:
    return int(check.number.partition(".")[0])


def _outcome(explanation: Explanation) -> Iterator[str]:
    counts = ", ".join(f"{explanation.count(status)} {word}" for status, word in _WORDS.items())
    at = shown_time(unix_seconds(explanation.at))
    when = f'<p class="dim">As of {at}. Checks: {counts}.</p>'
    verdict, error = explanation.verdict, explanation.error
    if verdict is not None:
        yield (
            f'<div class="outcome pass"><strong>Accepted.</strong> {verdict.tee_type.name}, TCB '
            f"{escape(verdict.tcb_status.value)}.{when}</div>\n"
        )
        yield _list(verdict.to_json())
    elif error is not None:
        yield (
            f'<div class="outcome fail"><strong>Refused.</strong> <code>{escape(str(error))}</code>'
            f"<p>{escape(error.remedy)}</p>{when}</div>\n"
        )


def _failures(explanation: Explanation) -> Iterator[str]:
    """Links to what failed: among eighty checks nobody should have to search."""
    if not explanation.failures:
        return
    yield '<nav aria-label="Failed checks"><p>Failed checks:</p><ul>'
    for check in explanation.failures:
        yield f'<li><a href="#check-{check.number}">{check.number} {escape(check.title)}</a></li>'
    yield "</ul></nav>\n"


def _list(values: dict[str, object]) -> str:
    items = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(_shown(value))}</code></dd>"
        for name, value in values.items()
    )
    return f"<dl>{items}</dl>\n"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _row(check: Check) -> Iterator[str]:
    status = check.status.value
    yield (
        f'<tr class="{status}" id="check-{check.number}">'
        f'<th class="number" scope="row">{check.number}</th>'
        f'<td class="status">{_MARKS[check.status]}</td><td>{escape(check.title)}'
    )
    if check.status is CheckStatus.FAIL:
        yield _failure(check)
    elif check.found or check.note:
        yield f'<br><code class="dim">{escape(check.found or check.note or "")}</code>'
    yield from map(_shortfall, check.shortfalls)
    yield "</td></tr>\n"


def _failure(check: Check) -> str:
    named = {
        "reason": check.reason,
        "item": check.item,
        "expected": check.expected,
        "found": check.found,
        "remedy": check.remedy,
    }
    return _list({name: value for name, value in named.items() if value is not None})


def _shortfall(shortfall: Shortfall) -> str:
    needs = "".join(
        f"<dt>{escape(need.component)}</dt><dd>has {need.has}, needs {need.needs}</dd>"
        for need in shortfall.needs
    )
    return f"<p>For <strong>{escape(shortfall.status)}</strong>:</p><dl>{needs}</dl>"
