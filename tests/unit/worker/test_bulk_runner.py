"""Bulk jobs beside delivery: one that cannot be done ends, and the others go on."""

from types import SimpleNamespace

import pytest

from mixrelay.shared.queue import JobState, Step
from mixrelay.worker.drain import bulk_runner
from mixrelay.worker.drain.bulk_runner import BulkRunner
from tests.support.works import wait_until


class Jobs:
    """Two jobs, of which one cannot be done."""

    def __init__(self) -> None:
        self.given = False
        self.failed: dict[str, str] = {}
        self.moved = 0
        self.looks = 0

    def stalled(self) -> list[str]:
        self.looks += 1
        found = [] if self.given else ["bad", "good"]
        self.given = True
        return found

    def get(self, job_id: str) -> SimpleNamespace:
        state = JobState.DONE if self.moved >= 3 else JobState.RUNNING
        return SimpleNamespace(id=job_id, state=state, kind="discard", moved=self.moved)

    def step(self, job: SimpleNamespace) -> Step:
        if job.id == "bad":
            raise OverflowError("cannot convert float infinity to integer")
        self.moved += 1
        return Step(self.get(job.id), 0.0)

    def fail(self, job_id: str, error: str) -> None:
        self.failed[job_id] = error

    def leave(self, job_id: str) -> None:
        raise AssertionError("nothing is in hand")


def test_a_job_that_cannot_be_done_is_failed_and_the_next_is_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bulk_runner, "LOOK_SECONDS", 0.01)
    jobs = Jobs()
    runner = BulkRunner(SimpleNamespace(jobs=jobs, refresh=lambda: None))
    runner.start()
    wait_until(lambda: jobs.moved == 3 and jobs.looks > 3, "a job that is done, and more looks")
    runner.stop()
    assert list(jobs.failed) == ["bad"]
    assert "OverflowError" in jobs.failed["bad"]
    assert "upkeep_failed: job bad cannot be done" in caplog.text


def test_a_look_that_fails_is_said_and_repeated_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bulk_runner, "_AWAY_SECONDS", 0.1)
    jobs = Jobs()
    refreshed: list[float] = []

    def refresh() -> None:
        refreshed.append(0.0)
        raise ValueError("a bug")

    monkeypatch.setattr(bulk_runner, "REFRESH_SECONDS", 0.0)
    runner = BulkRunner(SimpleNamespace(jobs=jobs, refresh=refresh))
    runner.start()
    wait_until(lambda: len(refreshed) >= 2, "another try")
    runner.stop()
    assert len(refreshed) < 100
    assert "upkeep_failed: bulk jobs" in caplog.text
