"""Workers under a supervisor that die at once, or do not end."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mixrelay.worker.process import supervisor
from mixrelay.worker.process.supervisor import Supervisor
from tests.support.patience import patient
from tests.support.works import is_running, wait_until

# The supervisor forks and listens to signals: it needs a main thread, and a process, of its own.
FORK = multiprocessing.get_context("fork")


def supervise(serve: Callable[[], int]) -> multiprocessing.process.BaseProcess:
    def run() -> None:
        os._exit(Supervisor(serve, count=1, grace=0.3, burst=False).run())

    process = FORK.Process(target=run)
    process.start()
    return process


def lives(notes: Path) -> int:
    return len(notes.read_text().split()) if notes.exists() else 0


def test_a_worker_that_dies_at_once_is_started_again_at_growing_intervals(tmp_path: Path) -> None:
    notes = tmp_path / "lives"

    def serve() -> int:
        with notes.open("a") as sink:
            sink.write(f"{time.monotonic()},{os.getpid()}\n")
        return 1

    process = supervise(serve)
    wait_until(lambda: lives(notes) >= 3, "a third life")
    told = [line.split(",") for line in notes.read_text().split()]
    first, second, third, *_ = (float(began) for began, _ in told)
    # Half of 0.5 and of 1 s is the least that the pauses take.
    assert second - first >= 0.25
    assert third - second >= 0.5
    # One that is told to end as it dies by itself is no part of this.
    wait_until(lambda: not is_running(int(told[2][1])), "its end")
    process.terminate()
    process.join(patient(10))
    assert process.exitcode == 0


@pytest.mark.parametrize(("told", "failed"), [(0, False), (1, False), (2, True)])
def test_only_one_that_was_told_to_end_and_ended_badly_spoils_a_stop(told, failed):
    """A worker that died by itself as the stop came did not fail to stop."""
    stopping = Supervisor(lambda: 0, count=1, grace=1, burst=False)
    stopping._stopping = True
    place = stopping._places[0]
    place.told = told

    stopping._ended(place, 1, 1)

    assert stopping._failed is failed


def test_a_worker_that_does_not_end_is_killed_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_OVERTIME_SECONDS", 0.3)
    notes = tmp_path / "pid"

    def serve() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        notes.write_text(f"{os.getpid()}\n")
        while True:
            time.sleep(1)

    process = supervise(serve)
    wait_until(lambda: lives(notes) == 1, "the worker")
    pid = int(notes.read_text())
    process.terminate()
    process.join(patient(10))
    try:
        assert process.exitcode == 1
        assert not is_running(pid)
    finally:
        process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
