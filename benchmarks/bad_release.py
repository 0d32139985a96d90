"""A bad release, corrected by commands alone while traffic goes on, and undone once in between.

    python -m benchmarks.bad_release [--bad N]

1,000 invalid events of three causes, and 20 letters of another event that nobody means. Each step
is a command as docs/runbooks.md has it, timed as an operator waits for it. At the end all of the
bad ones are delivered, corrected, once; the others are as they were; and the sums agree.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.stand import stand
from mixrelay.console.demo.children import Children
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import LetterFilter, Queue

BAD, OTHERS = 1_000, 20
_DEEP = [[[[["book"]]]]]
_LIMIT_SECONDS = 600.0
_FIX = (
    *("dlq", "fix", "--event", "Checked Out", "--truncate", "properties.Cart"),
    *("--delete", "properties.time", "--rename", "properties.Fee=fee", "--why", "release 7"),
)


def main() -> None:
    """Runs the walk and prints its steps."""
    options = argparse.ArgumentParser(description="A bad release, by commands alone.")
    options.add_argument("--bad", type=int, default=BAD)
    bad = options.parse_args().bad
    with stand() as at, Sandbox() as box, tempfile.TemporaryDirectory() as folder:
        queue, children = at.queue, Children(Path(folder))
        env = {**at.surroundings(), "MIXPANEL_API_HOST": box.url, "MIXRELAY_LINGER": "0.1"}
        try:
            children.start("worker", "mixrelay.console", "worker", env=env)
            with _traffic(queue) as pushed:
                _walk(queue, box, bad, env)
            _until(lambda: queue.books().waiting == 0, "the backlog is drained")
            fine = sum(one["event"] == "Fine" for one in box.events)
            assert fine == pushed[0], (fine, pushed)
            assert queue.books().difference == 0
            print(f"\n{pushed[0]:,} other events were delivered meanwhile; nothing unaccounted.")
        finally:
            children.close(10)


def _walk(queue: Queue, box: Sandbox, bad: int, env: dict[str, str]) -> None:
    queue.push([_bad(n) for n in range(bad)])
    queue.push([_event("Other", Cart=_DEEP, n=n) for n in range(OTHERS)])
    _until(lambda: queue.books().dead == bad + OTHERS, "all are letters")
    others = {one.id: one for one in queue.letters.find(LetterFilter(event="Other"))}
    step = _Steps(env)
    step("which causes are there?", "dlq", "stats")
    step("what would a fix change?", *_FIX, "--dry-run")
    step("fix, by a worker, slowly", *_FIX, "--yes", "--background", "--rate", "10")
    [job] = queue.jobs.newest()
    step("it is wrong: undo all of it", "dlq", "fix", "--undo", job.id, "--why", "wrong")
    undone = queue.jobs.get(job.id)
    assert undone is not None
    assert undone.undone + undone.moved == bad
    step("fix, as fast as it goes", *_FIX, "--yes")
    [again, _first] = queue.jobs.newest()
    step("what became of them?", "dlq", "jobs", again.id, "--wait")
    print(f"\n{step.count} commands, {step.seconds:.0f} s; {undone.undone:,} letters undone once.")
    _until(lambda: len(_checked_out(box)) == bad, "all are delivered")
    assert sorted(one["n"] for one in _checked_out(box)) == list(range(bad))
    left = {one.id: one for one in queue.letters.find(LetterFilter())}
    assert left == others, "letters that were not meant"
    print(f"{bad:,} delivered, corrected, once; 0 of {OTHERS} other letters touched.")


def _checked_out(box: Sandbox) -> list[dict[str, Any]]:
    return [one["properties"] for one in box.events if one["event"] == "Checked Out"]


class _Steps:
    """Commands, each timed."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = {**os.environ, **env}
        self.count, self.seconds = 0, 0.0
        print("| step | command | seconds |\n| --- | --- | --- |")

    def __call__(self, name: str, *command: str) -> None:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "mixrelay.console", *command],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"{name} ended with {done.returncode}: {done.stderr}")
        self.count += 1
        self.seconds += seconds
        print(f"| {name} | `{' '.join(command[:2])}` | {seconds:.1f} |", flush=True)


@contextmanager
def _traffic(queue: Queue) -> Iterator[list[int]]:
    pushed, over = [0], threading.Event()

    def push() -> None:
        while not over.wait(0.05):
            queue.push([_event("Fine", n=pushed[0] + one) for one in range(5)])
            pushed[0] += 5

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    try:
        yield pushed
    finally:
        over.set()
        thread.join(60)


def _bad(n: int) -> bytes:
    wrong: list[dict[str, Any]] = [
        {"Cart": _DEEP},
        {"Fee": n, "Cart": list(range(300))},
        {"time": "yesterday"},
    ]
    return _event("Checked Out", n=n, **wrong[n % 3])


def _event(name: str, **properties: Any) -> bytes:
    record = {"event": name, "properties": {"distinct_id": f"u{properties['n']}", **properties}}
    return json.dumps(["event", json.dumps({"data": record})]).encode()


def _until(holds: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + _LIMIT_SECONDS
    while not holds():
        if time.monotonic() > ends:
            sys.exit(f"after {_LIMIT_SECONDS:.0f} s not yet: {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
