"""Processes that cost a fork: their imports are paid once, by a process without threads."""

import gc
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Self

import orjson

from tests.chaos.crash_points.acts import Place, exit_with, warm_up
from tests.support.processes import Process

ROOT = Path(__file__).parents[3]


class Forks:
    """Runs one act at a time in a process of its own. `pid` is that of the one that runs."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.pid: Future[int] = Future()

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._parent = Process(
                [sys.executable, "-m", __name__],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._ask, self._answers = self._parent.stdin, self._parent.stdout
        return self

    def __exit__(self, *_: object) -> None:
        # At the end of its input it ends.
        self._parent.communicate(timeout=10)

    def run(self, act: str, place: Place) -> int:
        """Its exit code, or minus the signal that ended it."""
        assert self._ask
        assert self._answers
        self.pid = Future()
        self._said_before = self._log.stat().st_size
        self._ask.write(orjson.dumps([act, asdict(place)]) + b"\n")
        self._ask.flush()
        self.pid.set_result(int(self._answers.readline()))
        return int(self._answers.readline())

    def kill(self, signum: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid.result(5), signum)

    def said(self) -> str:
        """What the last process wrote."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")


def serve() -> None:
    """Forks for each line of its input; answers with the pid, then with the exit code."""
    warm_up()
    # A collection in a child would copy every page that it inherited.
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)
            os.close(0)
            act, place = orjson.loads(line)
            exit_with(act, Place(**place))
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    serve()
