"""Suites on each Python that is here, with the newest and the oldest dependencies: `make matrix`.

An environment for each lies in `.venv/matrix`. Ends with a table; 1 where something failed.
"""

import argparse
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.release.interpreters import interpreters
from tests.release.oldest import constraints
from tests.release.paths import ROOT
from tests.support.processes import finished

FOLDER = ROOT / ".venv" / "matrix"
SUITES = ("unit", "integration", "acceptance")
DEPENDENCIES = ("newest", "oldest")
_INSTALL_SECONDS = 900
_SUITE_SECONDS = 3600
_COUNTED = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True, slots=True)
class Cell:
    """One suite on one Python with one set of dependencies."""

    python: str
    dependencies: str
    suite: str
    counts: dict[str, int]
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether something passed and nothing failed."""
        bad = self.counts.get("failed", 0) + self.counts.get("error", 0)
        return bool(self.counts.get("passed")) and not bad

    def row(self) -> str:
        """A line of the table."""
        told = ", ".join(f"{count} {word}" for word, count in self.counts.items()) or "did not run"
        return (
            f"{self.python:<7}{self.dependencies:<9}{self.suite:<13}"
            f"{'ok' if self.is_well else 'FAILED':<8}{told}, {self.seconds:.0f} s"
        )


def counted(said: str) -> dict[str, int]:
    """What pytest's last line counts."""
    last = said.strip().rpartition("\n")[2]
    return {word: int(number) for number, word in _COUNTED.findall(last)}


def environment(version: str, python: Path, dependencies: str) -> Path:
    """Make or renew the environment; return its interpreter."""
    folder = FOLDER / f"{version}-{dependencies}"
    inside = folder / "bin" / "python"
    if not inside.exists():
        finished([str(python), "-m", "venv", str(folder)], check=True, timeout=_INSTALL_SECONDS)
    pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if dependencies == "oldest":
        listed = folder / "oldest.txt"
        listed.write_text("".join(f"{line}\n" for line in constraints()))
        pip += ["--constraint", str(listed)]
    wanted = (*pip, "--editable", ".[dev]")
    finished(wanted, cwd=ROOT, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    return inside


def run(python: Path, suite: str, processes: int) -> tuple[dict[str, int], float]:
    """Run one suite; print what failed, return the counts and the time."""
    spread = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
    words = ["-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *spread, suite]
    began = time.monotonic()
    done = finished(
        [str(python), *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=_SUITE_SECONDS,
    )
    counts = counted(done.stdout)
    if done.returncode:
        print(done.stdout[-10_000:], done.stderr[-2_000:], sep="\n", flush=True)
        counts.setdefault("error" if not counts else "failed", 1)
    return counts, time.monotonic() - began


def main(words: list[str] | None = None) -> int:
    """Run what is chosen, all by default."""
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--python", nargs="*", help="versions, such as 3.12; all that are here")
    parser.add_argument("--dependencies", nargs="*", choices=DEPENDENCIES, default=DEPENDENCIES)
    parser.add_argument("--suites", nargs="*", default=SUITES, help="folders or files of tests/")
    parser.add_argument("--processes", type=int, default=3)
    asked = parser.parse_args(words)
    cells = []
    for version, python in interpreters().items():
        if asked.python and version not in asked.python:
            continue
        for dependencies in asked.dependencies:
            print(f"== Python {version}, {dependencies} dependencies", flush=True)
            inside = environment(version, python, dependencies)
            for suite in asked.suites:
                counts, seconds = run(inside, f"tests/{suite}", asked.processes)
                cells.append(Cell(version, dependencies, suite, counts, seconds))
                print(cells[-1].row(), flush=True)
    print("\npython dependencies and suite", *(cell.row() for cell in cells), sep="\n")
    return int(not cells or not all(cell.is_well for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
