"""Eight kinds of traffic: `python -m benchmarks.traffic [--messages N] [--rounds N] [--only K]`."""

import argparse

from benchmarks import machine
from benchmarks.benchmark import Row
from benchmarks.traffic.kinds import KINDS
from benchmarks.traffic.measure import MESSAGES, ROUNDS, goals, rows, show


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.traffic", description=__doc__)
    options.add_argument("--messages", type=int, default=MESSAGES, help="of a kind")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--only", default="", help="kinds with this in their names")
    chosen = options.parse_args()
    kinds = [kind for kind in KINDS if chosen.only in kind]
    print(machine.describe())
    found: list[Row] = []
    for row in rows(chosen.messages, chosen.rounds, kinds):
        found.append(row)
        print(", ".join(f"{key} {_short(value)}" for key, value in row.items()), flush=True)
    print()
    print(show(found))
    for goal in goals(found):
        print(f"{goal.what}: {goal.goal}; {goal.measured}, {'met' if goal.met else 'missed'}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
