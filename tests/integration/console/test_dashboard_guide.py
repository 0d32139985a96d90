"""What docs/dashboard.md says is what the code does."""

import re

from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.options import options
from tests.support.metrics_table import GUIDE, table, written_table

BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"MIXRELAY_DASHBOARD_[A-Z_]+")


def test_the_table_of_metrics_is_the_collectors(redis, redis_url):
    assert written_table(GUIDE.read_text()) == table(redis, redis_url), (
        "run: python -m tests.support.metrics_table --write"
    )


def test_the_guide_names_the_variables_that_there_are():
    told = {option.variable for option in options(DashboardSettings)}

    assert set(VARIABLE.findall(GUIDE.read_text())) == told


def test_its_pictures_are_shown_and_small():
    folder = GUIDE.parent / "images"
    shown = set(re.findall(r"images/([\w-]+\.png)", GUIDE.read_text()))

    assert shown == {path.name for path in folder.glob("*.png")}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


def test_its_applications_are_those_of_the_examples():
    """Which run, in tests of their own: the guide shows their lines."""
    examples = {
        path.name: path.read_text() for path in GUIDE.parents[1].glob("examples/dashboard_*.py")
    }
    blocks = re.findall(
        r"^```python\n# (\S+)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )

    assert {name for name, _ in blocks} == set(examples)
    for name, code in blocks:
        for line in filter(str.strip, code.splitlines()):
            assert f"{line}\n" in examples[name], f"{name}: {line}"
