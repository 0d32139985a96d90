"""What docs/reliability.md and SECURITY.md name is there and can fail."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orjson
import pytest

from tests.chaos.report import HEADINGS
from tests.support import reliability_table

ROOT = Path(__file__).parents[2]
RELIABILITY, SECURITY = ROOT / "docs" / "reliability.md", ROOT / "SECURITY.md"
FOLDER_OF_SECURITY = "tests/integration/security/"
"""Of what SECURITY.md names without a folder, as it says."""
NAMED = re.compile(r"`(?:(…)|((?:tests/)?[\w/]*test_\w+\.py))(?:::(\w+))?`")
ATTACK = re.compile(r"^\| (\d+) \|(.*)$", re.MULTILINE)
FULL_NAME = re.compile(r"`tests/[\w/]+/test_\w+\.py::test_\w+`")
ATTACKS = range(1, 109)
ROW = dict(zip(HEADINGS, ("a|b", "2", "3000", "4", "0", "0", "0", "0", "1.5"), strict=True))


def named(paper: Path) -> list[tuple[str, str]]:
    """Each file that a paper names, and the test, empty where it means all of them."""
    found, last = [], ""
    for same, file, test in NAMED.findall(paper.read_text(encoding="utf-8")):
        if not same:
            last = file if "/" in file else FOLDER_OF_SECURITY + file
        found.append((last, test))
    return found


@cache
def tree_of(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def functions(file: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {
        node.name: node
        for node in tree_of(file).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def always_skipped(file: str, test: str) -> Iterator[str]:
    """The marks and calls that skip a test, or excuse it, whatever the machine."""
    never = re.compile(r"\bmark\.(skip|xfail)\b|^(pytest\.)?(skip|xfail)\(")
    function = functions(file)[test]
    own = [*function.decorator_list, *function.body[:2]]
    of_the_file = [one for one in tree_of(file).body if isinstance(one, ast.Assign | ast.Expr)]
    yield from (ast.unparse(one) for one in [*own, *of_the_file] if never.search(ast.unparse(one)))


@pytest.mark.parametrize("paper", [RELIABILITY, SECURITY], ids=lambda path: path.name)
def test_every_test_that_is_named_exists_and_is_not_skipped(paper: Path) -> None:
    assert named(paper)
    gone = [file for file, _ in named(paper) if not (ROOT / file).exists()]
    assert gone == []
    wrong = [(file, test) for file, test in named(paper) if test and test not in functions(file)]
    assert wrong == []
    skipped = [one for file, test in named(paper) if test for one in always_skipped(file, test)]
    assert skipped == []


def test_each_attack_stands_in_the_table_once_with_a_test() -> None:
    rows = ATTACK.findall(RELIABILITY.read_text(encoding="utf-8"))
    assert Counter(int(number) for number, _ in rows) == Counter(ATTACKS)
    assert [number for number, row in rows if not FULL_NAME.search(row)] == []


def test_the_last_full_run_is_made_from_its_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_bytes(orjson.dumps([ROW, ROW | {"attack": "c", "lost": "0"}]))
    text = reliability_table.section(reliability_table.read(report), "Seen")
    assert text.startswith("Seen: 2 attacks, 4 runs, 6,000 messages. Lost: a|b: 4. Elsewhere")
    assert "| a\\|b | 2 | 3,000 | 4 | 0 |" in text
    page = reliability_table.put(RELIABILITY.read_text(encoding="utf-8"), text)
    assert text in page
    assert reliability_table.put(page, text) == page


def test_a_report_of_something_else_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_bytes(b'[{"attack": "a"}]')
    with pytest.raises(ValueError, match="make chaos"):
        reliability_table.read(report)
