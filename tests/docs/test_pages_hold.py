"""What pages point at exists, and the commands they show can be typed."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest
from quotary.cli.main import _parser
from quotary.cli.output import CommandError

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("*.md"))
# A test of its own runs the tutorial, whose commands go over several lines.
TUTORIAL = DOCS / "tutorial.md"
PAGES = (ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md")), *DECISIONS)
ALL = (*PAGES, ROOT / "CHANGELOG.md")
# What ends a command in a shell, for whoever only looks at the first one.
SHELL = re.compile(r"\s(?:\||\|\||&&|&|[<>]).*")


def named(page: Path) -> str:
    """How a failure names a page."""
    return str(page.relative_to(ROOT))


def sections(page: Path) -> list[str]:
    """The headings of a page."""
    return re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(page: Path) -> Iterator[str]:
    """Every command of ours in the page's blocks of code, without what a shell adds."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    for line in re.findall(r"^(?: {4})?(quotary .+)$", text, re.MULTILINE):
        yield SHELL.sub("", line)


@pytest.mark.parametrize("page", ALL, ids=named)
def test_what_a_page_points_at_exists(page: Path) -> None:
    """Links, the sections they name, paths, and what is to be made."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, section = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if section:
            assert section in map(anchor, sections(linked)), target
    for path, section in re.findall(r"\]\(([\w/.-]+\.md)\),\s+\"([^\"]+)\"", text):
        headings = sections(page.parent / path)
        said = " ".join(section.split())
        assert any(heading.partition(":")[0] == said for heading in headings), (path, said)
    for path in re.findall(
        r"`((?:docs|scripts|tests|contracts|toolchain|requirements)/[^`*…<\s]+)`", text
    ):
        assert (ROOT / path).exists(), path
    targets = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    for target in re.findall(r"(?:`| {4})make ([a-z-]+)", text):
        assert target in targets, target


def test_every_page_and_every_decision_is_in_the_index() -> None:
    """Each once at least; decisions in their order, by their own titles."""
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
    listed = re.findall(r"^(\d+)\. \[(.+)\]\(adr/(.+)\)$", index, re.MULTILINE)
    titles = [sections(page)[0].partition(". ") for page in DECISIONS]
    assert listed == [
        (number, title, page.name)
        for (number, _, title), page in zip(titles, DECISIONS, strict=True)
    ]
    assert (
        [int(page.name[:4]) for page in DECISIONS]
        == [int(number) for number, _, _ in titles]
        == list(range(1, len(DECISIONS) + 1))
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != TUTORIAL and any(commands(page))], ids=named
)
def test_every_command_on_a_page_parses(page: Path) -> None:
    """As it stands, but for what stands for a value of the reader's: an address, or a hash."""
    for command in commands(page):
        said = []
        for value in ("11" * 20, "11" * 32):
            filled = re.sub(r"0x\w*…|\bHEX\b", f"0x{value}", command)
            arguments = shlex.split(filled, comments=True)[1:]
            try:
                _parser(arguments).parse_args(arguments)
            except CommandError as error:
                said.append(str(error))
        assert len(said) < 2, (command, said)


def leaves(parser: ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that does something."""
    groups = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            yield from leaves(child, (*path, name))
    if not groups:
        yield " ".join(path)


def test_every_command_is_on_a_page() -> None:
    """Whoever reads the documentation learns of it."""
    told = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in leaves(_parser([])):
        assert re.search(rf"`?quotary {command}\b", told), command


def test_contracts_on_pages_are_those_that_are_tested() -> None:
    """The examples' sources, word for word: contracts/test/Examples.t.sol uses them."""
    page = (DOCS / "consumers.md").read_text(encoding="utf-8")
    shown = re.findall(r"```solidity\n(.*?)```", page, re.DOTALL)
    examples = ROOT / "contracts" / "src" / "examples"
    ball, board = (
        (examples / name).read_text(encoding="utf-8")
        for name in ("EightBall.sol", "WorkersOnly.sol")
    )
    assert shown[0] == ball
    assert indent(shown[1], "    ") in board
    assert len(shown) == 2
