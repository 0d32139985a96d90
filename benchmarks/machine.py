"""What a figure was measured on, and what a tree of processes costs."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from mixrelay.console.demo.children import free_ports


def describe() -> str:
    """One line that names the machine and the interpreter."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def free_port() -> int:
    return free_ports(1)[0]


def tree(pid: int) -> Iterator[int]:
    """The process and all that descend from it, whichever of its threads made them (Linux)."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in " ".join(_lines(str(task))).split():
            yield from tree(int(child))


def pss_megabytes(pid: int) -> float:
    """Proportional set size of the tree: shared pages are counted once, split among sharers."""
    return sum(_pss_kilobytes(member) for member in tree(pid)) / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, with that of children already waited for.

    A work-horse that has ended is in its parent's figures; one that has ended and was not waited
    for still stands in the tree.
    """
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for member in tree(pid):
        for line in _lines(f"/proc/{member}/stat"):
            total += sum(map(int, line.rpartition(")")[2].split()[11:15]))
    return total / tick


def _pss_kilobytes(pid: int) -> int:
    return sum(
        int(line.split()[1])
        for line in _lines(f"/proc/{pid}/smaps_rollup")
        if line.startswith("Pss:")
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
