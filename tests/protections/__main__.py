"""Takes each protection away by itself and sees that its test fails: python -m tests.protections.

Names given are tried alone. Ends with 1 where a test passes without what it is to prove, or
fails with it.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.protections.protection import Protection
from tests.protections.table import PROTECTIONS
from tests.protections.trying import Tried, copied, outcome_of, tried

AT_ONCE = 2
WHOLE_SECONDS = 900.0
HEADINGS = ("protection", "taken away in", "test that fails", "seconds")


def main(names: Sequence[str]) -> int:
    unknown = set(names) - {one.name for one in PROTECTIONS}
    if unknown:
        print(f"No such protection: {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    chosen = [one for one in PROTECTIONS if not names or one.name in names]
    with TemporaryDirectory(prefix="mixrelay-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        # Of one moment, however the tree changes meanwhile.
        source = copied(folder / "whole")
        whole = pool.submit(_failing_as_it_stands, chosen, source)
        trials = [pool.submit(tried, one, source, folder / _slug(one)) for one in chosen]
        for done in as_completed(trials):
            print("." if done.result().noticed else "F", end="", file=sys.stderr, flush=True)
        results, wrong = [trial.result() for trial in trials], whole.result()
    print(file=sys.stderr)
    for line in _table(results):
        print(line)
    for one in results:
        if not one.noticed:
            print(f"\nNOT NOTICED {one.protection.name}: {one.said}")
    if wrong:
        print(f"\nWith everything in place these do not pass: {wrong}")
    noticed = sum(one.noticed for one in results)
    print(f"\n{len(results)} protections, {noticed} noticed")
    return int(bool(wrong) or noticed < len(results))


def _failing_as_it_stands(chosen: Sequence[Protection], tree: Path) -> str:
    run = outcome_of(tree, sorted({one.node for one in chosen}), WHOLE_SECONDS)
    return "" if run.code == 0 else f"{list(run.failed)} (exit {run.code})\n{run.output[-3_000:]}"


def _slug(one: Protection) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in one.name)


def _table(results: Sequence[Tried]) -> list[str]:
    rows = [HEADINGS, *(_cells(one) for one in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _cells(one: Tried) -> tuple[str, ...]:
    name = Path(one.protection.file).name
    test = f"{one.protection.proof}::{one.protection.test}"
    shown = f"{test}{' (hangs)' if one.hung else ''}" if one.noticed else "NONE"
    return one.protection.name, name, shown, f"{one.seconds:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
