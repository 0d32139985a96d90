"""What docs/architecture.md, docs/invariants.md and CONTRIBUTING say of the code is so."""

import re

import pytest

from tests.house.drawing import PAGE, circles_of_parts, drawing, drawn
from tests.house.imports import PARTS, ROOT, circles, imports, reduced

INVARIANTS = ROOT / "docs" / "invariants.md"
SOURCES = [
    path
    for part in PARTS
    for path in (ROOT / part).rglob("*")
    if path.suffix in {".py", ".lua", ".html"}
]
CITED = re.compile(r"docs/invariants\.md,?\s+(?:-- )?rules? ([\d, and\n-]+)")
FILE = re.compile(r"`(?:[\w./]+/)?(\w+\.(?:py|lua|html))`")


def test_the_drawing_is_made_from_the_imports_of_today():
    assert drawn(PAGE.read_text()) == drawing(), "run: python -m tests.house.drawing --write"


def test_no_part_imports_another_in_a_circle():
    assert circles_of_parts() == []


@pytest.mark.parametrize(
    "page",
    [PAGE, INVARIANTS, ROOT / "docs" / "internals.md", ROOT / "CONTRIBUTING.md"],
    ids=lambda path: path.name,
)
def test_every_file_that_is_named_is_there(page):
    there = {path.name for path in SOURCES} | {path.name for path in (ROOT / "tests").rglob("*.py")}
    named = set(FILE.findall(page.read_text()))
    assert sorted(named - there) == []


def test_the_rules_are_numbered_and_the_code_cites_no_other():
    numbered = re.findall(r"^(\d+)\. \*\*", INVARIANTS.read_text(), re.MULTILINE)
    assert numbered == [str(number) for number in range(1, 15)]
    cited = {
        number
        for path in SOURCES
        for numbers in CITED.findall(path.read_text())
        for number in re.findall(r"\d+", numbers)
    }
    assert cited <= set(numbered)
    assert len(cited) > 5, "the citations are read"


def test_an_arrow_that_follows_from_others_is_left_out_and_a_circle_is_found():
    chain = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert reduced(chain) == {"a": {"b"}, "b": {"c"}, "c": set()}
    assert circles(chain) == []
    assert circles(chain | {"c": {"a"}}) == [["a", "b", "c"]]


def test_the_imports_are_those_of_the_source():
    found = imports()
    assert "mixrelay.shared.queue.base.keys" in found["mixrelay.shared.settings"]
    assert not any("mixrelay.shared" in wanted for wanted in found["mixrelay.sandbox.server"])
