"""Draws the results for docs/performance.md: transparent, in colors for light and dark pages."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import backlog as backlogs
from benchmarks import drain
from benchmarks.benchmark import Rows, measured
from benchmarks.latency import LONE
from benchmarks.results import Results

FOLDER = Path(__file__).parents[1] / "docs" / "images"
OURS, OTHERS, FLOOR = "#6c63f0", "#9aa0b0", "#c08a3e"
INK = "#7a8194"
# The same figures give the same file; text stays text, in the reader's own typeface.
mpl.rcParams.update(
    {
        "svg.hashsalt": "mixrelay",
        "svg.fonttype": "none",
        "savefig.transparent": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
)


def draw(results: Results) -> None:
    for name, figure in figures(results):
        figure.savefig(FOLDER / f"performance-{name}.svg", metadata={"Date": None})


def figures(results: Results) -> Iterator[tuple[str, Figure]]:
    """For all that has been measured."""
    drawn = {
        "produce": produce,
        "drain": drained,
        "latency": latency,
        "memory": memory,
        "backlog": backlog,
    }
    for name, make in drawn.items():
        if rows := measured(results.rows.get(name, [])):
            yield name, make(rows)


def produce(rows: Rows) -> Figure:
    return _bars(
        {row["name"]: row["cpu"] for row in rows},
        "µs of the caller's CPU a message (logarithmic, less is better)",
        "{:,.1f}",
        best_first=False,
    )


def drained(rows: Rows) -> Figure:
    rates = {name: row["rate"] for name, row in drain.medians(rows, drain.NEAR).items()}
    label = "messages a second, no latency (logarithmic, more is better)"
    return _bars(rates, label, "{:,.0f}", best_first=True)


def latency(rows: Rows) -> Figure:
    figure, axes = canvas(8, 3)
    names = ["lone" if row["rate"] == LONE else f"{row['rate']:,}/s" for row in rows]
    for shift, key, color, label in ((-0.2, "p50", OTHERS, "median"), (0.2, "p95", OURS, "95 %")):
        places = [place + shift for place in range(len(rows))]
        bars = axes.bar(places, [row[key] * 1000 for row in rows], 0.36, color=color, label=label)
        axes.bar_label(bars, fmt="{:,.0f}", padding=2)
    axes.set_xticks(range(len(rows)), names)
    axes.set_ylabel("ms from call to sink")
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def memory(rows: Rows) -> Figure:
    figure, axes = canvas(8, 3)
    for row in rows:
        done, pss = zip(*row["course"], strict=True)
        axes.plot([messages / 1e6 for messages in done], pss, color=OURS)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("million messages drained")
    axes.set_ylabel("MB (PSS) of the worker's tree")
    return figure


def backlog(rows: Rows) -> Figure:
    figure, axes = canvas(8, 3)
    found = backlogs.medians(rows)
    levels = [row["level"] for row in found]
    for key, color, label in (("cpu", OURS, "worker"), ("server_cpu", OTHERS, "Valkey")):
        axes.plot(levels, [row[key] for row in found], "o-", color=color, label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("messages queued (logarithmic)")
    axes.set_ylabel("µs of CPU a message")
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _bars(values: dict[str, float], label: str, shown: str, *, best_first: bool) -> Figure:
    """One bar a name, the best at the top."""
    ordered = sorted(values.items(), key=lambda item: item[1], reverse=not best_first)
    figure, axes = canvas(8, 0.36 * len(ordered) + 1)
    names = [name for name, _ in ordered]
    bars = axes.barh(names, [value for _, value in ordered], color=[_color(one) for one in names])
    axes.bar_label(bars, fmt=shown, padding=3)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel(label)
    return figure


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _color(name: str) -> str:
    if name.startswith("mixrelay"):
        return OURS
    return FLOOR if "floor" in name or name.startswith(("build", "redis-py")) else OTHERS
