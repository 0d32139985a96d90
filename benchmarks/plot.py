"""Draws what `benchmarks.produce --json` printed: CPU a message, each way a bar.

python -m benchmarks.produce --json | python -m benchmarks.plot docs/produce-cost.svg
"""

import json
import sys

import matplotlib as mpl
from matplotlib.figure import Figure

# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "mixrelay"
OURS, OTHERS, FLOOR = "#4f44e0", "#b9bcc8", "#7d8294"


def color(name: str) -> str:
    if name.startswith("mixrelay"):
        return OURS
    return FLOOR if name.startswith(("floor", "build", "redis-py")) else OTHERS


def main(path: str) -> None:
    figures = sorted(json.load(sys.stdin), key=lambda one: one["cpu"], reverse=True)
    names = [one["name"] for one in figures]
    cpu = [one["cpu"] for one in figures]
    drawing = Figure(figsize=(8, 0.42 * len(names) + 1), layout="constrained")
    axes = drawing.subplots()
    bars = axes.barh(names, cpu, color=[color(name) for name in names])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel("µs of the caller's CPU a message (less is better, logarithmic)")
    axes.set_xscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1])
