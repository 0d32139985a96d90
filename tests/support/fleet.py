"""Worker commands as an operator starts them, and the ways in which they die."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.patience import Deadline
from tests.support.processes import Process

COMMAND = Path(sys.executable).with_name("mixrelay")


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Fails with a TimeoutError where something does not come to hold, on a busy machine later."""
    deadline = Deadline(seconds)
    while not holds():
        if deadline.is_over():
            raise TimeoutError(f"{deadline}: {what}")
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Worker:
    """One `mixrelay worker` command and the tree of processes below it."""

    def __init__(
        self, environment: dict[str, str], log: Path, *options: str, prefix: Sequence[str] = ()
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = Process(
                [*prefix, COMMAND, "worker", *options],
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def tree(self) -> list[int]:
        found, fresh = [], [self.process.pid]
        while fresh:
            found += fresh
            fresh = [child for pid in fresh for child in children(pid)]
        return found

    def horse(self) -> int | None:
        """The process that sends: the leaf of the tree."""
        leaves = [pid for pid in self.tree() if not children(pid)]
        return leaves[-1] if leaves and leaves[-1] != self.process.pid else None

    def kill_horse(self) -> None:
        wait_until(lambda: self.horse() is not None, 30, f"a work-horse\n{self.tail()}")
        with suppress(ProcessLookupError):
            os.kill(self.horse() or 0, signal.SIGKILL)

    def kill_parents(self) -> None:
        """All but the horse, which must notice by itself."""
        horse = self.horse()
        for pid in self.tree():
            if pid != horse:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        if horse:
            wait_until(lambda: not alive(horse), 20, "the horse of a dead parent ends")

    def terminate(self, grace: float) -> int:
        """SIGTERM; returns the exit code. Raises if it is not out within the grace."""
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code(grace)

    def exit_code(self, seconds: float) -> int:
        """Raises if it is not out by then."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still there after {seconds} s\n{self.tail()}") from None

    def destroy(self) -> None:
        for pid in reversed(self.tree()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.end()

    def text(self) -> str:
        """What it has logged."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        return "\n".join(self.text().splitlines()[-30:])


def signal_all(pids: Iterable[int], signum: signal.Signals) -> None:
    """Passes over those that are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


class Fleet:
    """Some workers of one queue."""

    def __init__(self, redis_url: str, mixpanel_url: str, folder: Path, **settings: str) -> None:
        self.environment = {
            "MIXRELAY_REDIS_URL": redis_url,
            "MIXRELAY_LOG_FORMAT": "human",
            "MIXPANEL_API_HOST": mixpanel_url,
            "MIXPANEL_TOKEN": "00112233445566778899aabbccddeeff",
            **settings,
        }
        self.folder = folder
        self.queue = Queue(
            connect(redis_url), partitions=int(settings.get("MIXRELAY_PARTITIONS", "1"))
        )
        self.workers: list[Worker] = []

    def start(
        self, count: int = 1, *options: str, prefix: Sequence[str] = (), **settings: str
    ) -> list[Worker]:
        """More workers: with settings of their own, or run by another command, the prefix."""
        for _ in range(count):
            log = self.folder / f"worker-{len(self.workers)}.log"
            environment = self.environment | settings
            self.workers.append(Worker(environment, log, *options, prefix=prefix))
        return self.workers[-count:]

    def replace(self, worker: Worker) -> Worker:
        """A new command in the place of one that is gone."""
        place = self.workers.index(worker)
        self.workers[place] = Worker(self.environment, worker.log)
        return self.workers[place]

    def wait_until_drained(self, seconds: float) -> None:
        def drained() -> bool:
            return self.queue.books().waiting == 0

        try:
            wait_until(drained, seconds, "drained")
        except TimeoutError:
            logs = "\n\n".join(f"{worker.log}\n{worker.tail()}" for worker in self.workers)
            raise TimeoutError(f"not drained: {self.queue.books()}\n{logs}") from None

    def close(self) -> None:
        for worker in self.workers:
            worker.destroy()
