"""Looks at a tree of processes while it drains: how far it is, what it has cost, what it holds."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import machine
from benchmarks.stand import OTHER_CORE, Stand, pinned
from mixrelay.console.demo.children import Child

Done = Callable[[], int]
LOOK_SECONDS = 0.05
"""At the count of what is done; a backlog that is kept at its level is filled up at each look."""
SAMPLE_SECONDS = 0.2
"""At CPU and memory, which costs more."""
START_SECONDS = 60.0
"""Until the first message is done."""


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds of the clock, and of CPU below."""
    done: int
    cpu: float
    server_cpu: float
    pss: float
    """Megabytes."""


@dataclass(frozen=True)
class Pace:
    """What lies between the first sample with anything done and the last that saw more done."""

    messages: int
    rate: float
    """Messages a second."""
    cpu: float
    """CPU seconds a million messages, which are microseconds each; of the whole tree."""
    server_cpu: float
    pss: float
    """The highest, in megabytes."""


def watch(
    stand: Stand, child: Child, done: Done, messages: int, seconds: float
) -> Iterator[Sample]:
    """Until so many are done, or so many seconds after the first of them.

    Starting a process is no part of draining: nothing is yielded before something is done.

    Raises:
        CommandError: the process ended, or did nothing in a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    seen, due = 0, 0.0
    with pinned(OTHER_CORE):
        while seen < messages and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            ended = child.process.poll()
            found = done()
            if found and not seen:
                deadline = time.monotonic() + seconds
            seen = found
            if seen and (time.monotonic() >= due or seen >= messages):
                due = time.monotonic() + SAMPLE_SECONDS
                yield _sample(stand, child, seen)
            if ended is not None and seen < messages:
                raise child.failed(f"ended with exit code {ended} after {seen} messages")
    if not seen:
        raise child.failed(f"did nothing in {START_SECONDS:g} s")


def _sample(stand: Stand, child: Child, done: int) -> Sample:
    return Sample(
        time.monotonic(),
        done,
        machine.cpu_seconds(child.pid),
        stand.server_cpu(),
        machine.pss_megabytes(child.pid),
    )


def pace(samples: Sequence[Sample]) -> Pace:
    """Raises:
    ValueError: there are no two of them, or nothing was left to look at in the end.
    """
    first = samples[0]
    last = next(sample for sample in samples if sample.done == samples[-1].done)
    messages = last.done - first.done
    if not messages:
        raise ValueError(f"all was done by the first look, {first.done} messages; give it more")
    if last.cpu < first.cpu:
        raise ValueError("the process had ended before its CPU was read; have it wait")
    return Pace(
        messages,
        messages / (last.at - first.at),
        (last.cpu - first.cpu) / messages * 1e6,
        (last.server_cpu - first.server_cpu) / messages * 1e6,
        max(sample.pss for sample in samples),
    )


def delivered(stand: Stand) -> Done:
    """By the queue's own books."""
    return lambda: stand.queue.books().totals["delivered"]
