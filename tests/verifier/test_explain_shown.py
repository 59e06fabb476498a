"""How explanations are shown: as a table, as JSON, and as a page without a stranger's code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from quotary import QuotaryError, Reason, TrustRoot, VerificationError
from quotary.cli import main
from quotary.policy import Evidence as Shown
from quotary.verify.explain import Explanation, explain
from quotary.verify.explain_page import explanation_page
from quotary.verify.explain_text import explanation_text
from quotary_enclave.simulator import Scenario, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS

AT = datetime(2026, 11, 1, tzinfo=UTC)
TD = samples(Simulator(AT, seed=b"shown"))["td15-v5-platform"]
CANARY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J"


class Hostile:
    """A policy whose refusal quotes what an attacker wrote."""

    def check(self, evidence: Shown) -> None:
        """Refuse, with markup and control characters in every field."""
        raise VerificationError(
            Reason.REPORT_DATA_MISMATCH, CANARY, expected=CANARY, found=f"{CANARY}{evidence!r:.10}"
        )


Hostile.__name__ = f"Hostile{CANARY}"


def explained(scenario: Scenario, *, hostile: bool = False) -> Explanation:
    """Explain the simulator's evidence."""
    evidence = scenario.mint()
    more = {"policy": Hostile()} if hostile else {}
    return explain(
        evidence.quote,
        json.dumps(evidence.collateral),
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
        **more,
    )


class Page(HTMLParser):
    """The tags and the text of a page; complains about tags that are not closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        """Read the whole page."""
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.labels: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            assert values["id"] not in self.ids
            self.ids.add(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        if "aria-labelledby" in values:
            self.labels.add(values["aria-labelledby"])
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The tag opened last is closed first."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


@pytest.mark.parametrize("hostile", [False, True])
@pytest.mark.parametrize("fault", [None, "pck-expired", "platform-ancient", "cut-short"])
def test_the_page_is_well_formed_and_carries_nothing_active(
    fault: str | None, *, hostile: bool
) -> None:
    """No script, no image, no link, no handler, no address; hostile text stays text."""
    scenario = TD if fault is None else FAULTS[fault].deviate(TD)
    explanation = explained(scenario, hostile=hostile)
    page = Page(explanation_page(explanation))
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "strong"),
        *("table", "tr", "td", "dl", "dt", "dd", "code", "br", "main", "nav", "ul", "li", "a"),
        *("thead", "tbody", "th"),
    }
    assert page.attributes <= {
        *("lang", "charset", "name", "content", "http-equiv", "class"),
        *("id", "href", "scope", "aria-label", "aria-labelledby"),
    }
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} | page.labels <= page.ids
    assert len(page.links) == len(explanation.failures)
    assert "url(" not in page.text
    assert "@import" not in page.text
    for check in explanation.checks:
        assert check.title in page.text
        assert check.remedy is None or check.remedy in page.text
    if hostile and fault in (None, "pck-expired"):
        assert CANARY in page.text


def test_the_table_is_plain_text() -> None:
    """A line for every check, the remedy below what failed, and no control characters."""
    explanation = explained(FAULTS["platform-outdated"].deviate(TD), hostile=True)
    text = explanation_text(explanation)
    lines = text.splitlines()
    assert text.isascii()
    assert all(line.isprintable() for line in lines)
    heads = [line for line in lines if line[:4] in ("pass", "FAIL", "skip")]
    assert len(heads) == len(explanation.checks)
    assert any("needs" in line and "has" in line for line in lines)
    assert lines[-1].startswith("refused: REPORT_DATA_MISMATCH")
    assert (
        explanation_text(explained(TD)).splitlines()[-1].startswith("accepted: TDX, TCB UpToDate")
    )


def written(folder: Path, scenario: Scenario) -> list[str]:
    """Write the evidence; return the arguments that verify it."""
    evidence = scenario.mint()
    (folder / "quote").write_bytes(evidence.quote)
    (folder / "collateral").write_text(json.dumps(evidence.collateral), encoding="utf-8")
    (folder / "root").write_bytes(evidence.root_der)
    files = [str(folder / name) for name in ("quote", "collateral", "root")]
    options = ["--collateral", files[1], "--root", files[2], "--at", AT.isoformat()]
    return ["quote", "verify", files[0], *options, "--explain"]


def test_the_command_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table, JSON and page; exit codes are those of the verdict."""
    for fault, code in ((None, 0), ("td-debug-0", 1), ("tcb-info-expired", 7)):
        arguments = written(tmp_path, TD if fault is None else FAULTS[fault].deviate(TD))
        assert main(arguments) == code
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines()[-1].startswith("accepted" if code == 0 else "refused")
        page = tmp_path / "page.html"
        assert main([*arguments, "--json", "--html", str(page)]) == code
        shown = json.loads(capsys.readouterr().out)
        assert shown["ok"] is (code == 0)
        assert len(shown["checks"]) > 60
        assert Page(page.read_text(encoding="utf-8")).text


def test_a_page_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, for a folder as for a page without an explanation."""
    arguments = written(tmp_path, TD)
    assert main([*arguments, "--html", str(tmp_path)]) == 2
    assert "FILE_UNWRITABLE" in capsys.readouterr().err
    assert main([*arguments[:-1], "--html", str(tmp_path / "page")]) == 2
    assert "--html" in capsys.readouterr().err


def test_errors_know_their_remedy() -> None:
    """What an explanation shows is what errors carry."""
    explanation = explained(replace(TD, finish=lambda _: b""))
    assert isinstance(explanation.error, QuotaryError)
    assert explanation.failures[0].remedy == explanation.error.remedy
