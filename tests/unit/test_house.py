"""The layout holds in every tool: what fails silently is compared here."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import mixrelay
from tests.support.processes import finished

ROOT = Path(__file__).parents[2]
PARTS = {"producer", "worker", "shared", "console", "sandbox"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOL = PROJECT["tool"]


@pytest.mark.parametrize(
    ("where", "roots"),
    [
        ("wheel", TOOL["hatch"]["build"]["targets"]["wheel"]["packages"]),
        ("editable install", TOOL["hatch"]["build"]["targets"]["wheel"]["dev-mode-dirs"]),
        ("mypy files", set(TOOL["mypy"]["files"]) - {"tests", "benchmarks"}),
        ("mypy path", TOOL["mypy"]["mypy_path"].split(":")),
        ("coverage", TOOL["coverage"]["run"]["source_pkgs"]),
        ("ruff", TOOL["ruff"]["src"]),
        ("ruff bans", list(TOOL["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])),
        ("pyright", TOOL["pyright"]["extraPaths"]),
    ],
)
def test_every_tool_names_the_same_source_roots(where, roots):
    named = {
        root.removeprefix("$MYPY_CONFIG_FILE_DIR/")
        .removesuffix("/mixrelay")
        .removeprefix("mixrelay.")
        for root in roots
    }
    assert named == PARTS, where


def test_one_part_makes_mixrelay_a_package_that_finds_the_others():
    (root,) = ROOT.glob("*/mixrelay/__init__.py")
    assert root.parents[1].name == "producer"
    assert {Path(folder).parent.name for folder in mixrelay.__path__} == PARTS
    assert len(mixrelay.__path__) == len(PARTS)


def test_mixrelay_alone_loads_nothing_and_has_the_producers_names():
    code = """
import sys, mixrelay
assert not [name for name in sys.modules if name.startswith("mixrelay.")]
from mixrelay import shared
assert "mixrelay.producer" not in sys.modules
from mixrelay import Tracker, QueueSettings
import mixrelay.producer
assert Tracker is mixrelay.producer.Tracker and mixrelay.__all__ == mixrelay.producer.__all__
assert set(mixrelay.producer.__all__) <= set(dir(mixrelay))
try:
    mixrelay.tracker_of_nobody
except AttributeError as error:
    assert "no attribute 'tracker_of_nobody'" in str(error)
print(mixrelay.__version__)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = finished(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == PROJECT["project"]["version"]


def test_a_checkout_finds_its_parts_by_one_root_and_no_folder_of_that_name(tmp_path):
    (tmp_path / "mixrelay" / "intruder").mkdir(parents=True)
    code = """
import importlib.util, mixrelay.worker
assert importlib.util.find_spec("mixrelay.intruder") is None
"""
    finished([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_python_m_mixrelay_is_the_command():
    command = [sys.executable, "-m", "mixrelay", "--version"]
    done = finished(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"mixrelay {PROJECT['project']['version']}"


def test_every_part_is_typed():
    assert {path.parent.name for path in ROOT.glob("*/mixrelay/*/py.typed")} == PARTS


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_git_ignores_no_file_of_a_package():
    sources = [f"{part}/mixrelay" for part in sorted(PARTS)]
    ignored = finished(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", *sources],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert [name for name in ignored if "__pycache__" not in name] == []


def test_the_version_is_the_changelogs_newest():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = next(line for line in changelog.splitlines() if line.startswith("## ["))
    assert newest.startswith(f"## [{version('mixrelay')}]")
    assert PROJECT["project"]["version"] == version("mixrelay")


def test_the_producer_needs_three_packages_and_no_more():
    names = {requirement.split(">")[0] for requirement in PROJECT["project"]["dependencies"]}
    assert names == {"redis", "orjson", "requests"}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_can_be_imported_alone(part):
    finished([sys.executable, "-W", "error", "-c", f"import mixrelay.{part}"], check=True)


def test_no_source_file_outgrows_one_concept():
    long = {
        str(path.relative_to(ROOT)): count
        for path in ROOT.glob("*/mixrelay/**/*.py")
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert long == {}


ENDLESS = re.compile(
    r"subprocess\.(Popen|run|call|check_call|check_output)\("
    r"|\b(\w*thread\w*|\w*process\w*|one|outside)\.(join|communicate)\(\)"
    r"|os\.waitpid\(\w+, 0\)"
)
ENDED_OTHERWISE = {
    "tests/support/processes.py",  # what all others use
    "tests/support/audit.py",  # no test; each run of its has a timeout
    "tests/release/smoke_program.py",  # stands alone; each run of its has a timeout
    "tests/protections/trying.py",  # no test; ends what carries its folder
    "tests/chaos/crash_points/forks.py",  # in the child; its parent reads its answers
    "tests/unit/console/test_children.py",  # the product's own Popen, in its place
    "tests/unit/benchmarks/test_figures.py",  # in a program that Process runs
    "tests/integration/security/test_source.py",  # words that a scanner is to find
    "tests/unit/support/test_sessions.py",  # programs that leave something behind
}


def test_tests_wait_for_nothing_without_an_end():
    """Children come from tests.support.processes, threads end by tests.support.patience."""
    endless = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in (ROOT / "tests").rglob("*.py")
        if str(path.relative_to(ROOT)) not in ENDED_OTHERWISE
        and "tests/fuzz/" not in str(path)
        and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ENDLESS.search(line)
    ]
    assert endless == []
