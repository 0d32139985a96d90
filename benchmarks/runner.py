"""Runs a benchmark, and keeps each row as soon as it is there."""

import time
import traceback
from pathlib import Path

from benchmarks.benchmark import FAILED, Benchmark, Row, Size
from benchmarks.results import Results

_PLAIN = 1_000
"""From here on a figure is shown without decimals."""


def measure(one: Benchmark, size: Size, results: Results, path: Path) -> None:
    """A failure is a row too, and the run goes on."""
    began = time.monotonic()
    print(f"\n== {one.name}: {one.what}", flush=True)
    results.begin(one.name)
    try:
        for row in one.run(size):
            _keep(one, row, results, path)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, kept, and others follow
        traceback.print_exc()
        _keep(one, {FAILED: f"{type(error).__name__}: {error}"}, results, path)
    print(f"== {one.name}: {time.monotonic() - began:.0f} s", flush=True)


def _keep(one: Benchmark, row: Row, results: Results, path: Path) -> None:
    results.rows[one.name].append(row)
    results.write(path)
    # Long lists are for the plots.
    shown = {name: value for name, value in row.items() if not isinstance(value, list)}
    print(", ".join(f"{name} {_number(value)}" for name, value in shown.items()), flush=True)


def _number(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= _PLAIN else f"{value:.3g}"
