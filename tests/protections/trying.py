"""Runs tests on a copy of the tree, from which a protection was taken away."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.protections.protection import ROOTS, Protection

HERE = Path(__file__).parents[2]
TEST_SECONDS = 60
RUN_SECONDS = 120.0
# Not a protection's absence but an edit that makes no program.
BROKEN = (
    "SyntaxError",
    "NameError",
    "ImportError",
    "ModuleNotFoundError",
    "Error compiling script",
    "nonexistent global variable",
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test without its protection."""

    protection: Protection
    noticed: bool
    seconds: float
    said: str = ""
    """Why it counts as not noticed."""
    hung: bool = False
    """The test did not end, or what it had started did not; everything was ended by force."""


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest made of some tests: what each failed one said, by its name."""

    code: int | None
    """None where it did not end in its time."""
    failed: dict[str, str]
    output: str


def copied(tree: Path, source: Path = HERE) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis", ".pytest_cache")
    for name in (*ROOTS, "tests"):
        shutil.copytree(source / name, tree / name, ignore=ignored)
    shutil.copy(source / "pyproject.toml", tree)
    return tree


def tried(protection: Protection, source: Path, tree: Path) -> Tried:
    """Runs its test on a copy of the source, in the folder `tree`, without the protection."""
    began = time.monotonic()
    copied(tree, source)
    try:
        protection.take_away(tree)
    except LookupError as error:
        return Tried(protection, noticed=False, seconds=0.0, said=str(error))
    run = outcome_of(tree, [protection.node])
    seconds = time.monotonic() - began
    shutil.rmtree(tree)
    said = _why_not(run)
    return Tried(protection, not said, seconds, said, hung=run.code is None)


def _why_not(run: Run) -> str:
    if run.code is None:  # what hangs is as good as failed
        return ""
    if run.code == 0:
        return "the test passes"
    words = " ".join(run.failed.values())
    if run.code != 1 or not run.failed:
        return f"no failure but exit {run.code}: {run.output[-1_500:]}"
    broken = [word for word in BROKEN if word in words]
    return f"the edit makes no program: {words[:1_500]}" if broken else ""


def outcome_of(tree: Path, nodes: list[str], seconds: float = RUN_SECONDS) -> Run:
    """Runs tests with the tree's own code, whatever is installed."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.protections.whose"]
    command += ["-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}", f"--junitxml={report}"]
    path = os.pathsep.join(str(tree / root) for root in (*ROOTS, "."))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    with (tree / "output.txt").open("w+b") as output:
        process = subprocess.Popen(
            [*command, *nodes], cwd=tree, env=environment, stdout=output, stderr=output
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
            process.kill()
            process.wait(10)
        _end_strays(tree)
        output.seek(0)
        said = output.read().decode(errors="replace")
    return Run(code, _failures(report), said)


def _failures(report: Path) -> dict[str, str]:
    if not report.exists():
        return {}
    cases = ET.parse(report).iter("testcase")
    return {
        case.get("name", "").partition("[")[0]: f"{failure.get('message')} {failure.text}"
        for case in cases
        for failure in case.iter("failure")
    }


def _end_strays(tree: Path) -> None:
    """Workers outlive a test that failed; theirs is whoever carries the tree in its environment."""
    # With its end, since one tree's name may begin another's.
    mark = os.fsencode(f"{tree}{os.sep}")
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
