"""Fuzzes with atheris (Linux; the extra ``fuzz``).

``python -m tests.fuzz.run [TARGET …] --runs N`` goes on from the kept corpus and prints a table;
a crash is written to ``.fuzz/``, said, and the exit status is 1. ``--keep`` puts what was found
into the kept corpus, reduced to what covers anything that the rest does not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.reducing import reduce
from tests.fuzz.registry import CORPUS, TARGETS

CRASHES = Path(".fuzz")
KEPT_AT_MOST = 100
"""Files of one target's corpus."""
_LONGEST_INPUT = 1_500
_SECONDS_AN_INPUT = 5
_DICTIONARY = Path(__file__).parent / "json.dict"


class Run(NamedTuple):
    """What one target's run came to."""

    target: str
    cases: int
    seconds: float
    crashes: int
    corpus: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=50_000, help="cases of each target")
    parser.add_argument("--seconds", type=int, default=900, help="of each target at most")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    parser.add_argument("--keep", action="store_true", help="add what was found to the corpus")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    print(f"seed {options.seed}", flush=True)
    print("| target | cases | seconds | crashes | corpus |\n| --- | --- | --- | --- | --- |")
    runs = [_run(target, options) for target in options.targets or TARGETS]
    print(
        f"| all | {sum(run.cases for run in runs):,} | {sum(run.seconds for run in runs):.0f} |"
        f" {sum(run.crashes for run in runs)} | {sum(run.corpus for run in runs)} |"
    )
    return 1 if any(run.crashes for run in runs) else 0


def _run(target: str, options: argparse.Namespace) -> Run:
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    CRASHES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as found:
        began = time.monotonic()
        output = _driven(
            target,
            *(found, str(kept), f"-runs={options.runs}", f"-seed={options.seed}"),
            *(f"-max_len={_LONGEST_INPUT}", f"-timeout={_SECONDS_AN_INPUT}"),
            *(f"-dict={_DICTIONARY}", f"-max_total_time={options.seconds}"),
            *(f"-artifact_prefix={CRASHES}/{target}-", "-print_final_stats=1"),
            seconds=options.seconds + 60,
        )
        seconds = time.monotonic() - began
        if options.keep:
            reduce(target, [kept, Path(found)], kept, at_most=KEPT_AT_MOST)
    run = Run(target, _cases(output), seconds, output.count("Test unit written to"), _count(kept))
    print(
        f"| {target} | {run.cases:,} | {run.seconds:.0f} | {run.crashes} | {run.corpus} |",
        flush=True,
    )
    if run.crashes or not run.cases:
        print(output[-6_000:], file=sys.stderr, flush=True)
    return run


def _driven(target: str, *options: str, seconds: float) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.drive", target, *options],
        check=False,
        capture_output=True,
        timeout=seconds,
    )
    # The exception and its traceback are on stdout: last.
    return (done.stderr + done.stdout).decode(errors="replace")


def _cases(output: str) -> int:
    found = re.search(r"stat::number_of_executed_units:\s+(\d+)", output)
    return int(found[1]) if found else 0


def _count(folder: Path) -> int:
    return len(list(folder.iterdir()))


if __name__ == "__main__":
    sys.exit(main())
