"""A worker between a real Valkey and a sandbox: in this process, or as an operator runs it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Books, Letter, LetterFilter, Queue
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.drain.session import Draining, Setup
from tests.support.patience import Deadline, patient
from tests.support.processes import Process, finished

TOKEN = "token-of-ours"
QUICK = WorkerSettings(
    linger=0.0,
    deadline=2.0,
    grace=3.0,
    lease=5.0,
    extend_every=1.0,
    shift=60.0,
    job_timeout=120,
    backoff_base=0.05,
    backoff_cap=0.2,
)
COMMAND = """
import sys
from mixrelay.shared.settings import Settings
from mixrelay.worker.process.main import run
from mixrelay.worker.base.settings import WorkerSettings
burst = "--burst" in sys.argv
sys.exit(run(Settings.from_environment(), WorkerSettings.from_environment(), burst=burst))
"""
STOCK = [str(Path(sys.executable).parent / "rq"), "worker", "-S", "json"]
STOCK += ["-j", "mixrelay.worker.Job", "mixrelay"]


def event(user: str, *, token: str = TOKEN, **properties: Any) -> bytes:
    inner = {"token": token, "distinct_id": user, "time": int(time.time() * 1000), **properties}
    return message("event", {"event": "tried", "properties": inner})


def update(user: str, *, token: str = TOKEN, **operation: Any) -> bytes:
    return message("profile_update", {"$token": token, "$distinct_id": user, **operation})


def group(name: str, **operation: Any) -> bytes:
    record = {"$token": TOKEN, "$group_key": "team", "$group_id": name, **operation}
    return message("group_update", record)


def imported(user: str, *, api_key: str | None = None, **properties: Any) -> bytes:
    inner = {"distinct_id": user, "time": int(time.time() * 1000), **properties}
    if api_key is None:
        inner["token"] = TOKEN
    return message("import", {"event": "tried", "properties": inner}, api_key=api_key)


def message(kind: str, data: Any, **beside: Any) -> bytes:
    kept = {name: value for name, value in beside.items() if value is not None}
    return orjson.dumps([kind, orjson.dumps({"data": data, **kept}).decode()])


def dropped(box: Sandbox) -> list[dict[str, Any]]:
    """The records that a sandbox did not keep, without those that prove a token."""
    proof = {"event": "", "properties": {}}
    return [one.record for one in box.dropped if one.record != proof]


def children(pid: int) -> list[int]:
    listed = finished(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=10
    )
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def is_running(pid: int) -> bool:
    listed = finished(
        ["ps", "-o", "stat=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    return bool(listed.stdout.strip()) and not listed.stdout.strip().startswith("Z")


def wait_until(predicate: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    deadline = Deadline(seconds)
    while not predicate():
        assert not deadline.is_over(), f"{deadline}: {what}"
        time.sleep(0.02)


class Running:
    """A worker's process."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as sink:
            self.process = Process(command, env=environ, stdout=sink, stderr=sink)
        self.pid = self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def horse(self) -> int:
        """The pid of its work-horse, once there is one that works."""
        wait_until(lambda: children(self.pid), "a work-horse")
        return children(self.pid)[0]

    def kill(self, signum: signal.Signals) -> None:
        os.kill(self.pid, signum)

    def exit_code(self, seconds: float = 30.0) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds} s:\n{self.log}")

    def end(self) -> None:
        for pid in [*children(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.end()


class Works:
    """The whole way: a queue, workers, and what arrived."""

    def __init__(self, url: str, queue: Queue, box: Sandbox, folder: Path) -> None:
        self.url, self.queue, self.box, self._folder = url, queue, box, folder
        self._running: list[Running] = []

    def push(self, *tuples: bytes) -> None:
        for first in range(0, len(tuples), 1_000):
            self.queue.push(tuples[first : first + 1_000])

    def settings(self, **given: Any) -> Settings:
        defaults = {"redis_url": self.url, "api_host": self.box.url, "token": TOKEN}
        return Settings(**defaults | given)

    def drain(
        self,
        *,
        to: Settings | None = None,
        stop: Stop | None = None,
        seconds: float = 30,
        **given: Any,
    ) -> None:
        """Drains in this process until no message is anywhere."""
        self._draining(to, burst=True, stop=stop, **given).run(patient(seconds))
        assert self.books.waiting == 0

    def drain_while(
        self, condition: Callable[[], bool], *, to: Settings | None = None, **given: Any
    ) -> None:
        """Drains in this process as long as something holds."""
        self._draining(to, burst=False, wanted=lambda: not condition(), **given).run(patient(30))
        assert not condition()

    def _draining(
        self,
        to: Settings | None,
        *,
        burst: bool,
        stop: Stop | None = None,
        wanted: Callable[[], bool] = lambda: False,
        **given: Any,
    ) -> Draining:
        setup = Setup(to or self.settings(), replace(QUICK, **given), burst)
        return Draining(setup, owner="here", stop=stop or Stop(), is_wanted_elsewhere=wanted)

    def start(self, *arguments: str, stock: bool = False, **environ: str) -> Running:
        """Starts a worker as an operator does."""
        own = {
            "MIXRELAY_REDIS_URL": self.url,
            "MIXPANEL_API_HOST": self.box.url,
            "MIXPANEL_TOKEN": TOKEN,
            "MIXRELAY_LOG_FORMAT": "human",
            "MIXRELAY_LINGER": "0.05",
            "MIXRELAY_LEASE": "4",
            "MIXRELAY_EXTEND_EVERY": "1",
            "MIXRELAY_DEADLINE": "2",
            "MIXRELAY_GRACE": "4",
            "MIXRELAY_BACKOFF_BASE": "0.1",
            "MIXRELAY_BACKOFF_CAP": "0.5",
        }
        command = [*STOCK, "--url", self.url] if stock else [sys.executable, "-c", COMMAND]
        log = self._folder / f"worker-{len(self._running)}.log"
        running = Running([*command, *arguments], os.environ | own | environ, log)
        self._running.append(running)
        return running

    def end(self) -> None:
        for running in self._running:
            running.end()

    @property
    def books(self) -> Books:
        return self.queue.books()

    def letters(self) -> list[Letter]:
        return list(self.queue.letters.find(LetterFilter()))

    def reasons(self) -> list[str]:
        return sorted(letter.reason for letter in self.letters())

    def users(self) -> list[str]:
        """Whom the events that arrived are about."""
        return [one["properties"]["distinct_id"] for one in self.box.events]

    def wait_until_all_is_settled(self, seconds: float = 30.0) -> None:
        wait_until(lambda: self.books.waiting == 0, "a drained queue", seconds)
