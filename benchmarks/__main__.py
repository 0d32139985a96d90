"""Measures, and writes what it saw into docs/performance.md: `make bench`, `python -m benchmarks`.

python -m benchmarks --quick             # some five minutes, for a look; writes nothing
python -m benchmarks --only drain,latency
python -m benchmarks --page              # the page anew, from the results of the last run
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import page, plot
from benchmarks.benchmark import FAILED, Size
from benchmarks.machine import describe
from benchmarks.results import FILE, Results
from benchmarks.runner import measure
from benchmarks.suite import BENCHMARKS


def main() -> int:
    chosen = _options()
    # So that SIGTERM ends what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if chosen.page:
        if not FILE.exists():
            sys.exit(f"There is no {FILE}: run python -m benchmarks first.")
        _publish(Results.read())
        return 0
    # A quick look never replaces the figures of a full run.
    path = Path(tempfile.gettempdir()) / "mixrelay-bench.json" if chosen.quick else FILE
    results = Results() if chosen.quick else Results.read()
    print(describe())
    for one in BENCHMARKS:
        if one.name in chosen.only:
            measure(one, Size(chosen.quick), results, path)
    print("\n".join(f"\n{text}" for _, text in page.sections(results)))
    if not chosen.quick:
        _publish(results)
    failed = [name for name, rows in results.rows.items() if any(FAILED in row for row in rows)]
    if failed:
        print(f"not all could be measured: see {', '.join(failed)}")
    return 1 if failed else 0


def _publish(results: Results) -> None:
    page.write(results)
    plot.draw(results)
    print(f"written: {page.PAGE}, {plot.FOLDER}")


def _options() -> argparse.Namespace:
    names = [one.name for one in BENCHMARKS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of everything, for a look")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=names,
        metavar="NAME,…",
        help=f"some of {', '.join(names)}",
    )
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    chosen = parser.parse_args()
    if unknown := set(chosen.only) - set(names):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
