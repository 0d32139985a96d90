"""The table tells what ran; the oldest versions are those that are declared."""

import pytest

from tests.release.matrix import Cell, counted
from tests.release.oldest import constraints
from tests.release.paths import PROJECT


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("...\n12 passed, 3 skipped in 4.56s\n", {"passed": 12, "skipped": 3}),
        (
            "FAILED tests/a.py::b - 7 passed\n1 failed, 12 passed in 1:02:03\n",
            {"failed": 1, "passed": 12},
        ),
        ("ERROR tests/a.py\n2 errors in 0.1s", {"error": 2}),
        ("no tests ran in 0.01s", {}),
        ("", {}),
    ],
)
def test_the_last_line_is_counted(said, counts):
    assert counted(said) == counts


@pytest.mark.parametrize(
    ("counts", "is_well"),
    [
        ({"passed": 1, "skipped": 2}, True),
        ({"passed": 1, "failed": 1}, False),
        ({"passed": 1, "error": 1}, False),
        ({"skipped": 2}, False),
        ({}, False),
    ],
)
def test_a_suite_is_well_where_something_passed_and_nothing_failed(counts, is_well):
    assert Cell("3.12", "oldest", "unit", counts, 1.0).is_well is is_well


def test_each_dependency_of_users_has_a_constraint():
    pinned = dict(line.split("==") for line in constraints())
    extras = PROJECT["optional-dependencies"]
    for requirement in [*PROJECT["dependencies"], *extras["worker"], *extras["sandbox"]]:
        name, _, rest = requirement.partition(">=")
        assert pinned[name] == rest.partition(",")[0]
    assert {"django", "flask", "fastapi", "celery", "starlette", "typer"} <= pinned.keys()
    assert "pytest" not in pinned
