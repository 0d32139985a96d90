"""What a tracking call costs by what it is given.

    python -m benchmarks.copies [--former CHECKOUT]

The caller's lists and dicts are copied before they are encoded, since another thread may change
them, and dates and Decimals are converted. For flat properties, and for those with two dates and
a Decimal: microseconds of CPU a message, of a call and of a batch of ten, beside the floor that
builds the event, encodes it twice and pushes it with redis-py. `--former` names a checkout of an
older version, whose calls take turns with these in the same run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.stand import MEASURED_CORE, pinned, stand

ROUNDS = 9
ROOT = Path(__file__).parents[1]
PARTS = ("producer", "shared")


def main() -> None:
    asked = argparse.ArgumentParser(description="What a tracking call costs by what it is given.")
    asked.add_argument("--former", type=Path, help="a checkout of an older version")
    given = asked.parse_args()
    trees = {"now": ROOT} | ({"before": given.former.resolve()} if given.former else {})
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with stand() as at:
        for _ in range(ROUNDS):
            for name, tree in trees.items():
                rounds[name].append(costs(tree, at.url))
    print(describe())
    for name, found in rounds.items():
        for way in found[0]:
            floor = "floor" + way[way.rindex(",") :]
            cost = statistics.median(one[way] for one in found)
            ratio = statistics.median(one[way] / one[floor] for one in found)
            print(f"{name:7} {way:22} {cost:6.1f} us of CPU a message, {ratio:.2f} of the floor's")


def costs(tree: Path, url: str) -> dict[str, float]:
    """In a process of its own, without the tree that is installed here."""
    path = [*(str(tree / part) for part in PARTS), str(ROOT), sysconfig.get_path("purelib")]
    with pinned(MEASURED_CORE):
        done = subprocess.run(
            [sys.executable, "-S", "-m", "benchmarks.copying", url],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
