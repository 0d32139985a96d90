"""The table of protections still fits the code and the tests it speaks of."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.protections.protection import Protection
from tests.protections.table import PROTECTIONS

ROOT = Path(__file__).parents[2]


@cache
def names_of_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda one: one.name)
def test_each_protection_stands_in_the_code_once_and_has_its_test(protection: Protection) -> None:
    text = (ROOT / protection.file).read_text(encoding="utf-8")
    assert text.count(protection.old) == 1
    assert protection.new != protection.old
    assert protection.test in names_of_tests(ROOT / "tests" / protection.proof)


def test_no_two_protections_have_one_name() -> None:
    names = [one.name for one in PROTECTIONS]
    assert sorted(set(names)) == sorted(names)
